#include "oci/signing.h"

#include <gtest/gtest.h>

#include "base/encode.h"
#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/view.h"
#include "net/server.h"

namespace slipway::oci {
namespace {

TEST(SigningKeys, OneThatIsSealedOpensWithItsPasswordAlone) {
  auto key = must(SigningKey::generate());
  auto file = must(key.sealed("open sesame"));
  EXPECT_TRUE(file.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")) << file;
  auto again = must(SigningKey::load(file, "open sesame"));
  EXPECT_EQ(again.public_pem(), key.public_pem());
  auto refused = SigningKey::load(file, "another");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(Kind::denied));
}

TEST(SigningKeys, WhatIsNoKeyIsRefused) {
  auto sealed = [](const std::string& json) {
    return "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n" + to_base64(json) +
           "\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
  };
  for (
      auto& text :
      {std::string(), std::string("no key"), sealed("{}"), sealed("no json"),
       sealed(
           R"({"kdf":{"name":"scrypt","params":{"N":4294967296,"r":8,"p":1},"salt":"AAAA"},"cipher":{"name":"nacl/secretbox","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})")}) {
    auto key = SigningKey::load(text);
    ASSERT_FALSE(key) << text;
    EXPECT_TRUE(key.error().is(Kind::invalid)) << key.error().print();
  }
  EXPECT_FALSE(VerificationKey::load("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
}

class SigningTest : public ::testing::Test {
 protected:
  SigningTest() {
    image = push("shop/web", "1");
    keys.push_back(must(VerificationKey::load(key.public_pem())));
  }
  Digest push(const std::string& repository, const std::string& tag) {
    Manifest manifest;
    for (auto* bytes : {"{}", "layer"}) must(blobs->put(bytes));
    manifest.config = {.media_type = std::string(media::config), .digest = Digest::of("{}"), .size = 2};
    manifest.layers = {{.media_type = std::string(media::layer_tar), .digest = Digest::of("layer"), .size = 5}};
    return must(registry->put_manifest(repository, tag, manifest.media_type, print(manifest))).digest;
  }
  // "2 signatures (1 classic), 1 provenance, 1 others"
  std::string seen(ImagePlace& at, const Digest& of) {
    auto all = must(endorsements(Ctx{}, at, of, keys));
    int classic = 0, bundles = 0, statements = 0;
    for (auto& one : all.found)
      ++(one.classic ? classic : one.predicate_type == predicate::signature ? bundles : statements);
    return fmt::format("{} classic, {} bundles, {} statements, {} others", classic, bundles, statements, all.others);
  }

  TempDir dir = must(TempDir::make());
  std::unique_ptr<store::BlobStore> blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  std::unique_ptr<Registry> registry = must(Registry::open(*blobs, dir.path() / "registry.db"));
  SigningKey key = must(SigningKey::generate());
  std::vector<VerificationKey> keys;
  std::unique_ptr<ImagePlace> place = place_in(*registry, "shop/web", "registry.example/shop/web");
  Digest image;
};

TEST_F(SigningTest, BothFormatsOnce) {
  EXPECT_EQ(seen(*place, image), "0 classic, 0 bundles, 0 statements, 0 others");
  for (int i = 0; i < 2; ++i) {
    must(sign_image(Ctx{}, *place, image, key, {.created = "2026-01-01T00:00:00Z"}));
    EXPECT_EQ(seen(*place, image), "1 classic, 1 bundles, 0 statements, 0 others");
  }
  must(attest_image(Ctx{}, *place, image, predicate::provenance, doc::Map{{"builder", "x"}}, key, ""));
  EXPECT_EQ(seen(*place, image), "1 classic, 1 bundles, 1 statements, 0 others");
  auto tags = must(registry->tags("shop/web"));
  EXPECT_EQ(tags, (std::vector<std::string>{"1", fmt::format("sha256-{}.sig", image.hex())}));
  auto referrers = must(registry->referrers("shop/web", image, bundle_type));
  ASSERT_EQ(referrers.size(), 2U);
  EXPECT_EQ(referrers[0].annotations.at("dev.sigstore.bundle.content"), "dsse-envelope");
}

TEST_F(SigningTest, SeveralKeysAndAnnotations) {
  auto other = must(SigningKey::generate());
  must(sign_image(Ctx{}, *place, image, key, {.bundle = false, .annotations = {{"commit", "abc"}}}));
  must(sign_image(Ctx{}, *place, image, other, {.bundle = false}));
  EXPECT_EQ(seen(*place, image), "1 classic, 0 bundles, 0 statements, 1 others");
  auto all = must(endorsements(Ctx{}, *place, image, keys));
  EXPECT_EQ(all.found.at(0).annotations.at("commit"), "abc");
  keys.push_back(must(VerificationKey::load(other.public_pem())));
  EXPECT_EQ(seen(*place, image), "2 classic, 0 bundles, 0 statements, 0 others");
}

// Signatures that were copied from another image, changed, or made up.
TEST_F(SigningTest, AForgeryCountsForNothing) {
  must(sign_image(Ctx{}, *place, image, key, {}));
  must(attest_image(Ctx{}, *place, image, predicate::provenance, doc::Map{}, key, ""));
  Manifest other;
  must(blobs->put("other"));
  other.config = {.media_type = std::string(media::config), .digest = Digest::of("{}"), .size = 2};
  other.layers = {{.media_type = std::string(media::layer_tar), .digest = Digest::of("other"), .size = 5}};
  auto victim = must(registry->put_manifest("shop/web", "2", other.media_type, print(other))).digest;
  auto signature = must(registry->manifest("shop/web", fmt::format("sha256-{}.sig", image.hex())));
  must(registry->put_manifest("shop/web", fmt::format("sha256-{}.sig", victim.hex()), signature->descriptor.media_type,
                              signature->bytes));
  for (auto& referrer : must(registry->referrers("shop/web", image))) {
    auto manifest = must(parse_manifest(must(registry->manifest("shop/web", referrer.digest.str()))->bytes));
    manifest.subject->digest = victim, manifest.subject->size = print(other).size();
    must(registry->put_manifest("shop/web", "", manifest.media_type, print(manifest)));
  }
  EXPECT_EQ(seen(*place, victim), "0 classic, 0 bundles, 0 statements, 3 others");
}

TEST_F(SigningTest, RubbishCountsForNothing) {
  must(sign_image(Ctx{}, *place, image, key, {}));
  for (auto* bytes :
       {"", "{", "[]",
        R"({"dsseEnvelope":{"payload":"!","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"!"}]}})",
        R"({"dsseEnvelope":{"payload":"e30=","payloadType":"text/plain","signatures":[{}]}})"})
    must(registry->attach("shop/web", image, bundle_type, bundle_type, bytes));
  EXPECT_EQ(seen(*place, image), "1 classic, 1 bundles, 0 statements, 5 others");
}

TEST_F(SigningTest, AcrossTheNetwork) {
  auto server =
      must(net::Server::start({.threads = 4}, [routes = registry->routes()](const Ctx& ctx, net::Request& request) {
        return routes(ctx, request);
      }));
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto there = place_at(remote, must(parse_reference(server->address() + "/shop/web")));
  must(sign_image(Ctx{}, *there, image, key, {}));
  must(attest_image(Ctx{}, *there, image, predicate::spdx, doc::Map{{"spdxVersion", "SPDX-2.3"}}, key, ""));
  EXPECT_EQ(seen(*there, image), "1 classic, 1 bundles, 1 statements, 0 others");
  EXPECT_EQ(seen(*place, image), "1 classic, 1 bundles, 1 statements, 0 others");
}

// A registry of before 1.1: the list of referrers is a tag, which the client keeps.
TEST_F(SigningTest, WhereTheRegistryKeepsNoList) {
  auto server =
      must(net::Server::start({.threads = 4}, [routes = registry->routes()](const Ctx& ctx, net::Request& request) {
        if (request.path.contains("/referrers/")) return net::Response::json(404, "{}");
        auto response = routes(ctx, request);
        response.headers.erase("OCI-Subject");
        return response;
      }));
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto there = place_at(remote, must(parse_reference(server->address() + "/shop/web")));
  must(sign_image(Ctx{}, *there, image, key, {}));
  must(attest_image(Ctx{}, *there, image, predicate::provenance, doc::Map{}, key, ""));
  EXPECT_EQ(seen(*there, image), "1 classic, 1 bundles, 1 statements, 0 others");
  auto index = must(parse_index(must(registry->manifest("shop/web", fmt::format("sha256-{}", image.hex())))->bytes));
  EXPECT_EQ(index.manifests.size(), 2U);
  EXPECT_EQ(index.manifests[1].artifact_type, bundle_type);
}

}  // namespace
}  // namespace slipway::oci
