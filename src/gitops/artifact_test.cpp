// OCI artifacts as Git trees, from a registry of the test's own.
#include "gitops/artifact.h"

#include "base/process.h"
#include "base/text.h"
#include "oci/testing/host.h"

namespace slipway::gitops {
namespace {

constexpr std::string_view layer_type = "application/vnd.cncf.flux.content.v1.tar+gzip";

// As `flux push artifact` makes one: a gzipped tar of a folder.
struct Place {
  oci::Host host;
  TempDir work = must(TempDir::make("artifact"));
  fs::path folder = work.path() / "repository.git";
  std::string url = "oci://" + host.server->address() + "/shop/config";

  Digest push(const std::string& tag, const std::map<std::string, std::string>& files) {
    auto from = must(TempDir::make("artifact"));
    for (const auto& [path, text] : files) {
      must(make_dirs((from.path() / path).parent_path()));
      must(write_file(from.path() / path, text));
    }
    auto blob = must(run_ok(Ctx{}, {.argv = {"tar", "-czf", "-", "-C", from.path().native(), "."}}));
    std::string config = "{}";
    oci::Manifest manifest;
    manifest.config = {
        .media_type = "application/vnd.cncf.flux.config.v1+json", .digest = Digest::of(config), .size = config.size()};
    manifest.layers.push_back({.media_type = std::string(layer_type), .digest = Digest::of(blob), .size = blob.size()});
    oci::Remote remote;
    auto to = must(oci::parse_reference(url.substr(6) + ":" + tag));
    must(remote.put(Ctx{}, to, {config, blob}, manifest));
    return must(remote.manifest(Ctx{}, to)).descriptor.digest;
  }
  Result<Artifact> import(ArtifactRequest request) {
    request.url = url;
    return import_artifact(Ctx{}, request, {}, folder);
  }
};

TEST(Artifact, BecomesACommitOfItsFiles) {
  Place place;
  auto digest = place.push("latest", {{"app/a.yaml", "a: 1\n"}, {"readme", "x"}});
  auto first = must(place.import({}));
  EXPECT_EQ(first.revision, "latest@" + digest.str());
  EXPECT_EQ(first.digest, digest.str());
  auto repository = must(git::Repository::open(place.folder));
  EXPECT_EQ(must(repository.read(first.commit, "app/a.yaml")), "a: 1\n");
  // The same again is the same commit; another tag with the same folder has the same tree there.
  EXPECT_EQ(must(place.import({})).commit, first.commit);
  place.push("v2", {{"app/a.yaml", "a: 1\n"}, {"readme", "y"}});
  auto second = must(place.import({.tag = "v2"}));
  EXPECT_NE(second.commit, first.commit);
  EXPECT_EQ(must(repository.tree_of(second.commit, "app")), must(repository.tree_of(first.commit, "app")));
  EXPECT_EQ(must(place.import({.digest = digest.str()})).revision, digest.str());
  // The layer as a file of its own.
  auto whole = must(place.import({.media_type = std::string(layer_type), .copy = true}));
  EXPECT_TRUE(must(repository.read(whole.commit, "artifact.yaml")));
}

TEST(Artifact, IsTheNewestVersionOfARange) {
  Place place;
  for (const auto* tag : {"1.0.0", "v1.2.0", "1.3.0-rc.1", "2.0.0", "main"}) place.push(tag, {{"tag", tag}});
  struct {
    ArtifactRequest request;
    std::string_view want;
  } cases[] = {{{.range = "1.x"}, "v1.2.0@"},
               {{.tag = "main", .range = "*"}, "2.0.0@"},
               {{.range = ">=1.0.0-0 <2.0.0-0", .filter = "-rc"}, "1.3.0-rc.1@"},
               {{.range = "3.x"}, "no match found for semver: 3.x"},
               {{.range = "one"}, "ref.semver: improper constraint: one"},
               {{.range = "*", .filter = "("}, "ref.semverFilter: missing )"}};
  for (auto& c : cases) {
    auto got = place.import(c.request);
    auto said = got ? got->revision : got.error().what();
    EXPECT_TRUE(said.contains(c.want)) << said;
  }
}

TEST(Artifact, SaysWhatIsNotThere) {
  Place place;
  auto none = place.import({});
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(Kind::not_found)) << none.error().what();
  place.push("latest", {{"a", "b"}});
  auto layer = place.import({.media_type = "application/other"});
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().what(), place.url + ": has no layer of type application/other");
  auto other = import_artifact(Ctx{}, {.url = "https://x/y"}, {}, place.folder);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().what(), "https://x/y: want oci://HOST/NAME");
}

}  // namespace
}  // namespace slipway::gitops
