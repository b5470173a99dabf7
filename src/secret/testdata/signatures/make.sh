#!/usr/bin/env bash
# Makes these files anew, by GnuPG 2.2 and OpenSSH 9: keys, and their signatures of `payload`.
set -euo pipefail
cd "$(dirname "$0")"
home=$(mktemp -d)
trap 'GNUPGHOME=$home gpgconf --kill all; rm -rf "$home"' EXIT
export GNUPGHOME=$home
day=20250301T120000
gpg_at() { gpg --batch --quiet --no-tty --yes --pinentry-mode loopback --passphrase '' --faked-system-time "$1!" "${@:2}" 2>/dev/null; }
key() { gpg_at $day --quick-gen-key "$1 <$1@example.org>" "$2" "$3" "$4"; }
sign() { gpg_at $day "${@:3}" -u "$1" --armor --detach-sign --output "$2.sig" payload; }
fingerprint() { gpg --batch --list-keys --with-colons "$1" 2>/dev/null | awk -F: '/^fpr/ { print $10; exit }'; }

printf 'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Ada <ada@example.org> 1740830400 +0000\ncommitter Ada <ada@example.org> 1740830400 +0000\n\nFirst\n' >payload
for one in "ada ed25519 sign never" "bob rsa2048 sign never" "curve nistp256 sign never" "old ed25519 sign 30d" "gone ed25519 sign never" "sub ed25519 cert never"; do
  # shellcheck disable=SC2086
  key $one
done
gpg_at $day --quick-add-key "$(fingerprint sub)" ed25519 sign never
for name in ada bob curve old gone sub; do
  sign $name $name
  gpg_at $day --armor --export $name >$name.asc
done
gpg_at $day --export ada >ada.gpg
sign ada short --default-sig-expire 10d
gpg_at $day -u ada -u gone --armor --detach-sign --output both.sig payload
printf 'y\n1\n\ny\n' | gpg --command-fd 0 --no-tty --pinentry-mode loopback --passphrase '' --faked-system-time 20250302T120000! --output "$home/rev" --gen-revoke gone 2>/dev/null
gpg_at 20250302T120000 --import "$home/rev"
gpg_at $day --armor --export gone >gone.asc
gpg_at $day -u ada --compress-algo zip --armor --sign --output signed_message.sig payload

for one in "ed25519 256" "ecdsa 256" "ecdsa 521" "rsa 2048"; do
  set -- $one
  ssh-keygen -q -t "$1" -b "$2" -N '' -C "$1@example.org" -f "$home/$1$2"
  cp "$home/$1$2.pub" "$1$2.pub"
  ssh-keygen -q -Y sign -n git -f "$home/$1$2" <payload >"$1$2.sshsig" 2>/dev/null
done
ssh-keygen -q -Y sign -n file -f "$home/ed25519256" <payload >file.sshsig 2>/dev/null
ssh-keygen -q -Y sign -n git -O hashalg=sha256 -f "$home/ed25519256" <payload >sha256.sshsig 2>/dev/null
