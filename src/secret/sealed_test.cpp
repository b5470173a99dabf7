#include "secret/sealed.h"

#include "base/encode.h"
#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::secret {
namespace {

const SealingKey& key() {
  static const SealingKey made = must(SealingKey::generate(*parse_rfc3339("2026-11-27T09:00:00Z")));
  return made;
}
std::span<const SealingKey> keys() { return {&key(), 1}; }

TEST(SealedSecret, AgreesWithTheVectors) {
  auto root = corpora();
  if (!root || !path_exists(*root / "osv/secret-vectors/sealedsecrets.json")) GTEST_SKIP() << "no corpora here";
  auto document = must(doc::parse_json(must(read_file(*root / "osv/secret-vectors/sealedsecrets.json"))));
  doc::View view(document);
  std::vector<SealingKey> all;
  for (const auto& entry : view["keys"].items())
    all.push_back(must(SealingKey::load(entry["crt"].text(), entry["key"].text())));
  int seen = 0;
  for (const auto& v : view["vectors"].items()) {
    auto plain = unseal_value(all, v["sealed_b64"].text(), v["label"].text());
    ASSERT_TRUE(plain) << plain.error().what();
    EXPECT_EQ(to_base64(plain->bytes()), v["plaintext_b64"].text());
    EXPECT_FALSE(unseal_value(all, v["sealed_b64"].text(), v["label"].text() + "x"));
    ++seen;
  }
  EXPECT_EQ(seen, 26);
}

TEST(SealedSecret, ASecretComesBackAsItWas) {
  auto secret = must(doc::parse_yaml(
      "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop, labels: {a: b}, annotations: "
      "{kubectl.kubernetes.io/last-applied-configuration: leak}}\ntype: example.org/x\ndata: {user: "
      "c2hvcA==}\nstringData: "
      "{password: open sesame, empty: ''}\n"));
  for (auto scope : {SealScope::strict, SealScope::namespace_wide, SealScope::cluster_wide}) {
    auto sealed = must(seal_secret(secret, key().certificate_pem(), scope));
    auto text = doc::print_yaml(sealed);
    EXPECT_EQ(text.find("sesame"), std::string::npos);
    EXPECT_EQ(text.find("leak"), std::string::npos);
    EXPECT_EQ(scope_of(sealed), scope);
    auto opened = must(unseal_secret(sealed, keys()));
    EXPECT_EQ(opened.str_at({"data", "password"}), to_base64("open sesame"));
    EXPECT_EQ(opened.str_at({"data", "user"}), "c2hvcA==");
    EXPECT_EQ(opened.str_at({"data", "empty"}), "");
    EXPECT_EQ(opened.str_at({"type"}), "example.org/x");
    EXPECT_EQ(opened.str_at({"metadata", "labels", "a"}), "b");
    // Elsewhere, and under another name.
    sealed["metadata"]["name"] = "other";
    EXPECT_EQ(unseal_secret(sealed, keys()).has_value(), scope != SealScope::strict);
    sealed["metadata"]["namespace"] = "other";
    EXPECT_EQ(unseal_secret(sealed, keys()).has_value(), scope == SealScope::cluster_wide);
  }
}

TEST(SealedSecret, KeysReadAsTheyAreWritten) {
  auto again = must(SealingKey::load(key().certificate_pem(), key().key_pem().bytes()));
  EXPECT_EQ(rfc3339(again.not_before()), "2026-11-27T09:00:00Z");
  auto sealed = must(seal_value(key().certificate_pem(), "x", "a/b"));
  EXPECT_EQ(must(unseal_value({&again, 1}, sealed, "a/b")).bytes(), "x");
  auto other = must(SealingKey::generate(WallTime{}));
  auto refused = unseal_value({&other, 1}, sealed, "a/b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), "none of 1 keys opens it, or it was not sealed for a/b");
  EXPECT_FALSE(SealingKey::load("x", key().key_pem().bytes()));
  EXPECT_FALSE(SealingKey::load(key().certificate_pem(), "x"));
}

TEST(SealedSecret, WhatIsNotSupportedSaysSo) {
  auto sealed =
      must(seal_secret(must(doc::parse_yaml("{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: b}}")),
                       key().certificate_pem(), SealScope::strict));
  sealed["spec"]["template"]["data"] = doc::Map{{"x", "{{ .y }}"}};
  EXPECT_EQ(unseal_secret(sealed, keys()).error().what(),
            ".spec.template.data: templates are not supported, want the values in encryptedData");
  auto nameless = must(doc::parse_yaml("{apiVersion: v1, kind: Secret, metadata: {name: a}}"));
  EXPECT_FALSE(seal_secret(nameless, key().certificate_pem(), SealScope::strict));
  EXPECT_TRUE(seal_secret(nameless, key().certificate_pem(), SealScope::cluster_wide));
}

}  // namespace
}  // namespace slipway::secret
