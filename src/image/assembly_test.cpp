// What a build is beside its image: platforms, attestations, caches that travel, compression.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guarded.h"
#include "base/process.h"
#include "doc/json.h"
#include "doc/view.h"
#include "image/detail/emulation.h"
#include "image/testing/house.h"
#include "net/server.h"

namespace slipway::image {
namespace {

oci::Index index_of(House& house, const path::BuildResult& built) {
  auto stored = must(house.registry->manifest("shop/web", built.digest.str()));
  return must(oci::parse_index(stored->bytes));
}

TEST(Assembly, SeveralPlatformsAreAnIndex) {
  House house;
  auto r = house.request(
      "FROM scratch\nARG TARGETARCH TARGETPLATFORM\nENV ARCH=$TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n");
  r.platform = "linux/amd64,linux/arm64/v8";
  auto built = must(house.build(r));
  EXPECT_EQ(built.media_type, oci::media::index);
  auto index = index_of(house, built);
  ASSERT_EQ(index.manifests.size(), 2u);
  for (const auto& d : index.manifests) {
    auto image = must(house.registry->image("shop/web", built.digest.str(), *d.platform));
    EXPECT_EQ(image.digest, d.digest);
    EXPECT_EQ(image.config.platform.print(), d.platform->print());
    EXPECT_EQ(image.config.env.back(), "ARCH=" + d.platform->architecture);
    EXPECT_EQ(built.images.at(d.platform->print()), d.digest);
  }
  EXPECT_EQ(must(house.registry->manifest("shop/web", "t"))->descriptor.digest, built.digest);
}

// A server of one address: a tar whose newest entry is of second 1700000602, or a file that was changed a second later.
net::Handler source_of(std::string body) {
  return [body = std::move(body)](const Ctx&, net::Request&) {
    auto response = net::Response::text(200, body);
    response.headers.set("Last-Modified", "Tue, 14 Nov 2023 22:23:23 GMT");
    return response;
  };
}

struct EpochCase {
  const char* name;
  const char* dockerfile;  // {0}: the server's address
  bool archive, context;
  const char* want;  // the image's time, or part of the error
};
void PrintTo(const EpochCase& c, std::ostream* out) { *out << c.name; }
class EpochByName : public testing::TestWithParam<EpochCase> {};
TEST_P(EpochByName, IsTheSourcesTime) {
  House house;
  auto tar = house.dir.path() / "tar";
  must(make_dirs(tar)), must(write_file(tar / "foo", "bar"));
  must(run_ok(house.ctx,
              {.argv = {"tar", "--mtime=@1700000602", "-C", tar.native(), "-cf", tar.native() + ".tar", "foo"}}));
  auto server =
      must(net::Server::start({}, source_of(GetParam().archive ? must(read_file(tar.native() + ".tar")) : "x")));
  auto url = "http://" + server->address() + "/src.tar";
  auto r = house.request(fmt::format(fmt::runtime(GetParam().dockerfile), url));
  if (GetParam().context) r.context_urls["mysource"] = url;
  auto done = house.build(r);
  std::string want = GetParam().want;
  if (want.starts_with("error: ")) {
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().print().find(want.substr(7)), std::string::npos) << done.error().print();
    return;
  }
  ASSERT_TRUE(done) << done.error().print();
  EXPECT_EQ(house.image().config.created, want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, EpochByName,
    testing::Values(
        EpochCase{
            "ArchiveOfAStage",
            "ARG SOURCE_DATE_EPOCH=mysource\nFROM scratch AS mysource\nADD {0} /\nFROM scratch\nCOPY Dockerfile /\n",
            true, false, "2023-11-14T22:23:22Z"},
        EpochCase{"ArchiveOfAContext", "ARG SOURCE_DATE_EPOCH=mysource\nFROM scratch\nCOPY --from=mysource src.tar /\n",
                  true, true, "2023-11-14T22:23:22Z"},
        EpochCase{"FileOfAContext", "ARG SOURCE_DATE_EPOCH=mysource\nFROM scratch\nCOPY Dockerfile /\n", false, true,
                  "2023-11-14T22:23:23Z"},
        EpochCase{"Folder", "ARG SOURCE_DATE_EPOCH=context\nFROM scratch\nCOPY Dockerfile /\n", false, false,
                  "1980-01-02T00:00:00Z"},
        EpochCase{"AnotherStage",
                  "ARG SOURCE_DATE_EPOCH=mysource\nFROM scratch AS mysource\nCOPY Dockerfile /\nFROM scratch\n", false,
                  false, "error: Dockerfile:2:1: SOURCE_DATE_EPOCH=mysource: want a stage FROM scratch with one ADD"},
        EpochCase{"Nothing", "ARG SOURCE_DATE_EPOCH=yesterday\nFROM scratch\nCOPY Dockerfile /\n", false, false,
                  "error: SOURCE_DATE_EPOCH \"yesterday\": want seconds since 1970"}),
    [](const auto& i) { return i.param.name; });

TEST(Assembly, AContextMayBeOneFileOfAServer) {
  House house;
  auto server = must(net::Server::start({}, source_of("content")));
  auto r = house.request("FROM scratch\nCOPY --from=far data.txt /\n");
  r.context_urls["far"] = "http://" + server->address() + "/some/data.txt";
  auto done = house.build(r);
  ASSERT_TRUE(done) << done.error().print();
  EXPECT_EQ(house.tree(), "/data.txt 600 content");
}

TEST(Assembly, AnnotationsStandWhereTheyAreAsked) {
  House house;
  auto r = house.request("FROM scratch\nCOPY Dockerfile /\n");
  r.annotations = {{"org.example.a", "of the manifest"}};
  r.index_annotations = {{"org.example.a", "of the index"}};
  r.platform = "linux/amd64,linux/arm64";
  auto index = index_of(house, must(house.build(r)));
  EXPECT_EQ(index.annotations.at("org.example.a"), "of the index");
  auto image = must(house.registry->image("shop/web", index.manifests.at(0).digest.str()));
  EXPECT_EQ(image.manifest.annotations.at("org.example.a"), "of the manifest");
}

TEST(Assembly, AnotherPlatformsProgramsNeedAnEmulator) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  auto r = house.request(
      "FROM --platform=$BUILDPLATFORM base/busybox:1 AS build\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n"
      "FROM scratch\nCOPY --from=build /arch /\n");
  r.platform = "linux/s390x";
  must(house.build(r));  // cross-compiled: nothing of the other platform runs
  EXPECT_EQ(must(house.registry->image("shop/web", "t", {.architecture = "s390x"})).config.platform.architecture,
            "s390x");
  r = house.request("FROM scratch\nCOPY Dockerfile /\nRUN [\"/x\"]\n");
  r.platform = "linux/s390x";
  auto refused = house.build(r);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().print().find("Dockerfile:3:1: RUN for linux/s390x on linux/"), std::string::npos)
      << refused.error().print();
  EXPECT_NE(refused.error().print().find("hint: install qemu-user-static"), std::string::npos);
}

TEST(Assembly, KnowsTheKernelsHandlers) {
  auto dir = must(TempDir::make("binfmt"));
  auto handler = [&](const char* flags) {
    must(write_file(dir.path() / "whatever",
                    fmt::format("enabled\ninterpreter /usr/bin/qemu\nflags: {}\noffset 0\nmagic "
                                "7f454c460201010000000000000000000200b700\nmask "
                                "ffffffffffffff00fffffffffffffffffeffffff\n",
                                flags)));
  };
  oci::Platform amd{.architecture = "amd64"}, arm{.architecture = "arm64"}, i386{.architecture = "386"};
  EXPECT_FALSE(detail::can_run(arm, amd, dir.path()));
  handler("F");
  EXPECT_TRUE(detail::can_run(arm, amd, dir.path()));
  handler("OC");
  EXPECT_NE(detail::can_run(arm, amd, dir.path()).error().what().find("lacks the flag F"), std::string::npos);
  EXPECT_TRUE(detail::can_run(i386, amd, dir.path()));
  EXPECT_TRUE(detail::can_run(arm, arm, dir.path()));
  EXPECT_FALSE(detail::can_run({.architecture = "vax"}, amd, dir.path()));
}

TEST(Assembly, ProvenanceStandsInTheIndex) {
  std::set<std::string> digests;
  for (int n = 0; n < 2; ++n) {
    House house;
    auto r = house.request("FROM scratch\nARG TOKEN\nCOPY Dockerfile /\n");
    r.provenance = "max";
    r.args["TOKEN"] = "x";
    r.secrets["key"] = "s3cret";
    auto built = must(house.build(r));
    digests.insert(built.digest.str());
    auto index = index_of(house, built);
    ASSERT_EQ(index.manifests.size(), 2u);
    const auto& image = index.manifests[0];
    const auto& statement = index.manifests[1];
    EXPECT_EQ(statement.platform->print(), "unknown/unknown");
    EXPECT_EQ(statement.annotations.at("vnd.docker.reference.type"), "attestation-manifest");
    EXPECT_EQ(statement.annotations.at("vnd.docker.reference.digest"), image.digest.str());
    auto manifest =
        must(oci::parse_manifest(must(house.registry->manifest("shop/web", statement.digest.str()))->bytes));
    EXPECT_EQ(manifest.artifact_type, "application/vnd.docker.attestation.manifest.v1+json");
    EXPECT_EQ(manifest.subject->digest, image.digest);
    ASSERT_EQ(manifest.layers.size(), 1u);
    EXPECT_EQ(manifest.layers[0].annotations.at("in-toto.io/predicate-type"), "https://slsa.dev/provenance/v1");
    auto text = must(house.blobs->read(manifest.layers[0].digest, 1 << 20));
    auto document = must(doc::parse_json(text));
    doc::View v(document);
    EXPECT_EQ(v["subject"][0]["digest"]["sha256"].text(), image.digest.hex());
    auto asked = v["predicate"]["buildDefinition"]["externalParameters"]["request"];
    EXPECT_EQ(asked["args"]["TOKEN"].text(), "x");
    EXPECT_EQ(asked["secrets"][0]["id"].text(), "key");
    EXPECT_EQ(text.find("s3cret"), std::string::npos);
    EXPECT_EQ(house.tree().substr(0, 16), "/Dockerfile 644 ");  // a tag of an index still is the image
  }
  EXPECT_EQ(digests.size(), 1u);
}

struct CacheCase {
  const char* name;
  bool all_stages;
};
class TravellingCache : public testing::TestWithParam<CacheCase> {};
// Another machine, without a runtime: whatever were to run would fail.
TEST_P(TravellingCache, AnswersElsewhere) {
  House here(House::With::runtime);
  NEEDS_RUNTIME(here);
  here.base();
  here.file("src", "1");
  auto text =
      "FROM base/busybox:1 AS build\nCOPY src /src\nRUN cat /src > /built\nFROM base/busybox:1\nCOPY --from=build "
      "/built "
      "/app\nRUN cat /app > /ran\n";
  auto r = here.request(text);
  auto folder = (here.dir.path() / "cache").native();
  r.cache_to = {{.type = "local", .where = folder, .all_stages = GetParam().all_stages}};
  auto first = must(here.build(r));
  House there;
  there.base();
  there.file("src", "1");
  auto again = there.request(text);
  again.cache_from = {{.type = "local", .where = folder}};
  auto second = there.build(again);
  ASSERT_TRUE(second) << second.error().print() << there.log;
  EXPECT_EQ(second->digest, first.digest);
  EXPECT_EQ(second->cached, second->steps) << there.log;
  EXPECT_EQ(there.tree(), here.tree());
}
INSTANTIATE_TEST_SUITE_P(Table, TravellingCache, testing::Values(CacheCase{"Min", false}, CacheCase{"Max", true}),
                         [](const auto& i) { return i.param.name; });

// What a cache knows without its files is done again when they are needed.
TEST(Assembly, ACacheWithoutFilesCostsOnlyTime) {
  House here(House::With::runtime), there(House::With::runtime);
  NEEDS_RUNTIME(here);
  for (auto* house : {&here, &there}) house->base();
  std::string text =
      "FROM base/busybox:1 AS build\nRUN echo built > /built\nFROM base/busybox:1\nCOPY --from=build /built /app\n";
  auto folder = (here.dir.path() / "cache").native();
  auto r = here.request(text);
  r.cache_to = {{.type = "local", .where = folder}};
  must(here.build(r));
  auto again = there.request(text + "COPY --from=build /built /other\n");
  again.cache_from = {{.type = "local", .where = folder}};
  auto built = there.build(again);
  ASSERT_TRUE(built) << built.error().print();
  EXPECT_EQ(there.tree(), "/app 644 built\n/other 644 built");
  EXPECT_NE(there.log.find("doing it again"), std::string::npos) << there.log;
}

// Counts which blobs are asked for.
net::Handler watched(net::Handler handler, Guarded<std::set<std::string>>& asked) {
  return [handler = std::move(handler), &asked](const Ctx& ctx, net::Request& request) {
    auto blob = request.path.find("/blobs/sha256:");
    if (request.method == "GET" && blob != std::string::npos) asked.lock()->insert(request.path.substr(blob + 7));
    return handler(ctx, request);
  };
}

// Gives the house a builder that asks other registries.
void ask_others(House& house, oci::Remote& remote) {
  house.base();
  house.builder.reset();
  house.builder = make_builder({.registry = house.registry.get(),
                                .layers = house.layers.get(),
                                .runtime = house.runtime.get(),
                                .remote = &remote,
                                .root = house.dir.path() / "build"});
}

// Of a cache at a registry only those layers come that the image holds, or that a step works on.
TEST(Assembly, ALayerOfACacheComesWhenItsBytesAreNeeded) {
  House here(House::With::runtime), other;
  NEEDS_RUNTIME(here);
  Guarded<std::set<std::string>> asked;
  auto server = must(net::Server::start({}, watched(other.registry->routes(), asked)));
  oci::Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto name = server->address() + "/team/cache:main";
  ask_others(here, remote);
  std::string text =
      "FROM base/busybox:1 AS build\nRUN echo 1 > /one\nRUN echo 2 > /two\nFROM base/busybox:1\n"
      "COPY --from=build /one /app\n";
  auto r = here.request(text);
  r.cache_to.push_back({.type = "registry", .where = name, .all_stages = true});
  auto first = must(here.build(r));
  auto layers = must(other.registry->image("team/cache", "main")).manifest.layers;
  ASSERT_EQ(layers.size(), 3u);

  House there(House::With::runtime);
  ask_others(there, remote);
  asked.lock()->clear();
  auto again = there.request(text);
  again.cache_from = r.cache_to;
  again.cache_to.push_back({.type = "registry", .where = server->address() + "/team/cache:next", .all_stages = true});
  auto second = there.build(again);
  ASSERT_TRUE(second) << second.error().print() << there.log;
  EXPECT_EQ(second->digest, first.digest);
  EXPECT_EQ(second->cached, 3) << there.log;
  auto image = there.image();
  EXPECT_EQ(*asked.lock(), std::set<std::string>{image.manifest.layers.back().digest.str()});
  // What was never fetched is part of the cache that goes on.
  EXPECT_EQ(must(other.registry->image("team/cache", "next")).manifest.layers.size(), 3u);

  asked.lock()->clear();
  auto changed = there.request(text + "COPY --from=build /two /other\n");
  changed.cache_from = r.cache_to;
  auto third = there.build(changed);
  ASSERT_TRUE(third) << third.error().print() << there.log;
  EXPECT_EQ(third->cached, 3) << there.log;
  EXPECT_EQ(there.tree(), "/app 644 1\n/other 644 2");
  EXPECT_EQ(asked.lock()->size(), 2u);
}

// A registry that shows a cache and then does not give its layers costs time, and no build.
TEST(Assembly, ACacheThatKeepsItsLayersToItselfCostsOnlyTime) {
  House here(House::With::runtime), other;
  NEEDS_RUNTIME(here);
  std::atomic<bool> gives = true;
  auto routes = other.registry->routes();
  auto server = must(net::Server::start({}, [&](const Ctx& ctx, net::Request& request) {
    if (!gives && request.method == "GET" && request.path.contains("/blobs/")) {
      net::Response none;
      none.status = 404;
      return none;
    }
    return routes(ctx, request);
  }));
  oci::Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto name = server->address() + "/team/cache:main";
  ask_others(here, remote);
  auto r = here.request("FROM base/busybox:1\nRUN echo 1 > /one\nRUN echo 2 > /two\n");
  r.cache_to = {{.type = "registry", .where = name}};
  auto first = must(here.build(r));
  gives = false;
  House there(House::With::runtime);
  ask_others(there, remote);
  auto again = there.request("FROM base/busybox:1\nRUN echo 1 > /one\nRUN echo 2 > /two\n");
  again.cache_from = r.cache_to;
  auto second = there.build(again);
  ASSERT_TRUE(second) << second.error().print() << there.log;
  EXPECT_EQ(second->digest, first.digest);
  EXPECT_NE(there.log.find("doing it again"), std::string::npos) << there.log;
}

TEST(Assembly, ACacheIsKeptAtARegistry) {
  House here(House::With::runtime), other;
  NEEDS_RUNTIME(here);
  here.base();
  auto server = must(net::Server::start({}, other.registry->routes()));
  oci::Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto with_remote = [&](House& house) {
    house.builder.reset();
    house.builder = make_builder({.registry = house.registry.get(),
                                  .layers = house.layers.get(),
                                  .runtime = house.runtime.get(),
                                  .remote = &remote,
                                  .root = house.dir.path() / "build"});
  };
  with_remote(here);
  auto name = server->address() + "/team/cache:main";
  std::string text = "FROM base/busybox:1\nRUN echo 1 > /o\n";
  auto r = here.request(text);
  r.cache_from = r.cache_to = {{.type = "registry", .where = name}};  // not there yet: no build fails for that
  auto first = must(here.build(r));
  House there;
  there.base();
  with_remote(there);
  auto again = there.request(text);
  again.cache_from = {{.type = "registry", .where = name}};
  auto second = there.build(again);
  ASSERT_TRUE(second) << second.error().print() << there.log;
  EXPECT_EQ(second->digest, first.digest);
}

TEST(Assembly, ACacheTravelsWithinTheImage) {
  House here(House::With::runtime);
  NEEDS_RUNTIME(here);
  here.base();
  std::string text = "FROM base/busybox:1\nRUN echo 1 > /o\n";
  auto r = here.request(text);
  r.cache_to = {{.type = "inline", .where = {}}};
  must(here.build(r));
  here.builder.reset();  // the builder forgets everything, the registry keeps the image
  must(remove_tree(here.dir.path() / "build"));
  here.builder =
      make_builder({.registry = here.registry.get(), .layers = here.layers.get(), .root = here.dir.path() / "build"});
  auto again = here.request(text);
  again.cache_from = {{.type = "registry", .where = "shop/web:t"}};
  auto second = here.build(again);
  ASSERT_TRUE(second) << second.error().print() << here.log;
  EXPECT_EQ(second->cached, 1);
}

TEST(Assembly, LayersAreCompressedAsAsked) {
  House house;
  house.file("big", std::string(3'000'000, 'x'));
  std::map<std::string, oci::Registry::Image> images;
  for (const char* how : {"gzip", "zstd", "none", "gzip"}) {
    auto r = house.request("FROM scratch\nCOPY big /\n");
    r.compression = how;
    must(house.build(r));
    auto image = house.image();
    EXPECT_EQ(image.manifest.layers.at(0).media_type,
              std::string(oci::media::layer_tar) + (how == std::string("none") ? "" : std::string("+") + how));
    if (images.contains(how)) {
      EXPECT_EQ(images[how].digest, image.digest);
    }
    images[how] = image;
    EXPECT_EQ(house.tree().substr(0, 9), "/big 644 ");
  }
  EXPECT_EQ(images["gzip"].config.diff_ids, images["zstd"].config.diff_ids);
  auto r = house.request("FROM scratch\nCOPY big /\n");
  r.compression = "lzma";
  EXPECT_EQ(house.build(r).error().what(), "compression \"lzma\": want gzip, zstd or none");
}

TEST(Assembly, StagesAreDoneAgainByName) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  auto r = house.request(
      "FROM base/busybox:1 AS one\nRUN echo 1 > /o\nFROM base/busybox:1\nCOPY --from=one /o /\nRUN echo 2 > /p\n");
  must(house.build(r));
  EXPECT_EQ(must(house.build(r)).cached, 3);
  r.no_cache_stages = {"one"};
  EXPECT_EQ(must(house.build(r)).cached, 2);
}

TEST(Assembly, StepsAreTold) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  std::vector<std::string> told;
  auto r = house.request("FROM base/busybox:1\nRUN echo 1 > /o\nRUN exit 1\n");
  r.on_step = [&](const path::BuildStep& step) {
    told.push_back(fmt::format("{} {}", static_cast<int>(step.state), step.name));
  };
  EXPECT_FALSE(house.build(r));
  EXPECT_EQ(told, (std::vector<std::string>{"0 [stage-0 2/3] RUN echo 1 > /o", "1 [stage-0 2/3] RUN echo 1 > /o",
                                            "0 [stage-0 3/3] RUN exit 1", "3 [stage-0 3/3] RUN exit 1"}));
}

}  // namespace
}  // namespace slipway::image
