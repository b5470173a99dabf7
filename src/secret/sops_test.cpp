#include "secret/sops.h"

#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::secret {
namespace {

// testdata/sops: sealed by sops 3.9.4 for this key, which protects nothing.
fs::path file(std::string_view name) { return fs::path(SLIPWAY_TESTDATA) / "sops" / name; }
std::string text(std::string_view name) { return must(read_file(file(name))); }
std::vector<AgeIdentity> keys() { return must(parse_identities(text("identity.txt"), "identity.txt")); }
SopsText sealed(std::string_view name) {
  auto content = text(name);
  auto format = sops_format(name, content);
  return {std::move(content), std::string(name), format};
}
WallTime now() { return *parse_rfc3339("2026-11-27T09:00:00Z"); }
SopsRules rules() { return {.age = {keys()[0].recipient()}}; }

// Without comments: those that sops sealed stay sealed in what we open.
std::string without_comments(std::string_view text) {
  std::string out;
  for (auto line : lines(text))
    if (!trim(line).starts_with('#') && !line.empty()) out += std::string(line) + "\n";
  return out;
}

struct Case {
  std::string name, sealed, plain;
};
class Stock : public testing::TestWithParam<Case> {};

TEST_P(Stock, FilesOfSopsAreOpened) {
  auto input = sealed(GetParam().sealed);
  ASSERT_TRUE(is_sops(input.text) || GetParam().name == "Nothing");
  auto opened = must(sops_unseal(input, keys()));
  auto want = text(GetParam().plain);
  if (input.format == SopsFormat::binary) {
    EXPECT_EQ(opened.text, want);
  } else if (input.format == SopsFormat::dotenv) {
    EXPECT_EQ(without_comments(opened.text), without_comments(want));
  } else {
    EXPECT_EQ(must(doc::parse_yaml_all(opened.text)), must(doc::parse_yaml_all(want))) << opened.text;
  }
}
TEST_P(Stock, AWrongKeyIsSaidWithWhoseFileItIs) {
  auto other = AgeIdentity::generate();
  auto opened = sops_unseal(sealed(GetParam().sealed), {&other, 1});
  ASSERT_FALSE(opened);
  EXPECT_TRUE(opened.error().is(Kind::denied));
  EXPECT_NE(opened.error().what().find(keys()[0].recipient()), std::string::npos) << opened.error().what();
}
TEST_P(Stock, RotatedFilesSayTheSameAndOldKeysAreGone) {
  auto input = sealed(GetParam().sealed);
  auto bob = AgeIdentity::generate();
  auto ada = keys();
  auto rotated = must(sops_rotate(input, ada, {{bob.recipient()}, {ada[0].recipient()}}, now()));
  SopsText again{rotated, "again", input.format};
  EXPECT_FALSE(sops_unseal(again, ada));
  EXPECT_EQ(must(sops_keys(again)).age, std::vector{bob.recipient()});
  EXPECT_EQ(without_comments(must(sops_unseal(again, {&bob, 1})).text),
            without_comments(must(sops_unseal(input, ada)).text));
  EXPECT_FALSE(sops_rotate(input, ada, {{}, {ada[0].recipient()}}, now())) << "nobody would be left";
}
TEST_P(Stock, SealedAgainUnchangedOnlyTheMacIsNew) {
  auto input = sealed(GetParam().sealed);
  auto plain = must(sops_unseal(input, keys())).text;
  auto again = must(sops_reseal({plain, "plain", input.format}, input, keys(), now()));
  int changed = 0;
  std::set<std::string> before;
  for (auto line : lines(input.text)) before.emplace(trim(line));
  for (auto line : lines(again))
    if (line.find("ENC[") != std::string_view::npos && line.find("mac") == std::string_view::npos &&
        line.find("sops") == std::string_view::npos && !before.contains(std::string(trim(line))))
      ++changed;
  EXPECT_EQ(changed, 0) << again;
  EXPECT_EQ(must(sops_unseal({again, "again", input.format}, keys())).text, plain);
}
INSTANTIATE_TEST_SUITE_P(Table, Stock,
                         testing::ValuesIn(std::to_array<Case>({{"All", "all.yaml", "secret.plain.yaml"},
                                                                {"Regex", "regex.yaml", "secret.plain.yaml"},
                                                                {"MacOnlyEncrypted", "maconly.yaml",
                                                                 "secret.plain.yaml"},
                                                                {"Nothing", "nothing.yaml", "secret.plain.yaml"},
                                                                {"Json", "sealed.json", "plain.json"},
                                                                {"Dotenv", "sealed.env", "plain.env"},
                                                                {"Binary", "sealed.bin", "plain.bin"}})),
                         [](const auto& i) { return i.param.name; });

// The form, the order of everything and the comments are as they were.
TEST(Sops, OpeningChangesNothingElseOfTheText) {
  auto opened = must(sops_unseal(sealed("regex.yaml"), keys())).text;
  EXPECT_NE(opened.find("# The database of the shop\napiVersion: v1\n"), std::string::npos) << opened;
  EXPECT_NE(opened.find("    pem: |\n"), std::string::npos) << opened;
  EXPECT_EQ(opened.find("sops:"), std::string::npos);
}

TEST(Sops, SealingKeepsCommentsAndNames) {
  std::string plain =
      "# who owns this\napiVersion: v1\nkind: Secret\nmetadata: {name: db}  # flow\nstringData:\n  # the first\n"
      "  user: \"shop\"\n  pem: |\n    a\n    b\n  last: 'it''s'\n";
  auto r = rules();
  r.encrypted_regex = "^(data|stringData)$";
  auto out = must(sops_seal({plain, "db.yaml", SopsFormat::yaml}, r, now()));
  EXPECT_TRUE(
      out.starts_with("# who owns this\napiVersion: v1\nkind: Secret\nmetadata: {name: db}  # flow\nstringData:\n"
                      "  # the first\n  user: ENC[AES256_GCM,data:"))
      << out;
  EXPECT_EQ(out.find("shop"), std::string::npos);
  auto opened = must(sops_unseal({out, "db.yaml", SopsFormat::yaml}, keys()));
  EXPECT_EQ(must(doc::parse_yaml(opened.text)), must(doc::parse_yaml(plain)));
  EXPECT_EQ(opened.values, (std::vector<std::string>{"shop", "a\nb\n", "it's"}));
}

struct Harm {
  std::string name, from, to, error;
};
class Harmed : public testing::TestWithParam<Harm> {};
TEST_P(Harmed, FilesAreRefusedWithThePlace) {
  auto input = sealed("regex.yaml");
  auto at = input.text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  input.text.replace(at, GetParam().from.size(), GetParam().to);
  auto opened = sops_unseal(input, keys());
  ASSERT_FALSE(opened);
  EXPECT_TRUE(opened.error().is(Kind::corrupt)) << opened.error().what();
  EXPECT_NE(opened.error().what().find(GetParam().error), std::string::npos) << opened.error().what();
}
INSTANTIATE_TEST_SUITE_P(Table, Harmed,
                         testing::ValuesIn(std::to_array<Harm>(
                             {{"ReadableValueChanged", "name: db", "name: other", "its MAC does not fit"},
                              {"ValueMoved", "    user: ENC", "    loser: ENC",
                               "regex.yaml:10:12: stringData.loser: does not open"},
                              {"ValueInTheClear", "    empty: \"\"", "    empty: x", "is not sealed although"},
                              {"ValueAdded", "    app: shop", "    app: shop\n        b: c", "its MAC does not fit"}})),
                         [](const auto& i) { return i.param.name; });

TEST(Sops, FilesPutOneAfterAnotherAreOpenedEach) {
  auto one = must(sops_seal({"a: one\n", "1", SopsFormat::yaml}, rules(), now()));
  auto two = must(sops_seal({"b: two\n", "2", SopsFormat::yaml}, rules(), now()));
  auto opened = must(sops_unseal({one + "---\nplain: text\n---\n" + two, "all.yaml", SopsFormat::yaml}, keys()));
  EXPECT_EQ(opened.text, "a: one\n---\nplain: text\n---\nb: two\n");
}

TEST(Sops, OtherKeysThanAgeAreNamed) {
  auto input = sealed("regex.yaml");
  std::string_view key = "    age:\n";
  for (auto at = input.text.find(key); at != std::string::npos; at = input.text.find(key, at))
    input.text.erase(at, input.text.find("    lastmodified:", at) - at);
  for (auto at = input.text.find("    pgp: []"); at != std::string::npos; at = input.text.find("    pgp: []"))
    input.text.replace(at, 11, "    pgp: [{fp: 85D7, enc: x}]");
  auto opened = sops_unseal(input, keys());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().what(), "regex.yaml: is sealed for PGP 85D7, want an age key: no others are used here");
}

TEST(Sops, RulesOfTheConfiguration) {
  std::string config =
      "creation_rules:\n- path_regex: prod/.*\\.yaml$\n  encrypted_regex: ^data$\n  age: >-\n    age1a,\n    age1b\n"
      "- path_regex: \\.env$\n  key_groups: [{age: [age1c]}]\n- path_regex: gpg\n  pgp: ABC\n";
  auto prod = must(sops_rules_for(config, ".sops.yaml", "prod/db.yaml"));
  ASSERT_TRUE(prod);
  EXPECT_EQ(prod->age, (std::vector<std::string>{"age1a", "age1b"}));
  EXPECT_EQ(prod->encrypted_regex, "^data$");
  EXPECT_EQ(must(sops_rules_for(config, ".sops.yaml", "x.env"))->age, std::vector<std::string>{"age1c"});
  EXPECT_FALSE(must(sops_rules_for(config, ".sops.yaml", "dev/db.yaml")));
  auto pgp = sops_rules_for(config, ".sops.yaml", "gpg/x");
  ASSERT_FALSE(pgp);
  EXPECT_TRUE(pgp.error().what().starts_with(".sops.yaml:10:8: ")) << pgp.error().what();
}

// The stock program opens what we seal, and what we rotate.
TEST(Sops, StockSopsReadsOurs) {
  auto folder = must(TempDir::make("sops"));
  auto read = [&](const std::string& name, const std::string& content) {
    must(write_file(folder.path() / name, content));
    return run(Ctx{}, {.argv = {"sops", "decrypt", name},
                       .extra_env = {{"SOPS_AGE_KEY_FILE", file("identity.txt").native()}},
                       .cwd = folder.path().native()});
  };
  if (!run(Ctx{}, {.argv = {"sops", "--version", "--disable-version-check"}})) GTEST_SKIP() << "sops is not installed";
  for (const auto* name : {"secret.plain.yaml", "plain.json", "plain.env", "plain.bin"}) {
    auto plain = text(name);
    SopsText input{plain, name, sops_format(name, plain)};
    auto ours = must(sops_seal(input, rules(), now()));
    auto got = must(read(name, ours));
    ASSERT_EQ(got.code, 0) << name << ": " << got.err << ours;
    if (input.format == SopsFormat::yaml || input.format == SopsFormat::json)
      EXPECT_EQ(must(doc::parse_yaml_all(got.out)), must(doc::parse_yaml_all(plain)));
    else
      EXPECT_EQ(replace_all(got.out, "\n\n", "\n"), replace_all(plain, "\n\n", "\n"));
    auto turned = must(sops_rotate({ours, name, input.format}, keys(), {}, now()));
    EXPECT_EQ(must(read(name, turned)).out, got.out) << name;
  }
  // Comments that sops sealed are still its own after a rotation.
  auto turned = must(sops_rotate(sealed("all.yaml"), keys(), {}, now()));
  EXPECT_NE(must(read("all.yaml", turned)).out.find("# who"), std::string::npos);
}

}  // namespace
}  // namespace slipway::secret
