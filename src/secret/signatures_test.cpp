// OpenPGP and SSH signatures, by files that GnuPG and OpenSSH made (testdata/signatures/make.sh).
#include "base/encode.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "secret/detail/pgp_packets.h"
#include "secret/openpgp.h"
#include "secret/ssh_signature.h"

namespace slipway::secret {
namespace {

std::string file(const std::string& name) { return must(read_file(fs::path(SLIPWAY_TESTDATA) / "signatures" / name)); }

PgpKeys ring_of(const std::vector<std::string>& names) {
  PgpKeys ring;
  for (const auto& name : names) must(ring.add(file(name)));
  return ring;
}
std::string id_of(const std::string& name) {
  PgpKeys ring;
  return must(ring.add(file(name))).at(0);
}
// What is wrong with each, in their order.
std::string said(const PgpKeys& ring, std::string_view payload, const std::string& signature) {
  auto signatures = ring.check(payload, signature);
  if (!signatures) return signatures.error().what();
  std::string text;
  for (const auto& one : *signatures) text += (text.empty() ? "" : ", ") + (one.wrong.empty() ? "good" : one.wrong);
  return text;
}
std::string with_first_byte(const std::string& armored, unsigned char first) {
  auto body = armored.find("\n\n") + 2, end = armored.find("\n=");
  auto bytes = must(from_base64(armored.substr(body, end - body)));
  bytes[0] = static_cast<char>(first);
  return armored.substr(0, body) + to_base64(bytes) + armored.substr(end);
}

TEST(OpenPgp, SaysOfASignatureWhatGnuPgSays) {
  auto payload = file("payload");
  auto all = ring_of({"ada.asc", "bob.asc", "curve.asc", "old.asc", "gone.asc", "sub.asc"});
  struct Case {
    std::string signature, want;
  };
  for (const auto& [signature, want] :
       {Case{"ada", "good"}, Case{"bob", "good"}, Case{"curve", "good"}, Case{"sub", "good"},
        Case{"old", "signed with expired key"}, Case{"gone", "signed with revoked key"},
        Case{"short", "expired signature"}, Case{"both", "good, signed with revoked key"}}) {
    SCOPED_TRACE(signature);
    EXPECT_EQ(said(all, payload, file(signature + ".sig")), want);
    EXPECT_EQ(said(all, payload, file(signature + ".sig")), want) << "once more, remembered";
    EXPECT_TRUE(said(all, payload + "x", file(signature + ".sig")).starts_with("bad signature"));
  }
  EXPECT_EQ(said(ring_of({"bob.asc"}), payload, file("ada.sig")), "signed with key not in keyring");
  EXPECT_EQ(said(ring_of({"ada.gpg"}), payload, file("ada.sig")), "good") << "a key without armor";
  EXPECT_EQ(said(PgpKeys(), payload, file("ada.sig")), "signed with key not in keyring");
  EXPECT_EQ(said(ring_of({"gone.asc", "ada.asc"}), payload, file("gone.sig")), "signed with revoked key");
}

TEST(OpenPgp, NamesTheSubkeyThatSignedAndItsKey) {
  auto ring = ring_of({"sub.asc"});
  auto signatures = must(ring.check(file("payload"), file("sub.sig")));
  ASSERT_EQ(signatures.size(), 1u);
  EXPECT_EQ(signatures[0].primary, id_of("sub.asc"));
  EXPECT_NE(signatures[0].key, signatures[0].primary);
  EXPECT_EQ(signatures[0].key.size(), 16u);
  auto unknown = must(PgpKeys().check(file("payload"), file("ada.sig")));
  EXPECT_EQ(unknown[0].key, id_of("ada.asc"));
  EXPECT_EQ(unknown[0].primary, "");
  auto bad = must(ring_of({"ada.asc"}).check("x", file("ada.sig")));
  EXPECT_EQ(bad[0].key, id_of("ada.asc"));
}

TEST(OpenPgp, AKeyThatComesLaterCounts) {
  PgpKeys ring;
  EXPECT_EQ(said(ring, file("payload"), file("ada.sig")), "signed with key not in keyring");
  auto both = must(ring.add(file("bob.asc") + file("ada.asc")));
  EXPECT_EQ(both.size(), 2u);
  EXPECT_EQ(said(ring, file("payload"), file("ada.sig")), "good");
}

TEST(OpenPgp, WhatIsNoSignatureIsNotShownToGnuPg) {
  auto good = file("ada.sig");
  auto ring = ring_of({"ada.asc"});
  auto begin = good.substr(0, good.find("\n\n") + 2);
  struct Case {
    std::string text, want;
  };
  for (const auto& [text, want] :
       {Case{"", "its armor does not end"}, Case{"hello", "something else stands beside it"},
        Case{good + good, "something else stands beside it"}, Case{begin, "its armor does not end"},
        Case{begin + "-----END PGP SIGNATURE-----\n", "nothing is in it"},
        Case{begin + "AAAA\n-----END PGP SIGNATURE-----\n", "something else is in it"},
        Case{begin + "!!!!\n-----END PGP SIGNATURE-----\n", "its base64 is broken"},
        Case{with_first_byte(good, 0xa3), "something else is in it"},  // compressed, of no length
        Case{with_first_byte(good, 0x8b), "a packet of no known length"},
        Case{with_first_byte(good, 0x89), "ends in a packet"}, Case{file("ada.asc"), "something else stands beside it"},
        Case{file("signed_message.sig"), "something else is in it"},
        Case{begin + to_base64(must(from_base64("iAGIAYgBiAGIAYgBiAGIAYgB"))) + "\n-----END PGP SIGNATURE-----\n",
             "something else is in it"},
        Case{begin + to_base64(std::string("\xc2\xf0\x01", 3)) + "\n-----END PGP SIGNATURE-----\n",
             "a packet in parts"}}) {
    auto signatures = ring.check("x", text);
    ASSERT_FALSE(signatures) << text;
    EXPECT_TRUE(signatures.error().what().contains(want)) << signatures.error().what() << "\n" << text;
  }
  auto huge = begin + std::string(largest_signature, 'A') + "\n-----END PGP SIGNATURE-----\n";
  EXPECT_TRUE(said(ring, "x", huge).contains("is too large, want at most 65536"));
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += std::string("\x88\x01\x04", 3);
  EXPECT_TRUE(said(ring, "x", begin + to_base64(nine) + "\n-----END PGP SIGNATURE-----\n").contains("more than eight"));
  EXPECT_TRUE(said(ring, "x", begin + to_base64(nine.substr(0, 3)) + "\n-----END PGP SIGNATURE-----\n")
                  .starts_with("bad signature"));
}

TEST(OpenPgp, WhatIsNoKeyIsAnError) {
  PgpKeys ring;
  for (auto text : {std::string(), std::string("hello"), file("ada.sig"), file("payload")})
    EXPECT_EQ(ring.add(text).error().what(), "no OpenPGP public key in it");
  EXPECT_TRUE(ring.add(std::string(largest_pgp_keys + 1, 'x')).error().what().contains("too large"));
}

TEST(OpenPgp, KeysAreNamedByTheLastSixteenDigits) {
  EXPECT_EQ(pgp_key_id("4aee18f83afdeb23"), "4AEE18F83AFDEB23");
  EXPECT_EQ(pgp_key_id("5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23"), "4AEE18F83AFDEB23");
  for (auto no : {"", "3AFDEB23", "4AEE18F83AFDEB2X", "0x4AEE18F83AFDEB23"}) EXPECT_EQ(pgp_key_id(no), "") << no;
}

TEST(SshSignature, ChecksWhatOpenSshSigned) {
  auto payload = file("payload");
  for (std::string name : {"ed25519256", "ecdsa256", "ecdsa521", "rsa2048"}) {
    SCOPED_TRACE(name);
    SshKeys keys;
    must(keys.add("# who may\n\n" + file(name == "rsa2048" ? "ecdsa256.pub" : "rsa2048.pub")));
    EXPECT_TRUE(
        keys.check(payload, file(name + ".sshsig")).error().what().starts_with("signed with another key, SHA256:"));
    must(keys.add("restrict,command=\"a b\" " + file(name + ".pub")));
    EXPECT_TRUE(must(keys.check(payload, file(name + ".sshsig"))).starts_with("SHA256:"));
    auto bad = keys.check(payload + "x", file(name + ".sshsig"));
    EXPECT_TRUE(bad.error().is(Kind::denied) && bad.error().what().starts_with("bad signature of key SHA256:"));
  }
  SshKeys keys;
  must(keys.add(file("ed25519256.pub")));
  EXPECT_TRUE(keys.check(payload, file("sha256.sshsig")));
  EXPECT_EQ(keys.check(payload, file("file.sshsig")).error().what(), "signed for \"file\", want \"git\"");
}

TEST(SshSignature, BrokenOnesAreErrors) {
  SshKeys keys;
  must(keys.add(file("ed25519256.pub")));
  auto good = file("ed25519256.sshsig");
  std::string begin = "-----BEGIN SSH SIGNATURE-----\n", end = "\n-----END SSH SIGNATURE-----\n";
  auto bytes = must(from_base64(good.substr(begin.size(), good.find(end) - begin.size())));
  // Cut short anywhere it is none.
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_TRUE(keys.check("x", begin + to_base64(bytes.substr(0, size)) + end).error().is(Kind::invalid)) << size;
  for (const auto& text :
       {std::string(), std::string("-----BEGIN SSH SIGNATURE-----"), begin + "!" + end,
        begin + to_base64(bytes + "x") + end, file("ada.sig"), begin + std::string(largest_signature, 'A') + end})
    EXPECT_TRUE(keys.check("x", text).error().is(Kind::invalid)) << text.substr(0, 80);
}

TEST(SshSignature, KeysThatAreNotUnderstoodAreErrors) {
  struct Case {
    std::string text, want;
  };
  auto key = file("ed25519256.pub");
  for (const auto& [text, want] :
       {Case{"hello", "line 1: no SSH public key"}, Case{key + "ssh-ed25519 AAAA", "line 2: no SSH public key"},
        Case{"ssh-rsa " + key.substr(12), "line 1: no SSH public key"},
        Case{"ssh-ed25519 " + to_base64(std::string("\0\0\0\x0bssh-ed25519\0\0\0\x01x", 20)), "is not understood"},
        Case{"ssh-dss " + to_base64(std::string("\0\0\0\x07ssh-dss", 11)),
             "a key of \"ssh-dss\" that is not understood"}}) {
    SshKeys keys;
    auto added = keys.add(text);
    ASSERT_FALSE(added) << text;
    EXPECT_TRUE(added.error().what().contains(want)) << added.error().what();
    EXPECT_TRUE(keys.empty());
  }
}

}  // namespace
}  // namespace slipway::secret
