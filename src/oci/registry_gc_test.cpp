#include <sys/stat.h>

#include <thread>

#include "base/testing/clock.h"
#include "base/text.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

// The clock that garbage collection goes by, so many hours from now.
struct Later {
  FakeClock clock;
  Ctx ctx;
  explicit Later(int hours) {
    auto now = std::chrono::duration_cast<Millis>(std::chrono::system_clock::now() - clock.wall());
    clock.advance(now + std::chrono::hours(hours));
    ctx.clock = &clock;
  }
};

std::string show(const GcReport& r) {
  return fmt::format("{} links, {} removed ({} bytes), {} waiting, {} uploads", r.links, r.removed, r.bytes, r.waiting,
                     r.uploads);
}

TEST(Garbage, GoesWhenNothingReachesItAndItIsOld) {
  Host host;
  auto kept = host.image("shop/web", "kept"), gone = host.image("shop/web", "gone");
  host.put("shop/web", "kept", kept);
  host.put("shop/web", "gone", gone);
  auto loose = host.push_blob("shop/web", "no manifest names this");
  EXPECT_EQ(show(must(host.registry->collect_garbage(host.ctx))), "0 links, 0 removed (0 bytes), 0 waiting, 0 uploads")
      << "all of it is young";
  ASSERT_EQ(host.send("DELETE", "/v2/shop/web/manifests/" + Digest::of(gone).str()).status, 202);
  auto there = [&](const Digest& digest) { return host.blobs->contains(digest); };

  Later once(2);
  auto looked = show(must(host.registry->collect_garbage(once.ctx, {.dry_run = true})));
  EXPECT_EQ(looked, fmt::format("2 links, 1 removed ({} bytes), 2 waiting, 0 uploads", gone.size()));
  EXPECT_TRUE(there(Digest::of(gone))) << "only looked";
  EXPECT_EQ(show(must(host.registry->collect_garbage(once.ctx))), looked);
  EXPECT_FALSE(there(Digest::of(gone)));
  EXPECT_EQ(host.send("GET", "/v2/shop/web/blobs/" + loose.str()).status, 404) << "its name is gone";
  EXPECT_TRUE(there(loose)) << "its bytes wait another grace";
  Later twice(4);
  EXPECT_EQ(show(must(host.registry->collect_garbage(twice.ctx))),
            "0 links, 2 removed (26 bytes), 0 waiting, 0 uploads");
  EXPECT_FALSE(there(loose));
  EXPECT_FALSE(there(Digest::of("gone")));
  EXPECT_TRUE(there(Digest::of("{}"))) << "the other image needs it";
  EXPECT_EQ(host.send("GET", "/v2/shop/web/manifests/kept").body, kept);
  EXPECT_EQ(host.send("GET", "/v2/shop/web/blobs/" + Digest::of("kept").str()).body, "kept");
}

TEST(Garbage, NeverOfOthers) {
  Host host;
  auto others = must(host.blobs->put("a cache of somebody"));
  auto digest = host.push_blob("a", "shared with others");
  Later later(24);
  must(host.registry->collect_garbage(later.ctx));
  Later more(48);
  GcOptions options;
  options.keep = [&](const Digest& d) { return d == digest; };
  auto report = must(host.registry->collect_garbage(more.ctx, options));
  EXPECT_EQ(report.waiting, 1u);
  EXPECT_TRUE(host.blobs->contains(digest));
  EXPECT_TRUE(host.blobs->contains(others)) << "it never had a name here";
}

TEST(Garbage, ABlobOfTwoRepositoriesStays) {
  Host host;
  auto one = host.image("one", "both"), two = host.image("two", "both");
  host.put("one", "t", one), host.put("two", "t", two);
  host.send("DELETE", "/v2/one/manifests/" + Digest::of(one).str());
  for (int hours : {2, 4, 6}) must(host.registry->collect_garbage(Later(hours).ctx));
  EXPECT_EQ(host.send("GET", "/v2/one/blobs/" + Digest::of("both").str()).status, 404);
  EXPECT_EQ(host.send("GET", "/v2/two/blobs/" + Digest::of("both").str()).body, "both");
}

TEST(Garbage, LookingForABlobKeepsItForThePush) {
  Host host;
  auto old = host.push_blob("a", "pushed long ago"), asked = host.push_blob("a", "asked for");
  // Two hours ago, by the catalogue.
  must(must(store::Database::open(host.dir.path() / "registry.db", std::vector<std::string>(2, "")))
           ->exec("UPDATE blob SET at = at - 7200"));
  EXPECT_EQ(host.send("HEAD", "/v2/a/blobs/" + asked.str()).status, 200);
  EXPECT_EQ(must(host.registry->collect_garbage(host.ctx)).links, 1u);
  EXPECT_EQ(host.send("GET", "/v2/a/blobs/" + old.str()).status, 404);
  EXPECT_EQ(host.send("GET", "/v2/a/blobs/" + asked.str()).status, 200);
}

TEST(Garbage, Sha512NamesCountToo) {
  Host host;
  std::string bytes = "by another name";
  auto digest = Hasher(Hasher::Algorithm::sha512).update(bytes).finish();
  host.send("POST", "/v2/a/blobs/uploads/?digest=" + digest.str(), bytes);
  host.push_blob("a", "{}");
  auto manifest = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},"layers":[{{"mediaType":"{}","digest":"{}","size":{}}}]}})",
      media::manifest, media::config, Digest::of("{}").str(), media::layer_tar, digest.str(), bytes.size());
  ASSERT_EQ(host.put("a", "t", manifest).status, 201);
  for (int hours : {2, 4}) must(host.registry->collect_garbage(Later(hours).ctx));
  EXPECT_EQ(host.send("GET", "/v2/a/blobs/" + digest.str()).body, bytes);
  host.send("DELETE", "/v2/a/manifests/" + Digest::of(manifest).str());
  for (int hours : {6, 8}) must(host.registry->collect_garbage(Later(hours).ctx));
  EXPECT_EQ(host.send("GET", "/v2/a/blobs/" + digest.str()).status, 404);
  EXPECT_FALSE(host.blobs->contains(Digest::of(bytes)));
}

TEST(Garbage, GivesUpOldUploads) {
  Host host;
  auto at = std::string(host.send("POST", "/v2/a/blobs/uploads/").headers.get_or("location", ""));
  host.send("PATCH", at, "some of it");
  EXPECT_EQ(must(host.registry->collect_garbage(Later(23).ctx)).uploads, 0u);
  EXPECT_EQ(must(host.registry->collect_garbage(Later(25).ctx, {.dry_run = true})).uploads, 1u);
  EXPECT_EQ(must(host.registry->collect_garbage(Later(25).ctx)).uploads, 1u);
  EXPECT_EQ(code_of(host.send("PATCH", at, "more")), "404 BLOB_UPLOAD_UNKNOWN");
  EXPECT_TRUE(must(list_dir(host.dir.path() / "registry.db-uploads")).empty());
}

// Eight push images whose layers others have just deleted, with a grace of a second: what was acknowledged can be read.
TEST(Garbage, SLOW_CollectsWhileOthersPush) {
  Host host;
  std::atomic<bool> stop = false;
  std::atomic<int> pushed = 0, lost = 0, collected = 0;
  std::thread collector([&] {
    while (!stop) {
      auto report = host.registry->collect_garbage(host.ctx, {.grace = Millis(1000)});
      if (report) collected += static_cast<int>(report->removed);
    }
  });
  auto push = [&](int who) {
    for (int round = 0; round < 40; ++round) {
      auto repository = fmt::format("r{}", who);
      auto layer = fmt::format("layer {} of everybody", round % 10);  // the same bytes in every repository
      auto bytes = host.image(repository, layer, fmt::format(R"(,"annotations":{{"who":"{}-{}"}})", who, round));
      auto put = host.put(repository, "t", bytes);
      if (put.status != 201) continue;  // a blob went before its manifest came: the client is told, and pushes again
      ++pushed;
      auto got = host.send("GET", fmt::format("/v2/{}/manifests/t", repository)).body;
      auto blob = host.send("GET", fmt::format("/v2/{}/blobs/{}", repository, Digest::of(layer).str()));
      if (got != bytes || blob.body != layer) ++lost;
      host.send("DELETE", fmt::format("/v2/{}/manifests/{}", repository, Digest::of(bytes).str()));
    }
  };
  std::vector<std::thread> people;
  for (int who = 0; who < 8; ++who) people.emplace_back(push, who);
  for (auto& person : people) person.join();
  stop = true;
  collector.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GT(pushed, 0);
  EXPECT_GT(collected, 0);
}

struct Kept {
  const char* name;
  const char* rule;
  const char* want;  // tags that stay
};
class Retention : public testing::TestWithParam<Kept> {};
TEST_P(Retention, Keeps) {
  auto rules = std::make_shared<const RegistryRules>(
      must(parse_registry_rules(fmt::format("keep:\n- {{repositories: a, {}}}\nimmutable:\n- {{repositories: a, tags: "
                                            "fixed}}",
                                            GetParam().rule),
                                "settings")));
  Host host({.sign_in = {}, .rules = [rules] { return rules; }, .token_key_pem = {}, .pushed = {}});
  // v1 is the oldest; each tag an hour younger than the one before.
  std::map<std::string, Digest> of;
  int age = 6;
  auto db = must(store::Database::open(host.dir.path() / "registry.db", std::vector<std::string>(2, "")));
  for (std::string tag : {"v1", "fixed", "b", "c", "d", "used"}) {
    auto bytes = host.image("a", "layer of " + tag);
    ASSERT_EQ(host.put("a", tag, bytes).status, 201);
    of[tag] = Digest::of(bytes);
    must(db->exec(fmt::format("UPDATE tag SET pushed = pushed - {} WHERE tag = '{}'", 3600 * age--, tag)));
  }
  EXPECT_EQ(host.send("GET", "/v2/a/manifests/b").status, 200);  // pulled just now
  ExpireOptions options;
  options.in_use = [&](std::string_view, const Digest& digest) { return digest == of["used"]; };
  options.dry_run = true;
  auto looked = must(host.registry->expire(host.ctx, options));
  EXPECT_EQ(must(host.registry->tags("a")).size(), 6u);
  options.dry_run = false;
  EXPECT_EQ(must(host.registry->expire(host.ctx, options)).size(), looked.size());
  auto left = must(host.registry->tags("a"));
  EXPECT_EQ(join(left, " "), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Table, Retention,
                         testing::ValuesIn(std::to_array<Kept>({
                             {"Patterns", "tags: 'v*'", "fixed used v1"},
                             {"Newest", "newest: 2", "d fixed used"},
                             {"NewestBesidePatterns", "tags: 'v*', newest: 3", "c d fixed used v1"},
                             {"PushedWithin", "pushedWithin: 2h30m", "d fixed used"},
                             {"PulledWithin", "pulledWithin: 1h", "b fixed used"},
                             {"UntaggedAlone", "untagged: 0s", "b c d fixed used v1"},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST(RetentionOfManifests, WithoutATagGoUnlessSomethingHoldsThem) {
  auto rules = std::make_shared<const RegistryRules>(
      must(parse_registry_rules("keep:\n- {repositories: a, untagged: 1h}", "s")));
  Host host({.sign_in = {}, .rules = [rules] { return rules; }, .token_key_pem = {}, .pushed = {}});
  auto put = [&](const std::string& layer, const std::string& extra = {}) {
    auto bytes = host.image("a", layer, extra);
    EXPECT_EQ(host.put("a", Digest::of(bytes).str(), bytes).status, 201);
    return Digest::of(bytes);
  };
  auto subject = [](const Digest& digest) {
    return fmt::format(R"(,"subject":{{"mediaType":"{}","digest":"{}","size":1}})", media::manifest, digest.str());
  };
  auto child = put("of an index"), loose = put("loose");
  auto index =
      fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":3}}]}})",
                  media::index, media::manifest, child.str());
  ASSERT_EQ(host.put("a", "multi", index, media::index).status, 201);
  auto sbom = put("sbom", subject(child)), signature = put("signature of the sbom", subject(sbom)),
       about_loose = put("about loose", subject(loose));
  EXPECT_TRUE(must(host.registry->expire(host.ctx)).empty()) << "all of it is young";
  must(host.registry->expire(Later(2).ctx));
  auto there = [&](const Digest& digest) { return must(host.registry->manifest("a", digest.str())).has_value(); };
  EXPECT_TRUE(there(child) && there(sbom) && there(signature));
  EXPECT_FALSE(there(loose) || there(about_loose));
}

}  // namespace
}  // namespace slipway::oci
