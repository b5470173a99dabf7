#include "path/image_policy.h"

#include "base/testing/golden.h"
#include "doc/yaml.h"

namespace slipway::path {
namespace {

struct Case {
  const char* name;
  const char* spec;
  const char* want;  // what was read, or a part of the error
};
class Policies : public testing::TestWithParam<Case> {};
TEST_P(Policies, Say) {
  auto text = fmt::format("metadata: {{name: p}}\nspec: {}\n", GetParam().spec);
  auto value = must(doc::parse_yaml(text, {.source = "policy.yaml"}));
  auto read = image_policy_from(doc::View(value, "policy.yaml"));
  std::string got = read ? "" : read.error().what();
  if (read) {
    got = fmt::format("{} keys, house {}, {}", read->keys.size(), read->house, read->enforce ? "enforce" : "warn");
    for (const auto& one : read->identities) got += fmt::format(", {} by {}", one.subject, one.issuer);
  }
  EXPECT_NE(got.find(GetParam().want), std::string::npos) << got;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Policies,
    testing::ValuesIn(std::to_array<Case>({
        {"OfTheHouse", "{images: ['shop/*'], house: true}", "0 keys, house true, enforce"},
        {"OfKeys", "{images: ['shop/*'], keys: [a, b], mode: warn}", "2 keys, house false, warn"},
        {"Keyless",
         "{images: ['**'], keyless: {trustedRoot: '{}', identities: [{subject: me@x, issuer: 'https://i'}]}}",
         "0 keys, house false, enforce, me@x by https://i"},
        {"OfNobody", "{images: ['shop/*']}", ".spec.keys: want public keys (PEM), keyless identities, or house: true"},
        {"OfNothing", "{house: true}", ".spec.images: want patterns"},
        {"KeylessOfNobody", "{images: ['**'], keyless: {trustedRoot: '{}'}}", ".spec.keyless.identities: want a list"},
        {"KeylessWithoutRoot", "{images: ['**'], keyless: {identities: [{subject: a, issuer: b}]}}",
         ".spec.keyless.trustedRoot"},
        {"KeylessOfAnyIssuer", "{images: ['**'], keyless: {trustedRoot: '{}', identities: [{subject: a}]}}",
         ".spec.keyless.identities[0].issuer"},
        {"UnknownField", "{images: ['**'], house: true, key: a}", "key"},
        {"OtherMode", "{images: ['**'], house: true, mode: other}", "want enforce or warn"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(ImagePolicy, CoversByNameAndNamespace) {
  ImagePolicy policy{.name = "p", .namespaces = {"prod-*"}, .images = {"registry.test/shop/*"}};
  EXPECT_TRUE(policy.covers("prod-eu", "registry.test/shop/web"));
  EXPECT_FALSE(policy.covers("dev", "registry.test/shop/web"));
  EXPECT_FALSE(policy.covers("prod-eu", "registry.test/shop/web/inner")) << "a star stays within its segment";
}

}  // namespace
}  // namespace slipway::path
