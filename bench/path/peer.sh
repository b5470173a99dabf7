#!/usr/bin/env bash
# The shell pipeline that Slipway is measured against: the shop's `api` from a pushed commit to the new version answering
# in dev, with git, buildah, docker-registry, `kubectl kustomize`, skopeo and runc. Written as somebody who minds speed
# would: shallow clones, layers cached, no network for builds, lint, test and image side by side, polling each 2 ms.
#
#   peer.sh setup DIR PORT     registry, repositories (with the shop and its configuration), base images; DIR/registry.pid
#   peer.sh deliver DIR SHA    the pushed commit; prints "span WHAT FROM TO" (seconds since the epoch) for each stage
#   peer.sh stop DIR
set -euo pipefail
dir=$2
export HOME=$dir GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_AUTHOR_NAME=peer GIT_AUTHOR_EMAIL=peer@example.com GIT_COMMITTER_NAME=peer GIT_COMMITTER_EMAIL=peer@example.com

B() { buildah --root "$dir/store" --runroot "$dir/run" --storage-driver overlay "$@"; }
span() { # WHAT COMMAND...
  local what=$1 from=$EPOCHREALTIME
  shift
  "$@"
  echo "span $what $from $EPOCHREALTIME"
}

setup() {
  local port=$3 source=$4
  mkdir -p "$dir/registry" "$dir/node"
  printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$dir/registry" "$port" >"$dir/registry.yml"
  echo "127.0.0.1:$port" >"$dir/address"
  docker-registry serve "$dir/registry.yml" >"$dir/registry.log" 2>&1 &
  echo $! >"$dir/registry.pid"
  git config --global init.defaultBranch main
  git config --global safe.directory '*'
  for name in shop shop-config; do
    git init -q --bare "$dir/$name.git"
    cp -r "$source/$name" "$dir/seed-$name"
  done
  # The user's own time inside the image build: the clock before and after his command, printed by the build itself.
  sed -i "s|^FROM base/|FROM 127.0.0.1:$port/base/|; s|^RUN \(.*\)|RUN echo user \$(date +%s.%N) \&\& \1 \&\& echo user \$(date +%s.%N)|" "$dir/seed-shop/services/api/Dockerfile"
  for name in shop shop-config; do
    git -C "$dir/seed-$name" init -q
    git -C "$dir/seed-$name" add -A
    git -C "$dir/seed-$name" commit -qm "The first"
    git -C "$dir/seed-$name" push -q "$dir/$name.git" main
  done
  git clone -q "file://$dir/shop-config.git" "$dir/sync"
  for _ in $(seq 200); do curl -fsS "http://127.0.0.1:$port/v2/" >/dev/null 2>&1 && return; sleep 0.02; done
  cat "$dir/registry.log" >&2
  return 4
}

image() {
  local registry=$1 sha=$2
  B bud -q --runtime runc --network none --layers --tls-verify=false --build-arg VERSION="$sha" -t "$registry/shop/api:sha-$sha" "$dir/work/services/api" >"$dir/build.log" 2>&1 || { cat "$dir/build.log" >&2; return 1; }
  B push -q --tls-verify=false --digestfile "$dir/digest" "$registry/shop/api:sha-$sha" >>"$dir/build.log" 2>&1
}

promote() {
  local registry=$1
  rm -rf "$dir/config"
  git clone -q --depth 1 "file://$dir/shop-config.git" "$dir/config"
  (cd "$dir/config/overlays/dev" && awk -v image="$registry/shop/api" -v digest="$(cat "$dir/digest")" '
    /^  - name: shop\/api/ { print; print "    newName: " image; print "    digest: " digest; skip = 1; next }
    /^  - name:/ { skip = 0 }
    !skip { print }' kustomization.yaml >k && mv k kustomization.yaml)
  git -C "$dir/config" commit -qam "dev: api $2"
  git -C "$dir/config" push -q origin main
}

# The controller's half: told of the push at once, it renders and makes what runs equal to it.
sync_config() {
  git -C "$dir/sync" fetch -q origin main
  git -C "$dir/sync" reset -q --hard FETCH_HEAD
  kubectl kustomize "$dir/sync/overlays/dev" >"$dir/rendered.yaml"
}

deploy() { # SHA: pulls, unpacks, runs, and waits until the new one answers
  local sha=$1 name=api-${1:0:12} image bundle port
  bundle=$dir/node/$name
  image=$(grep -om1 "image: .*/shop/api@sha256:.*" "$dir/rendered.yaml" | cut -d' ' -f2)
  mkdir -p "$bundle/rootfs"
  skopeo copy -q --src-tls-verify=false "docker://$image" "dir:$bundle/image"
  for layer in $(jq -r '.layers[].digest' "$bundle/image/manifest.json"); do tar -xzf "$bundle/image/${layer#sha256:}" -C "$bundle/rootfs"; done
  port=$(($(cat "$dir/port" 2>/dev/null || echo 41000) + 1))
  echo $port >"$dir/port"
  jq -n --arg port "PORT=$port" --slurpfile config "$bundle/image/$(jq -r '.config.digest' "$bundle/image/manifest.json" | cut -d: -f2)" --arg name "$name" '
    {ociVersion: "1.0.2", root: {path: "rootfs"},
     process: {terminal: false, user: {uid: 65534, gid: 65534}, args: $config[0].config.Entrypoint, env: ($config[0].config.Env + [$port]), cwd: "/"},
     mounts: [{destination: "/proc", type: "proc", source: "proc"}],
     linux: {cgroupsPath: ("/slipway-bench/" + $name), resources: {memory: {limit: 134217728}}, namespaces: [{type: "pid"}, {type: "mount"}, {type: "ipc"}, {type: "uts"}]}}' >"$bundle/config.json"
  runc --root "$dir/runc" run -d --bundle "$bundle" "$name" </dev/null >"$bundle/log" 2>&1
  until [ "$(curl -s "http://127.0.0.1:$port/version")" = "$sha" ]; do sleep 0.002; done
}

deliver() {
  local sha=$3 registry began
  registry=$(cat "$dir/address")
  rm -rf "$dir/work"
  span clone git clone -q --depth 1 "file://$dir/shop.git" "$dir/work"
  # The jobs of the shop's workflow, side by side as there.
  (span user.lint make -s -C "$dir/work/services/api" lint) & local lint=$!
  (export OUT=$dir/out; span user.test make -s -C "$dir/work/services/api" test >"$dir/test.log"; tail -1 "$dir/test.log") & local test=$!
  (span image image "$registry" "$sha"; awk '/^user /{ if (from) { print "span user.image", from, $2; from = "" } else from = $2 }' "$dir/build.log") & local image=$!
  wait $lint; wait $test; wait $image
  span promote promote "$registry" "$sha"
  span sync sync_config
  span deploy deploy "$sha"
}

# What ran before goes once the new one answers; nobody waits for it.
retire() {
  local sha=$3 name
  for name in $(runc --root "$dir/runc" list -q 2>/dev/null); do
    [ "$name" = "api-${sha:0:12}" ] || { runc --root "$dir/runc" delete -f "$name"; rm -rf "${dir:?}/node/$name"; }
  done
}

stop() {
  for name in $(runc --root "$dir/runc" list -q 2>/dev/null); do runc --root "$dir/runc" delete -f "$name" || true; done
  kill "$(cat "$dir/registry.pid")" 2>/dev/null || true
  awk -v p="$dir/" 'index($2, p) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do umount "$mount" || true; done
}

case ${1:-} in
  setup | deliver | retire | stop) "$1" "$@" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
