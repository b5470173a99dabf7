#include "secret/age.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "secret/detail/age.h"

namespace slipway::secret {
namespace {

// One file of the age test kit (C2SP): lines of "name: value", an empty line, the file.
struct KitCase {
  std::string expect, payload, passphrase;
  std::vector<AgeIdentity> identities;
  bool compressed = false, armored = false;
  std::string file;
};
std::optional<KitCase> read_case(std::string_view text) {
  KitCase result;
  for (;;) {
    auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) break;
    auto pair = cut(line, ": ");
    if (!pair) return {};
    auto [name, value] = *pair;
    if (name == "expect") result.expect = value;
    if (name == "payload") result.payload = value;
    if (name == "passphrase") result.passphrase = value;
    if (name == "compressed") result.compressed = true;
    if (name == "armored") result.armored = true;
    if (name == "identity")
      if (auto identity = AgeIdentity::parse(value)) result.identities.push_back(*identity);
  }
  result.file = text;
  return result;
}

// What kind of refusal each outcome of the kit is.
bool fits(std::string_view expect, const Result<std::string>& got) {
  if (expect == "success") return got.has_value();
  if (got) return false;
  if (expect == "no match") return got.error().is(Kind::denied);
  if (expect == "HMAC failure" || expect == "payload failure") return got.error().is(Kind::corrupt);
  return !got.error().is(Kind::internal);
}

TEST(Age, AgreesWithTheTestKit) {
  auto root = corpora();
  if (!root || !path_exists(*root / "osv/secret-vectors/age-testkit.tar.zst")) GTEST_SKIP() << "no corpora here";
  auto folder = must(TempDir::make("age"));
  auto unpacked =
      run(Ctx{}, {.argv = {"tar", "-I", "zstd", "-xf", (*root / "osv/secret-vectors/age-testkit.tar.zst").native(),
                           "-C", folder.path().native()}});
  if (!unpacked || !unpacked->ok()) GTEST_SKIP() << "tar cannot read zstd here";
  int agreed = 0;
  for (const auto& name : must(list_dir(folder.path() / "age/testdata"))) {
    auto one = read_case(must(read_file(folder.path() / "age/testdata" / name)));
    ASSERT_TRUE(one) << name;
    // Big ones are packed with zlib; post-quantum recipients are not read here.
    if (one->compressed || name.starts_with("hybrid")) continue;
    auto got =
        one->passphrase.empty() ? age_decrypt(one->file, one->identities) : age_decrypt(one->file, one->passphrase);
    EXPECT_TRUE(fits(one->expect, got)) << name << ": " << one->expect << ", got "
                                        << (got ? "plaintext"
                                                : std::string(to_string(got.error().kind())) + " " +
                                                      got.error().what());
    if (got && !one->payload.empty()) {
      EXPECT_EQ(sha256_hex(*got), one->payload) << name;
    }
    ++agreed;
  }
  EXPECT_GE(agreed, 100);
}

TEST(Age, WhatIsEncryptedIsDecrypted) {
  auto ada = AgeIdentity::generate(), bob = AgeIdentity::generate();
  auto recipient = must(AgeRecipient::parse(ada.recipient())), other = must(AgeRecipient::parse(bob.recipient()));
  std::vector recipients{other, recipient};
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65535}, std::size_t{65536}, std::size_t{65537},
                           std::size_t{200000}}) {
    auto plain = random_bytes(size);
    for (auto armor : {Armor::no, Armor::yes}) {
      auto file = must(age_encrypt(plain, recipients, armor));
      EXPECT_TRUE(is_age_file(file));
      EXPECT_EQ(must(age_decrypt(file, {&ada, 1})), plain) << size;
    }
  }
  auto file = must(age_encrypt("x", {&other, 1}, Armor::no));
  auto refused = age_decrypt(file, {&ada, 1});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(Kind::denied));
  file.back() = static_cast<char>(file.back() ^ 1);
  EXPECT_TRUE(age_decrypt(file, {&bob, 1}).error().is(Kind::corrupt));
  auto locked = must(age_encrypt("x", "open sesame", Armor::yes, 10));
  EXPECT_EQ(must(age_decrypt(locked, "open sesame")), "x");
  EXPECT_TRUE(age_decrypt(locked, "open").error().is(Kind::denied));
}

TEST(Age, KeysReadAsTheyAreWritten) {
  auto identity = AgeIdentity::generate();
  auto again = must(AgeIdentity::parse(identity.text()));
  EXPECT_EQ(again.recipient(), identity.recipient());
  EXPECT_EQ(must(AgeRecipient::parse(identity.recipient())).text(), identity.recipient());
  auto file = fmt::format("# created\n\n{}\n  {}  \n", identity.text(), AgeIdentity::generate().text());
  EXPECT_EQ(must(parse_identities(file, "keys.txt")).size(), 2U);
  auto broken = parse_identities("\n" + identity.text() + "x\n", "keys.txt");
  ASSERT_FALSE(broken);
  EXPECT_TRUE(broken.error().what().starts_with("keys.txt:2: ")) << broken.error().what();
  EXPECT_EQ(broken.error().what().find(identity.text()), std::string::npos) << "a key is never shown";
}

struct BadKey {
  std::string name, text, error;
};
class BadRecipient : public testing::TestWithParam<BadKey> {};
TEST_P(BadRecipient, IsRefusedWithWhatIsWrong) {
  auto got = AgeRecipient::parse(GetParam().text);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().what().find(GetParam().error), std::string::npos) << got.error().what();
}
INSTANTIATE_TEST_SUITE_P(
    Table, BadRecipient,
    testing::ValuesIn(std::to_array<BadKey>({{"Empty", "", "not complete"},
                                             {"Cut", "age1vqgccscqt3lclshscm7q", "check sum"},
                                             {"Mixed", "age1Vqgccscqt3lclshscm7qjq3wlp5kf2lr6jr43hqtnzpkpcnye48s6wnenq",
                                              "upper and lower"},
                                             {"SshKey", "ssh-ed25519 AAAA", "upper and lower"}})),
    [](const auto& i) { return i.param.name; });

// The stock tool and ours read each other's files.
TEST(Age, StockAgeReadsOurs) {
  auto folder = must(TempDir::make("age"));
  auto identity = AgeIdentity::generate();
  auto recipient = must(AgeRecipient::parse(identity.recipient()));
  must(write_file(folder.path() / "key", identity.text() + "\n"));
  must(write_file(folder.path() / "ours", must(age_encrypt("hello", {&recipient, 1}, Armor::yes))));
  auto read = run(Ctx{}, {.argv = {"age", "-d", "-i", "key", "ours"}, .cwd = folder.path().native()});
  if (!read) GTEST_SKIP() << "age is not installed";
  EXPECT_EQ(read->out, "hello") << read->err;
  auto theirs =
      must(run(Ctx{}, {.argv = {"age", "-r", identity.recipient()}, .cwd = folder.path().native(), .input = "back"}));
  EXPECT_EQ(must(age_decrypt(theirs.out, {&identity, 1})), "back");
}

}  // namespace
}  // namespace slipway::secret
