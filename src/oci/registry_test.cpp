#include "oci/registry.h"

#include <unistd.h>

#include <cstdlib>

#include "base/encode.h"
#include "base/process.h"
#include "base/text.h"
#include "oci/layer.h"
#include "oci/remote.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

TEST(Registry, Ping) {
  Host host;
  EXPECT_EQ(host.show(host.send("GET", "/v2/"), {"docker-distribution-api-version"}), "200 registry/2.0");
}

TEST(Registry, TakesABlobInEveryWay) {
  Host host;
  for (bool sha512 : {false, true}) {
    std::string bytes = sha512 ? "some other bytes" : "some bytes";
    auto digest = sha512 ? Hasher(Hasher::Algorithm::sha512).update(bytes).finish() : Digest::of(bytes);
    auto place = "/v2/a/b/blobs/" + digest.str();
    auto check = [&](const net::ClientResponse& r) {
      EXPECT_EQ(host.show(r, {"location", "docker-content-digest"}), fmt::format("201 {} {}", place, digest.str()))
          << r.body;
      EXPECT_EQ(host.send("GET", place).body, bytes);
      EXPECT_EQ(host.show(host.send("HEAD", place), {"content-length"}), fmt::format("200 {}", bytes.size()));
      EXPECT_EQ(host.send("DELETE", place).status, 202);
      EXPECT_EQ(code_of(host.send("GET", place)), "404 BLOB_UNKNOWN");
    };
    auto begin = [&] {
      return std::string(host.send("POST", "/v2/a/b/blobs/uploads/").headers.get_or("location", ""));
    };
    auto finish = [&](const std::string& at) { return at + "?digest=" + percent_encode(digest.str()); };
    check(host.send("POST", "/v2/a/b/blobs/uploads/?digest=" + digest.str(), bytes));
    check(host.send("PUT", finish(begin()), bytes));
    auto chunked = begin();
    EXPECT_EQ(host.show(host.send("PATCH", chunked, bytes.substr(0, 4), {{"Content-Range", "0-3"}}), {"range"}),
              "202 0-3");
    check(
        host.send("PUT", finish(chunked), bytes.substr(4), {{"Content-Range", fmt::format("4-{}", bytes.size() - 1)}}));
    auto stream = begin();
    EXPECT_EQ(host.send("PATCH", stream, bytes).status, 202);
    check(host.send("PUT", finish(stream)));
  }
}

TEST(Registry, KeepsChunksInOrder) {
  Host host;
  auto at = std::string(host.send("POST", "/v2/a/blobs/uploads/").headers.get_or("location", ""));
  EXPECT_EQ(host.show(host.send("PATCH", at, "later", {{"Content-Range", "5-9"}}), {"range"}), "416 0-0");
  EXPECT_EQ(host.send("PATCH", at, "first", {{"Content-Range", "0-4"}}).status, 202);
  EXPECT_EQ(host.show(host.send("PATCH", at, "first", {{"Content-Range", "0-4"}}), {"range"}), "416 0-4");
  EXPECT_EQ(host.show(host.send("GET", at), {"range", "location"}), "204 0-4 " + at);
  host.start();  // a restart: the session goes on
  EXPECT_EQ(host.show(host.send("GET", at), {"range"}), "204 0-4");
  auto digest = Digest::of("firstlater");
  EXPECT_EQ(host.send("PUT", at + "?digest=" + digest.str(), "later", {{"Content-Range", "4-8"}}).status, 416);
  EXPECT_EQ(host.send("PUT", at + "?digest=" + digest.str(), "later", {{"Content-Range", "5-9"}}).status, 201);
  EXPECT_EQ(host.send("GET", "/v2/a/blobs/" + digest.str()).body, "firstlater");
  EXPECT_EQ(code_of(host.send("GET", at)), "404 BLOB_UPLOAD_UNKNOWN");
}

TEST(Registry, RefusesWrongUploads) {
  Host host;
  auto begin = [&] { return std::string(host.send("POST", "/v2/a/blobs/uploads/").headers.get_or("location", "")); };
  EXPECT_EQ(code_of(host.send("POST", "/v2/a/blobs/uploads/?digest=" + Digest::of("x").str(), "y")),
            "400 DIGEST_INVALID");
  EXPECT_EQ(code_of(host.send("PUT", begin() + "?digest=" + Digest::of("x").str(), "y")), "400 DIGEST_INVALID");
  EXPECT_EQ(code_of(host.send("PUT", begin() + "?digest=sha256:baddigeststring", "y")), "400 DIGEST_INVALID");
  EXPECT_EQ(code_of(host.send("PATCH", begin(), "abc", {{"Content-Range", "0-9"}})), "400 SIZE_INVALID");
  EXPECT_EQ(code_of(host.send("PATCH", begin(), "abc", {{"Content-Range", "x"}})), "400 BLOB_UPLOAD_INVALID");
  EXPECT_EQ(code_of(host.send("POST", "/v2/UPPER/blobs/uploads/")), "400 NAME_INVALID");
  auto at = begin();
  auto other = replace_all(at, "/v2/a/", "/v2/b/");  // a session belongs to its repository
  EXPECT_EQ(code_of(host.send("PATCH", other, "x")), "404 BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(host.send("DELETE", at).status, 204);
  EXPECT_EQ(code_of(host.send("PATCH", at, "x")), "404 BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(host.send("PATCH", "/v2/a/blobs/uploads/..%2f..%2fregistry.db", "x").status / 100, 4);
  EXPECT_EQ(must(list_dir(host.dir.path() / "registry.db-uploads")).size(), 3u);  // refused, but not given up
}

TEST(Registry, MountsBlobs) {
  Host host;
  auto digest = host.push_blob("from/here", "shared");
  auto post = [&](const std::string& query) {
    return host.send("POST", "/v2/to/there/blobs/uploads/?mount=" + digest.str() + query).status;
  };
  EXPECT_EQ(host.send("GET", "/v2/to/there/blobs/" + digest.str()).status, 404);
  EXPECT_EQ(post("&from=not/here"), 202);
  EXPECT_EQ(post("&from=from/here"), 201);
  EXPECT_EQ(host.send("GET", "/v2/to/there/blobs/" + digest.str()).body, "shared");
  EXPECT_EQ(host.send("POST", "/v2/third/blobs/uploads/?mount=" + digest.str()).status, 201);
  EXPECT_EQ(host.send("POST", "/v2/third/blobs/uploads/?mount=" + Digest::of("never").str()).status, 202);
}

struct RangeCase {
  const char *header, *want;
};
class BlobRange : public testing::TestWithParam<RangeCase> {};
TEST_P(BlobRange, Gives) {
  Host host;
  auto digest = host.push_blob("a", "0123456789");
  auto r = host.send("GET", "/v2/a/blobs/" + digest.str(), {}, {{"Range", GetParam().header}});
  EXPECT_EQ(fmt::format("{} {}", host.show(r, {"content-range"}), r.status == 416 ? "" : r.body), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Table, BlobRange,
                         testing::ValuesIn(std::to_array<RangeCase>({
                             {"bytes=2-4", "206 bytes 2-4/10 234"},
                             {"bytes=7-", "206 bytes 7-9/10 789"},
                             {"bytes=-3", "206 bytes 7-9/10 789"},
                             {"bytes=-30", "206 bytes 0-9/10 0123456789"},
                             {"bytes=5-5000", "206 bytes 5-9/10 56789"},
                             {"bytes=0-0", "206 bytes 0-0/10 0"},
                             {"bytes=5-0", "416 bytes */10 "},
                             {"bytes=10-", "416 bytes */10 "},
                             {"bytes=-0", "416 bytes */10 "},
                             {"lines=1-2", "200 - 0123456789"},
                             {"bytes=0-1,4-5", "200 - 0123456789"},
                         })));

TEST(Registry, ManifestsByTagAndDigest) {
  std::vector<std::string> events;
  Host host({.pushed = [&](const PushEvent& e) {
    events.push_back(fmt::format("{}:{} {}", e.repository, e.tag, e.digest.short_hex()));
  }});
  auto bytes = host.image("shop/web", "layer");
  auto digest = Digest::of(bytes);
  EXPECT_EQ(host.show(host.put("shop/web", "v1", bytes), {"location", "docker-content-digest"}),
            "201 /v2/shop/web/manifests/v1 " + digest.str());
  EXPECT_EQ(host.show(host.put("shop/web", digest.str() + "?tag=v2&tag=v3", bytes), {"oci-tag"}), "201 v2");
  for (const auto& reference : {std::string("v1"), std::string("v3"), digest.str()}) {
    auto got = host.send("GET", "/v2/shop/web/manifests/" + reference);
    EXPECT_EQ(got.body, bytes);
    EXPECT_EQ(host.show(host.send("HEAD", "/v2/shop/web/manifests/" + reference),
                        {"content-type", "content-length", "docker-content-digest"}),
              fmt::format("200 {} {} {}", media::manifest, bytes.size(), digest.str()));
  }
  EXPECT_EQ(events.size(), 3u);
  EXPECT_EQ(host.send("GET", "/v2/shop/web/tags/list").body, R"({"name":"shop/web","tags":["v1","v2","v3"]})");
  EXPECT_EQ(host.send("DELETE", "/v2/shop/web/manifests/v2").status, 202);
  EXPECT_EQ(code_of(host.send("GET", "/v2/shop/web/manifests/v2")), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(host.send("GET", "/v2/shop/web/manifests/" + digest.str()).status, 200);
  EXPECT_EQ(host.send("DELETE", "/v2/shop/web/manifests/" + digest.str()).status, 202);
  EXPECT_EQ(host.send("GET", "/v2/shop/web/manifests/v1").status, 404);
  EXPECT_EQ(must(host.registry->reachable()).size(), 0u);
}

TEST(Registry, ChecksManifests) {
  Host host;
  auto bytes = host.image("a", "layer");
  EXPECT_EQ(code_of(host.put("b", "t", bytes)), "404 MANIFEST_BLOB_UNKNOWN");  // the blobs are another repository's
  EXPECT_EQ(code_of(host.put("a", Digest::of("other").str(), bytes)), "400 DIGEST_INVALID");
  EXPECT_EQ(code_of(host.put("a", "t", "no json")), "400 MANIFEST_INVALID");
  EXPECT_EQ(code_of(host.put("a", "t", R"({"schemaVersion":1})")), "400 MANIFEST_INVALID");
  EXPECT_EQ(code_of(host.put("a", "t", bytes, media::index)), "400 MANIFEST_INVALID");
  EXPECT_EQ(code_of(host.put("a", "bad~tag", bytes)), "400 TAG_INVALID");
  EXPECT_EQ(code_of(host.put("a", "t", replace_all(bytes, "\"size\":5", "\"size\":6"))), "400 MANIFEST_INVALID");
  std::string many = Digest::of(bytes).str() + "?tag=t0";
  for (int n = 1; n < 64; ++n) many += fmt::format("&tag=t{}", n);
  EXPECT_EQ(host.put("a", many, bytes).status, 201);
  EXPECT_EQ(code_of(host.put("a", many + "&tag=more", bytes)), "414 TAG_INVALID");
  auto both = replace_all(bytes, "\"layers\"", "\"manifests\":[],\"layers\"");
  EXPECT_EQ(code_of(host.put("a", "t", both)), "400 MANIFEST_INVALID");
  auto missing =
      fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":3}}]}})",
                  media::index, media::manifest, Digest::of("no").str());
  EXPECT_EQ(code_of(host.put("a", "t", missing, media::index)), "404 MANIFEST_BLOB_UNKNOWN");
  auto foreign =
      replace_all(bytes, std::string(media::layer_tar), "application/vnd.oci.image.layer.nondistributable.v1.tar");
  EXPECT_EQ(host.put("a", "t", replace_all(foreign, Digest::of("layer").str(), Digest::of("elsewhere").str())).status,
            201);
  std::string big = host.image("a", "layer", ",\"annotations\":{\"x\":\"" + std::string(3'900'000, 'y') + "\"}");
  EXPECT_EQ(host.put("a", "big", big).status, 201);
  big = host.image("a", "layer", ",\"annotations\":{\"x\":\"" + std::string(4'300'000, 'y') + "\"}");
  EXPECT_EQ(host.put("a", "bigger", big).status, 413);
}

TEST(Registry, ListsReferrers) {
  Host host;
  auto subject = Digest::of("subject to come");
  auto list = [&](const std::string& query = {}) {
    return host.send("GET", "/v2/a/referrers/" + subject.str() + query);
  };
  EXPECT_EQ(host.show(list(), {"content-type"}), fmt::format("200 {}", media::index));
  EXPECT_EQ(list().body, fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[]}})", media::index));
  auto extra = fmt::format(
      R"(,"artifactType":"x/sbom","subject":{{"mediaType":"{}","digest":"{}","size":5}},"annotations":{{"k":"v"}})",
      media::manifest, subject.str());
  auto one = host.image("a", "sbom", extra);
  EXPECT_EQ(host.show(host.put("a", Digest::of(one).str(), one), {"oci-subject"}), "201 " + subject.str());
  auto two = host.image("a", "sig", replace_all(extra, "x/sbom", "x/sig"));
  host.put("a", Digest::of(two).str(), two);
  auto filtered = list("?artifactType=x/sbom");
  EXPECT_EQ(
      filtered.body,
      fmt::format(
          R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{},"artifactType":"x/sbom","annotations":{{"k":"v"}}}}]}})",
          media::index, media::manifest, Digest::of(one).str(), one.size()));
  EXPECT_EQ(filtered.headers.get_or("oci-filters-applied", ""), "artifactType");
  EXPECT_EQ(must(host.registry->referrers("a", subject)).size(), 2u);
  host.send("DELETE", "/v2/a/manifests/" + Digest::of(one).str());
  EXPECT_EQ(must(host.registry->referrers("a", subject)).size(), 1u);
}

TEST(Registry, PagesLists) {
  Host host;
  auto bytes = host.image("a", "layer");
  for (const char* tag : {"c", "a", "b"}) host.put("a", tag, bytes);
  auto page = host.send("GET", "/v2/a/tags/list?n=2");
  EXPECT_EQ(page.body, R"({"name":"a","tags":["a","b"]})");
  EXPECT_EQ(page.headers.get_or("link", ""), "</v2/a/tags/list?n=2&last=b>; rel=\"next\"");
  page = host.send("GET", "/v2/a/tags/list?n=2&last=b");
  EXPECT_EQ(page.body, R"({"name":"a","tags":["c"]})");
  EXPECT_FALSE(page.headers.get("link"));
  EXPECT_EQ(host.show(host.send("GET", "/v2/a/tags/list?n=0"), {"link"}), "200 -");
  EXPECT_EQ(code_of(host.send("GET", "/v2/nope/tags/list")), "404 NAME_UNKNOWN");
  EXPECT_EQ(host.send("GET", "/v2/_catalog").body, R"({"repositories":["a"]})");
}

TEST(Registry, ManyPushOneBlob) {
  Host host;
  std::string bytes(300'000, 'q');
  auto digest = Digest::of(bytes);
  std::vector<std::thread> threads;
  std::atomic<int> created = 0;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      created += host.send("POST", "/v2/a/blobs/uploads/?digest=" + digest.str(), bytes).status == 201 ? 1 : 0;
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(created, 8);
  EXPECT_EQ(host.send("GET", "/v2/a/blobs/" + digest.str()).body, bytes);
}

TEST(Registry, ChoosesThePlatform) {
  Host host;
  Index index;
  for (auto [arch, variant, layer] :
       {std::array{"arm64", "", "1"}, {"amd64", "", "2"}, {"arm", "v6", "3"}, {"arm", "v7", "4"}}) {
    auto bytes = host.image("a", layer);
    auto d = must(host.registry->put_manifest("a", "", media::manifest, bytes));
    d.platform = Platform{"linux", arch, variant};
    index.manifests.push_back(d);
  }
  must(host.registry->put_manifest("a", "multi", media::index, print(index)));
  auto choose = [&](const Platform& p) {
    auto image = host.registry->image("a", "multi", p);
    return image ? must(host.blobs->read(image->manifest.layers[0].digest)) : image.error().what();
  };
  EXPECT_EQ(choose({}), "2");
  EXPECT_EQ(choose({"linux", "arm", "v7"}), "4");
  EXPECT_EQ(choose({"linux", "arm", ""}), "3");
  EXPECT_EQ(choose({"linux", "s390x", ""}),
            "a:multi: has no image for linux/s390x, only for linux/arm64, linux/amd64, linux/arm/v6, linux/arm/v7");
}

TEST(Registry, AttachesReferrers) {
  Host host;
  auto subject = must(host.registry->put_manifest("a", "t", media::manifest, host.image("a", "layer")));
  auto d = must(host.registry->attach("a", subject.digest, "application/spdx+json", "application/spdx+json",
                                      "{\"sbom\":1}", {{"made", "today"}}));
  auto list = must(host.registry->referrers("a", subject.digest, "application/spdx+json"));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].digest, d.digest);
  EXPECT_EQ(list[0].annotations.at("made"), "today");
  EXPECT_FALSE(host.registry->attach("a", Digest::of("none"), "x/y", "x/y", ""));
}

// --- the client against our registry, and stock clients

fs::path layer_folder(const Host& host, const std::string& name, std::size_t size) {
  auto folder = host.dir.path() / name;
  must(make_dirs(folder));
  must(write_file(folder / "file", random_bytes(size)));
  return folder;
}

Digest put_image(Host& host, const std::string& repository, const std::string& tag, int layers) {
  Config config;
  Manifest manifest;
  for (int n = 0; n < layers; ++n) {
    auto layer = must(pack_layer(host.ctx, *host.blobs, layer_folder(host, fmt::format("{}-{}", tag, n), 200'000), {}));
    manifest.layers.push_back(layer.descriptor);
    config.diff_ids.push_back(layer.diff_id);
  }
  auto text = print(config);
  manifest.config = {
      .media_type = std::string(media::config), .digest = must(host.blobs->put(text)), .size = text.size()};
  return must(host.registry->put_manifest(repository, tag, media::manifest, print(manifest))).digest;
}

TEST(Remote, PushesAndPulls) {
  auto rules = std::make_shared<const RegistryRules>(RegistryRules{.anonymous_pulls = false});
  Host here, there({.sign_in = [](std::string_view header) -> std::optional<Who> {
                      if (header != "Basic " + to_base64("bob:pw")) return std::nullopt;
                      return Who{"bob", {}};
                    },
                    .rules = [rules] { return rules; }});
  auto digest = put_image(here, "shop/web", "v1", 3);
  Remote remote({.credentials = [](const std::string&) { return Credentials{"bob", "pw"}; }});
  auto target = must(parse_reference(there.server->address() + "/team/web:v1"));
  auto pushed = must(remote.push(here.ctx, *here.registry, "shop/web", "v1", target));
  EXPECT_EQ(pushed.digest, digest);
  EXPECT_EQ(must(remote.head(here.ctx, target)), digest);
  EXPECT_EQ(must(remote.tags(here.ctx, target)), std::vector<std::string>{"v1"});
  auto other = must(parse_reference(there.server->address() + "/team/second:v1"));
  must(remote.push(here.ctx, *here.registry, "shop/web", "v1", other));  // mounted, not sent again

  Host third;
  auto image = must(remote.pull(third.ctx, target, *third.registry));
  EXPECT_EQ(image.digest, digest);
  EXPECT_EQ(must(third.registry->image(local_repository(target), "v1")).digest, digest);
  auto missing =
      remote.pull(third.ctx, must(parse_reference(there.server->address() + "/team/none:v1")), *third.registry);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), Kind::not_found);
  Remote stranger({.credentials = [](const std::string&) { return std::nullopt; }});
  auto refused = stranger.head(here.ctx, target);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), Kind::denied);
}

TEST(Remote, PullsOnePlatformOfAnIndexAndCopiesAll) {
  Host there, here;
  Index index;
  for (const char* arch : {"amd64", "arm64"}) {
    auto digest = put_image(there, "m", arch, 1);
    auto stored = must(there.registry->manifest("m", digest.str()));
    stored->descriptor.platform = Platform{"linux", arch, ""};
    index.manifests.push_back(stored->descriptor);
  }
  auto top = must(there.registry->put_manifest("m", "multi", media::index, print(index))).digest;
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto ref = must(parse_reference(there.server->address() + "/m:multi"));
  auto image = must(remote.pull(here.ctx, ref, *here.registry, {"linux", "arm64", ""}));
  EXPECT_EQ(image.digest, index.manifests[1].digest);
  EXPECT_EQ(must(here.registry->manifest(local_repository(ref), "multi"))->descriptor.digest, top);
  EXPECT_FALSE(remote.push(here.ctx, *here.registry, local_repository(ref), "multi", ref));  // only half of it is here
  Host through;
  EXPECT_EQ(must(remote.copy(here.ctx, ref, must(parse_reference(here.server->address() + "/copied:multi")),
                             *through.registry))
                .digest,
            top);
  EXPECT_EQ(here.send("GET", "/v2/copied/manifests/multi").status, 200);
}

// A token service as Docker Hub's: the registry points to it, it gives tokens for scopes.
TEST(Remote, FetchesTokens) {
  Host there;
  put_image(there, "shop/web", "v1", 1);
  std::mutex mutex;
  std::vector<std::string> scopes;
  std::string realm;
  auto handler = [&, routes = there.registry->routes()](const Ctx& ctx, net::Request& request) -> net::Response {
    if (request.path == "/token") {
      std::lock_guard lock(mutex);
      scopes.push_back(request.query_of("scope") + " " + request.query_of("service") + " " +
                       std::string(request.headers.get_or("authorization", "-")));
      return net::Response::json(200,
                                 fmt::format(R"({{"token":"for {}","expires_in":300}})", request.query_of("scope")));
    }
    auto given = request.headers.get_or("authorization", "");
    auto wanted = fmt::format("Bearer for repository:shop/web:{}", request.method == "GET" ? "pull" : "pull,push");
    if (given != wanted && given != "Bearer for repository:shop/web:pull,push") {
      auto response = net::Response::text(401, "");
      response.headers.set("WWW-Authenticate",
                           fmt::format("Bearer realm=\"{}\",service=\"reg, one\",scope=\"x\"", realm));
      return response;
    }
    return routes(ctx, request);
  };
  auto server = must(net::Server::start({}, handler));
  realm = "http://" + server->address() + "/token";
  Remote remote({.credentials = [](const std::string&) { return Credentials{"ann", "pw"}; }});
  Host here;
  auto ref = must(parse_reference(server->address() + "/shop/web:v1"));
  must(remote.pull(here.ctx, ref, *here.registry));
  must(remote.manifest(here.ctx, ref));
  EXPECT_EQ(join(scopes, "|").find("repository:shop/web:pull reg, one Basic " + to_base64("ann:pw")), 0u)
      << join(scopes, "|");
  EXPECT_LE(scopes.size(), 4u);  // one a parallel blob at most
}

// Downloads are cut off twice in the middle, uploads once: both go on where they stopped.
TEST(Remote, SLOW_ResumesBrokenTransfers) {
  Host there;
  auto digest = put_image(there, "a", "v1", 1);
  auto blob = must(there.registry->image("a", "v1")).manifest.layers[0];
  std::atomic<int> cuts = 0;
  std::mutex mutex;
  std::vector<std::string> ranges;
  auto handler = [&, routes = there.registry->routes()](const Ctx& ctx, net::Request& request) -> net::Response {
    if (request.method == "GET" && request.path.ends_with(blob.digest.str())) {
      std::lock_guard lock(mutex);
      ranges.emplace_back(request.headers.get_or("range", "-"));
      if (cuts++ < 2) {
        auto response = routes(ctx, request);
        auto fd = std::make_shared<net::FileBody>(std::move(std::get<net::FileBody>(response.body)));
        response.headers.set("Content-Length", std::to_string(fd->length));
        response.body = net::StreamBody([fd](const Ctx& c, net::BodyWriter& writer) -> Result<> {
          std::string half(fd->length / 2, '\0');
          if (::pread(fd->fd.get(), half.data(), half.size(), static_cast<off_t>(fd->offset)) < 0)
            return fail(Kind::internal, "read");
          TRY_OK(writer.write(c, half));
          return fail(Kind::unavailable, "cut off");
        });
        return response;
      }
    }
    return routes(ctx, request);
  };
  auto server = must(net::Server::start({}, handler));
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  Host here;
  auto image = must(remote.pull(here.ctx, must(parse_reference(server->address() + "/a:v1")), *here.registry));
  EXPECT_EQ(image.digest, digest);
  EXPECT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0], "-");
  EXPECT_EQ(ranges[1].find("bytes="), 0u) << ranges[1];
}

// A registry that stops in the middle and says nothing any more.
TEST(Remote, SLOW_ARegistryThatStallsIsGivenUp) {
  Host there;
  put_image(there, "a", "v1", 1);
  auto blob = must(there.registry->image("a", "v1")).manifest.layers[0];
  auto handler = [&, routes = there.registry->routes()](const Ctx& ctx, net::Request& request) -> net::Response {
    if (request.method != "GET" || !request.path.ends_with(blob.digest.str())) return routes(ctx, request);
    net::Response response;
    response.headers.set("Content-Length", std::to_string(blob.size));
    response.body = net::StreamBody([](const Ctx& c, net::BodyWriter& writer) -> Result<> {
      TRY_OK(writer.write(c, "x"));
      return sleep(c, Millis(3'600'000));  // until the server closes
    });
    return response;
  };
  auto server = must(net::Server::start({}, handler));
  net::ClientOptions http;
  http.stall = std::chrono::seconds(1);
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; },
                 .plain_http_hosts = {},
                 .http = http,
                 .cloud = nullptr,
                 .mirrors = {}});
  Host here;
  auto image = remote.pull(here.ctx, must(parse_reference(server->address() + "/a:v1")), *here.registry);
  ASSERT_FALSE(image);
  EXPECT_TRUE(image.error().retryable()) << image.error().print();
  EXPECT_FALSE(here.blobs->contains(blob.digest));
  EXPECT_TRUE(must(here.registry->tags(server->address())).empty());
}

#define NEEDS_PROGRAM(name) \
  if (!find_program(name)) GTEST_SKIP() << "no " name

TEST(Interop, SLOW_SkopeoPushesAndPulls) {
  NEEDS_PROGRAM("skopeo");
  Host host;
  auto digest = put_image(host, "shop/web", "v1", 2);
  auto at = "docker://" + host.server->address();
  auto out = "dir:" + (host.dir.path() / "out").native();
  must(run_ok(host.ctx, {.argv = {"skopeo", "copy", "--src-tls-verify=false", at + "/shop/web:v1", out}}));
  EXPECT_EQ(must(read_file(host.dir.path() / "out/manifest.json")),
            must(host.registry->manifest("shop/web", "v1"))->bytes);
  must(run_ok(host.ctx,
              {.argv = {"skopeo", "copy", "--dest-tls-verify=false", "--preserve-digests", out, at + "/back/web:v2"}}));
  EXPECT_EQ(must(host.registry->image("back/web", "v2")).digest, digest);
  auto inspected = must(run_ok(host.ctx, {.argv = {"skopeo", "inspect", "--tls-verify=false", at + "/back/web:v2"}}));
  EXPECT_NE(inspected.find(digest.str()), std::string::npos) << inspected;
  must(run_ok(host.ctx, {.argv = {"skopeo", "delete", "--tls-verify=false", at + "/back/web:v2"}}));
  EXPECT_FALSE(must(host.registry->manifest("back/web", "v2")));
}

TEST(Interop, SLOW_DockerRegistryIsOurPeer) {
  NEEDS_PROGRAM("docker-registry");
  Host host;
  auto digest = put_image(host, "shop/web", "v1", 2);
  auto config = host.dir.path() / "config.yml";
  auto peer_root = host.dir.path() / "peer";
  auto port = 20000 + ::getpid() % 20000;
  must(write_file(config, fmt::format("version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: "
                                      "{}}}}}\nhttp: {{addr: 127.0.0.1:{}}}\n",
                                      peer_root.native(), port)));
  auto child = must(Child::start({.argv = {"docker-registry", "serve", config.native()}}, {}));
  auto ready = [&] {
    for (int i = 0; i < 100; ++i) {
      auto r = host.client.get(host.ctx, fmt::format("http://127.0.0.1:{}/v2/", port));
      if (r && r->status == 200) return true;
      must(sleep(host.ctx, Millis(50)));
    }
    return false;
  };
  ASSERT_TRUE(ready());
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto ref = must(parse_reference(fmt::format("127.0.0.1:{}/peer/web:v1", port)));
  EXPECT_EQ(must(remote.push(host.ctx, *host.registry, "shop/web", "v1", ref)).digest, digest);
  Host back;
  EXPECT_EQ(must(remote.pull(back.ctx, ref, *back.registry)).digest, digest);
  child.signal(15);
}

TEST(Interop, SLOW_BuildahPushes) {
  NEEDS_PROGRAM("buildah");
  Host host;
  put_image(host, "shop/web", "v1", 1);
  auto storage = std::vector<std::string>{"--storage-driver", "vfs",
                                          "--root",           (host.dir.path() / "store").native(),
                                          "--runroot",        (host.dir.path() / "run").native()};
  auto buildah = [&](std::vector<std::string> more) {
    std::vector<std::string> argv{"buildah"};
    argv.insert(argv.end(), storage.begin(), storage.end());
    argv.insert(argv.end(), more.begin(), more.end());
    must(run_ok(host.ctx, {.argv = argv}));
  };
  buildah({"pull", "--tls-verify=false", "docker://" + host.server->address() + "/shop/web:v1"});
  buildah({"push", "--tls-verify=false", host.server->address() + "/shop/web:v1",
           "docker://" + host.server->address() + "/pushed/web:v1"});
  EXPECT_EQ(must(host.registry->image("pushed/web", "v1")).manifest.layers.size(), 1u);
}

// The specification's own suite, when its program is at hand (SLIPWAY_OCI_CONFORMANCE=PROGRAM).
TEST(Interop, SLOW_PassesTheConformanceSuite) {
  const char* program = std::getenv("SLIPWAY_OCI_CONFORMANCE");
  if (program == nullptr) GTEST_SKIP() << "no conformance program";
  for (const char* version : {"1.1", "dev"}) {
    Host host;
    auto results = host.dir.path() / "results";
    auto output = must(run(host.ctx, {.argv = {program},
                                      .extra_env = {{"OCI_REGISTRY", host.server->address()},
                                                    {"OCI_TLS", "disabled"},
                                                    {"OCI_VERSION", version},
                                                    {"OCI_RESULTS_DIR", results.native()}},
                                      .cwd = host.dir.path().native()}));
    EXPECT_EQ(output.code, 0) << version << "\n"
                              << output.out.substr(output.out.size() > 6000 ? output.out.size() - 6000 : 0)
                              << output.err;
    auto count = [&](std::string_view ending) {
      auto all = lines(output.out);
      return std::count_if(all.begin(), all.end(), [&](std::string_view line) { return trim(line).ends_with(ending); });
    };
    EXPECT_EQ(count(": Fail"), 0) << version;
    EXPECT_EQ(count(": Skip"), 0) << version;
    EXPECT_GT(count(": Pass"), 700) << version;
    RecordProperty(std::string("passed_") + version, static_cast<int>(count(": Pass")));
  }
}

}  // namespace
}  // namespace slipway::oci
