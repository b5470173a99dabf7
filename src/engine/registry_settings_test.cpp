#include "engine/registry_settings.h"

#include "base/text.h"
#include "engine/testing.h"

namespace slipway::engine {
namespace {

struct RegistrySettingsTest : HouseTest {
  RegistrySettings settings;

  void SetUp() override {
    HouseTest::SetUp();
    house.users = must(Users::open(dir.path()));
    house.blobs = must(store::BlobStore::open(dir.path() / "blobs"));
    house.registry = must(oci::Registry::open(*house.blobs, dir.path() / "registry.db", must(registry_options(house))));
  }
  void write(const std::string& text) {
    doc::Value map = doc::Map{{"apiVersion", "v1"},
                              {"kind", "ConfigMap"},
                              {"metadata", doc::Map{{"name", "registry"}, {"namespace", home}}},
                              {"data", doc::Map{{"settings.yaml", text}}}};
    must(house.client->apply(ctx, map, {.field_manager = "test", .force = true}));
  }
  Digest push(const std::string& repository, const std::string& tag) {
    oci::Manifest manifest;
    manifest.config = {std::string(oci::media::empty), must(house.blobs->put("{}")), 2};
    manifest.annotations["of"] = repository + tag;
    return must(house.registry->put_manifest(repository, tag, oci::media::manifest, oci::print(manifest))).digest;
  }
};

TEST_F(RegistrySettingsTest, AreReadFromTheConfigMap) {
  EXPECT_FALSE(settings.rules(nullptr)) << "before there is an API";
  EXPECT_TRUE(settings.rules(house.client.get())->may({}, "a", "pull")) << "without a ConfigMap";
  write("anonymousPulls: false\n");
  EXPECT_FALSE(must(read_registry_rules(ctx, *house.client)).may({}, "a", "pull"));
  write("rights: 3\n");
  auto wrong = read_registry_rules(ctx, *house.client);
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().what().starts_with("ConfigMap slipway-system/registry: settings.yaml:1:9"))
      << wrong.error().what();
  RegistrySettings fresh;
  auto closed = fresh.rules(house.client.get());
  EXPECT_FALSE(closed->may({"ada", {}}, "a", "pull")) << "what cannot be read opens nothing";
  EXPECT_TRUE(closed->may({"root", {"system:masters"}}, "a", "push"));
}

// What commands beside a house go by, whether it runs or not.
TEST_F(RegistrySettingsTest, LieInTheDataDirectory) {
  auto data = dir.path() / "beside";
  must(make_dirs(data));
  EXPECT_FALSE(must(stored_registry_rules(data)).is_immutable("shop/web", "v1")) << "no database, no rules";
  auto write_there = [&](const std::string& text) {
    auto api = must(cluster::ApiServer::open({.database = data / "cluster.db", .namespaces = {home}}));
    doc::Value map = doc::Map{{"apiVersion", "v1"},
                              {"kind", "ConfigMap"},
                              {"metadata", doc::Map{{"name", "registry"}, {"namespace", home}}},
                              {"data", doc::Map{{"settings.yaml", text}}}};
    must(api->client("test")->apply(ctx, map, {.field_manager = "test", .force = true}));
    if (text.empty()) return;
    EXPECT_TRUE(must(stored_registry_rules(data)).is_immutable("shop/web", "v1")) << "while it runs";
  };
  write_there("immutable:\n- {repositories: 'shop/*', tags: 'v*'}\n");
  EXPECT_TRUE(must(stored_registry_rules(data)).is_immutable("shop/web", "v1")) << "when it has stopped";
  write_there("");
  EXPECT_FALSE(must(stored_registry_rules(data)).is_immutable("shop/web", "v1"));
  EXPECT_TRUE(closed_registry().is_immutable("any/where", "latest"));
}

TEST_F(RegistrySettingsTest, WrongOnesAreNotWritten) {
  auto object = [](const char* name, const char* ns, const char* text) {
    return doc::Value(doc::Map{{"apiVersion", "v1"},
                               {"kind", "ConfigMap"},
                               {"metadata", doc::Map{{"name", name}, {"namespace", ns}}},
                               {"data", doc::Map{{"settings.yaml", text}}}});
  };
  EXPECT_TRUE(check_registry_settings(object("registry", "slipway-system", "keep:\n- {repositories: a, newest: 1}\n")));
  EXPECT_FALSE(check_registry_settings(object("registry", "slipway-system", "keep: 1\n")));
  EXPECT_TRUE(check_registry_settings(object("registry", "default", "keep: 1\n"))) << "somebody else's";
  EXPECT_TRUE(check_registry_settings(object("other", "slipway-system", "keep: 1\n")));
}

TEST_F(RegistrySettingsTest, WhatWorkloadsNameIsInUse) {
  auto by_tag = push("shop/web", "v1"), by_digest = push("shop/api", "v1"),
       pulled = push("docker.io/library/debian", "12"), unused = push("shop/web", "v0");
  std::vector<std::string> images{"registry.slipway.local/shop/web:v1",
                                  "registry.slipway.local/shop/api@" + by_digest.str(), "debian:12", "no such image!"};
  doc::List containers;
  for (const auto& image : images)
    containers.emplace_back(doc::Map{{"name", fmt::format("c{}", containers.size())}, {"image", image}});
  doc::Value deployment =
      doc::Map{{"apiVersion", "apps/v1"},
               {"kind", "Deployment"},
               {"metadata", doc::Map{{"name", "web"}, {"namespace", "default"}}},
               {"spec", doc::Map{{"replicas", 0},
                                 {"selector", doc::Map{{"matchLabels", doc::Map{{"app", "web"}}}}},
                                 {"template", doc::Map{{"metadata", doc::Map{{"labels", doc::Map{{"app", "web"}}}}},
                                                       {"spec", doc::Map{{"containers", containers}}}}}}}};
  must(house.client->apply(ctx, deployment, {.field_manager = "test", .force = true}));
  auto used = must(digests_in_use(ctx, *house.client, *house.registry, {"registry.slipway.local"}));
  for (const auto& digest : {by_tag, by_digest, pulled}) EXPECT_TRUE(used.contains(digest.str()));
  EXPECT_FALSE(used.contains(unused.str()));
}

}  // namespace
}  // namespace slipway::engine
