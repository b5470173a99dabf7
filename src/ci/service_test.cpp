// The services of JavaScript actions as their clients speak, and as nobody should.
#include "ci/service.h"

#include <gtest/gtest.h>

#include "base/encode.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "ci/actions_source.h"
#include "ci/service/entries.h"
#include "ci/service/wire.h"
#include "doc/json.h"
#include "doc/view.h"
#include "git/repository.h"
#include "net/client.h"
#include "net/jwt.h"

namespace slipway::ci {
namespace {

std::string shown(const Result<std::optional<ByteRange>>& range) {
  if (!range) return "none of it";
  return *range ? fmt::format("{}+{}", (*range)->offset, (*range)->length) : "all";
}

TEST(ServiceWire, ReadsRanges) {
  struct Case {
    std::string_view header;
    std::uint64_t size;
    std::string_view want;
  };
  for (auto& c : std::to_array<Case>({{"bytes=0-99", 1000, "0+100"},
                                      {"bytes=10-", 100, "10+90"},
                                      {"bytes=-5", 100, "95+5"},
                                      {"bytes=-500", 100, "0+100"},
                                      {"bytes=90-500", 100, "90+10"},
                                      {"bytes=0-0", 1, "0+1"},
                                      {"bytes=100-", 100, "none of it"},
                                      {"bytes=0-", 0, "none of it"},
                                      {"bytes=-0", 100, "none of it"},
                                      {"", 100, "all"},
                                      {"bytes=", 100, "all"},
                                      {"bytes=-", 100, "all"},
                                      {"bytes=5-3", 100, "all"},
                                      {"bytes=0-1,5-6", 100, "all"},
                                      {"lines=0-1", 100, "all"},
                                      {"bytes=+1-2", 100, "all"},
                                      {"bytes= 1-2", 100, "all"},
                                      {"bytes=99999999999999999999-", 100, "all"}}))
    EXPECT_EQ(shown(parse_range(c.header, c.size)), c.want) << c.header;
}

TEST(ServiceWire, ReadsBlockLists) {
  auto print = [](std::string_view xml) {
    auto list = parse_block_list(xml);
    return list ? join(std::span<const std::string>(*list), " ") : list.error().what();
  };
  struct Case {
    std::string xml, want;
  };
  for (auto& c : std::to_array<Case>(
           {{"<?xml version=\"1.0\" "
             "encoding=\"utf-8\"?><BlockList><Latest>QQ==</Latest><Latest>Qg==</Latest></BlockList>",
             "QQ== Qg=="},
            {"<BlockList>\n <Uncommitted>QQ==</Uncommitted>\n <Committed>Qg==</Committed></BlockList>\n", "QQ== Qg=="},
            {"<BlockList/>", ""},
            {"<BlockList></BlockList>", ""},
            {"", "block list: want <BlockList>...</BlockList>"},
            {"<BlockList></BlockLis", "block list: want <BlockList>...</BlockList>"},
            {"<?xml", "block list: its declaration does not end"},
            {"<BlockList><Latest>QQ==</BlockList>", "block list: <Latest> does not end"},
            {"<BlockList><Other>QQ==</Other></BlockList>", "block list: want <Latest>, <Uncommitted> or <Committed>"},
            {"<BlockList><Latest>../../x</Latest></BlockList>", "block list: an id is no base64 of at most 64 bytes"},
            {fmt::format("<BlockList><Latest>{}</Latest></BlockList>", std::string(120, 'A')),
             "block list: an id is no base64 of at most 64 bytes"}}))
    EXPECT_EQ(print(c.xml), c.want) << c.xml;
}

TEST(ServiceWire, TakesHonestNames) {
  EXPECT_TRUE(check_cache_key("Linux-node-1"));
  EXPECT_FALSE(check_cache_key(""));
  EXPECT_FALSE(check_cache_key("a,b"));
  EXPECT_FALSE(check_cache_key("a\nb"));
  EXPECT_FALSE(check_cache_key(std::string(513, 'a')));
  EXPECT_TRUE(check_cache_version(std::string(64, 'f')));
  EXPECT_FALSE(check_cache_version("a:b"));
  EXPECT_FALSE(check_cache_version("../x"));
  EXPECT_TRUE(check_artifact_name("a b.c"));
  EXPECT_FALSE(check_artifact_name("a/b"));
  EXPECT_FALSE(check_artifact_name(std::string("a\0b", 3)));
  EXPECT_TRUE(is_media_type("application/vnd.oci.image+json"));
  for (auto wrong : {"", "text", "/", "text/", "text/html; charset=x", "text/a\r\nSet-Cookie: x"})
    EXPECT_FALSE(is_media_type(wrong)) << wrong;
}

class JobServiceTest : public testing::Test {
 protected:
  JobServiceTest() : dir(must(TempDir::make("service"))) {
    blobs = must(store::BlobStore::open(dir.path() / "blobs"));
    cache = must(open_file_job_cache(dir.path() / "cache"));
    service = must(JobService::open({.blobs = blobs.get(),
                                     .cache = cache.get(),
                                     .key_file = dir.path() / "key",
                                     .url = [this](bool) { return "http://" + server->address(); },
                                     .max_blob = 1 << 20,
                                     .max_blobs = 40}));
    server = must(net::Server::start({.threads = 8}, service->routes()));
  }
  ServiceJob job(std::string repository = "acme/shop", std::vector<std::string> scopes = {"refs/heads/main"}) {
    return {.run_id = "run-7",
            .key = "build",
            .repository = std::move(repository),
            .scopes = std::move(scopes),
            .artifacts = &artifacts,
            .claims = {}};
  }
  std::string at(const std::string& path) { return "http://" + server->address() + path; }
  net::ClientResponse send(std::string method, std::string url, std::string body = {}, net::Headers headers = {}) {
    return must(client.send(
        {},
        {.method = std::move(method), .url = std::move(url), .headers = std::move(headers), .body = std::move(body)}));
  }
  net::ClientResponse call(const std::shared_ptr<JobService::Pass>& pass, const std::string& method, doc::Map request,
                           std::string type = "application/json") {
    if (method.starts_with("Artifact")) request.set("workflow_run_backend_id", run_of(*pass));
    return send("POST", at("/twirp/github.actions.results.api.v1." + method), doc::print_json(request),
                {{"Authorization", "Bearer " + pass->env().at("ACTIONS_RUNTIME_TOKEN")}, {"Content-Type", type}});
  }
  // "200 {...}" with addresses cut short.
  std::string said(const net::ClientResponse& response) {
    auto text = fmt::format("{} {}", response.status, response.body);
    if (auto url = text.find("http:"); url != std::string::npos) text.replace(url, text.find('"', url) - url, "URL");
    return text;
  }
  static std::string run_of(const JobService::Pass& pass) {
    auto token = pass.env().at("ACTIONS_RUNTIME_TOKEN");
    auto parts = split(token, '.');
    auto scope = doc::parse_json(must(from_base64(parts[1])))->str_at({"scp"});
    return std::string(split(scope, ':').at(1));
  }
  std::string url_in(const net::ClientResponse& response) {
    auto answer = must(doc::parse_json(response.body));
    for (auto name : {"signed_upload_url", "signed_download_url", "signed_url"})
      if (auto url = answer.str_at({name}); !url.empty()) return url;
    ADD_FAILURE() << response.body;
    return at("/none");
  }
  int put(const std::string& url, const std::string& body) {
    return send("PUT", url, body, {{"x-ms-blob-type", "BlockBlob"}}).status;
  }
  void save(const std::shared_ptr<JobService::Pass>& pass, const std::string& key, const std::string& body) {
    auto url = url_in(call(pass, "CacheService/CreateCacheEntry", {{"key", key}, {"version", version}}));
    EXPECT_EQ(put(url, body), 201);
    auto done = call(pass, "CacheService/FinalizeCacheEntryUpload",
                     {{"key", key}, {"version", version}, {"size_bytes", std::to_string(body.size())}});
    EXPECT_EQ(done.status, 200) << done.body;
  }
  net::ClientResponse find(const std::shared_ptr<JobService::Pass>& pass, const std::string& key, doc::List more = {}) {
    return call(pass, "CacheService/GetCacheEntryDownloadURL",
                {{"key", key}, {"version", version}, {"restore_keys", std::move(more)}});
  }

  TempDir dir;
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<JobCache> cache;
  std::unique_ptr<JobService> service;
  std::unique_ptr<net::Server> server;
  net::Client client;
  Guarded<std::map<std::string, RunArtifact>> artifacts;
  const std::string version = std::string(64, 'c');
};

TEST_F(JobServiceTest, KeepsACache) {
  auto pass = service->admit(job());
  EXPECT_EQ(said(find(pass, "one")), R"(200 {"ok":false})");
  save(pass, "one", "the bytes");
  auto hit = find(pass, "one");
  EXPECT_EQ(said(hit), R"(200 {"ok":true,"signed_download_url":"URL","matched_key":"one"})");
  auto got = send("GET", url_in(hit));
  EXPECT_EQ(got.body, "the bytes");
  EXPECT_EQ(got.headers.get_or("x-ms-blob-type", ""), "BlockBlob");
  auto part = send("GET", url_in(hit), "", {{"x-ms-range", "bytes=4-6"}});
  EXPECT_EQ(fmt::format("{} {} {}", part.status, part.body, part.headers.get_or("content-range", "")),
            "206 byt bytes 4-6/9");
  auto head = send("HEAD", url_in(hit));
  EXPECT_EQ(fmt::format("{} {}", head.status, head.headers.get_or("content-length", "")), "200 9");
  EXPECT_EQ(send("GET", url_in(hit), "", {{"Range", "bytes=9-"}}).status, 416);
  EXPECT_EQ(
      said(call(pass, "CacheService/CreateCacheEntry", {{"key", "one"}, {"version", version}})),
      R"(409 {"code":"already_exists","msg":"cache entry with the same key, version, and scope already exists"})");
  save(pass, "one-more", "newer");
  EXPECT_EQ(must(doc::parse_json(find(pass, "absent", doc::List{"one"}).body)).str_at({"matched_key"}), "one-more");
}

TEST_F(JobServiceTest, CachesAreSeenByTheBranchAndThoseAfterIt) {
  auto main = service->admit(job()), branch = service->admit(job("acme/shop", {"refs/heads/b", "refs/heads/main"}));
  save(main, "of-main", "1");
  save(branch, "of-branch", "2");
  EXPECT_EQ(find(branch, "of-main").body.contains("\"ok\":true"), true);
  EXPECT_EQ(find(main, "of-branch").body, R"({"ok":false})");
  auto other = service->admit(job("acme/other"));
  EXPECT_EQ(find(other, "of-main").body, R"({"ok":false})");
}

TEST_F(JobServiceTest, TakesBlocksInTheOrderOfTheirList) {
  auto pass = service->admit(job());
  auto url = url_in(call(pass, "ArtifactService/CreateArtifact", {{"name", "blocks"}, {"version", 4}}));
  EXPECT_EQ(send("PUT", url + "&comp=block&blockid=Qg==", "second").status, 201);
  EXPECT_EQ(send("PUT", url + "&comp=block&blockid=QQ==", "wrong").status, 201);
  EXPECT_EQ(send("PUT", url + "&comp=block&blockid=QQ==", "first ").status, 201);
  EXPECT_EQ(send("PUT", url + "&comp=block&blockid=..%2F..%2Fx", "no").status, 400);
  EXPECT_EQ(send("PUT", url + "&comp=blocklist", "<BlockList><Latest>Qw==</Latest></BlockList>").status, 400);
  EXPECT_EQ(
      send("PUT", url + "&comp=blocklist", "<BlockList><Latest>QQ==</Latest><Latest>Qg==</Latest></BlockList>").status,
      201);
  auto digest = Digest::of("first second");
  EXPECT_EQ(call(pass, "ArtifactService/FinalizeArtifact", {{"name", "blocks"}, {"size", "3"}}).status, 400);
  EXPECT_EQ(
      call(pass, "ArtifactService/FinalizeArtifact", {{"name", "blocks"}, {"size", "12"}, {"hash", "sha256:0"}}).status,
      400);
  EXPECT_EQ(call(pass, "ArtifactService/FinalizeArtifact", {{"name", "blocks"}, {"size", "12"}, {"hash", digest.str()}})
                .status,
            200);
  EXPECT_EQ((*artifacts.lock())["blocks"].digest, digest);
  auto changes = pass->take_changes();
  ASSERT_EQ(changes.uploaded.size(), 1u);
  EXPECT_EQ(changes.uploaded[0].name, "blocks");
  EXPECT_TRUE(pass->take_changes().uploaded.empty());
}

TEST_F(JobServiceTest, ListsGivesAndDeletesArtifacts) {
  auto pass = service->admit(job());
  std::string zip("PK\x05\x06", 4);
  zip += std::string(18, '\0');
  auto url = url_in(call(pass, "ArtifactService/CreateArtifact", {{"name", "z"}, {"version", 4}}));
  EXPECT_EQ(put(url, zip), 201);
  EXPECT_EQ(call(pass, "ArtifactService/FinalizeArtifact", {{"name", "z"}, {"size", "22"}}).status, 200);
  EXPECT_EQ(said(call(pass, "ArtifactService/CreateArtifact", {{"name", "z"}, {"version", 4}})).substr(0, 26),
            R"(409 {"code":"already_exist)");
  auto all = must(doc::parse_json(call(pass, "ArtifactService/ListArtifacts", {}).body));
  doc::View one = doc::View(all)["artifacts"][std::size_t{0}];
  EXPECT_EQ(one["name"].text() + one["size"].text() + one["digest"].text(), "z22" + Digest::of(zip).str());
  auto none = call(pass, "ArtifactService/ListArtifacts", {{"nameFilter", "other"}});
  EXPECT_EQ(said(none), R"(200 {"artifacts":[]})");
  auto got = send("GET", url_in(call(pass, "ArtifactService/GetSignedArtifactURL", {{"name", "z"}})));
  EXPECT_EQ(got.body, zip);
  EXPECT_EQ(got.headers.get_or("content-type", ""), "application/zip");
  EXPECT_EQ(call(pass, "ArtifactService/DeleteArtifact", {{"name", "z"}}).status, 200);
  EXPECT_EQ(call(pass, "ArtifactService/GetSignedArtifactURL", {{"name", "z"}}).status, 404);
  EXPECT_EQ(pass->take_changes().deleted, std::vector<std::string>{"z"});
}

TEST_F(JobServiceTest, GivesAFileAsItIs) {
  auto pass = service->admit(job());
  auto url = url_in(
      call(pass, "ArtifactService/CreateArtifact", {{"name", "a.html"}, {"version", 7}, {"mime_type", "text/html"}}));
  EXPECT_EQ(put(url, "<p>"), 201);
  EXPECT_EQ(call(pass, "ArtifactService/FinalizeArtifact", {{"name", "a.html"}, {"size", "3"}}).status, 200);
  auto got = send("GET", url_in(call(pass, "ArtifactService/GetSignedArtifactURL", {{"name", "a.html"}})));
  EXPECT_EQ(got.body + std::string(got.headers.get_or("content-type", "")), "<p>text/html");
  EXPECT_EQ(got.headers.get_or("content-disposition", ""), "attachment; filename=\"a.html\"");
  EXPECT_EQ(call(pass, "ArtifactService/CreateArtifact", {{"name", "b"}, {"version", 7}, {"mime_type", "a/b\r\nx: y"}})
                .status,
            400);
}

TEST_F(JobServiceTest, RefusesStrangers) {
  auto pass = service->admit(job());
  auto path = at("/twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL");
  EXPECT_EQ(send("POST", path, "{}", {{"Content-Type", "application/json"}}).status, 401);
  for (auto token : {"Bearer x", "Basic x", "Bearer", "x"})
    EXPECT_EQ(send("POST", path, "{}", {{"Content-Type", "application/json"}, {"Authorization", token}}).status, 401);
  // The same claims with another end.
  auto token = pass->env().at("ACTIONS_RUNTIME_TOKEN");
  auto forged = token.substr(0, token.rfind('.')) + "." + to_base64url(std::string(32, 'x'));
  EXPECT_EQ(
      send("POST", path, "{}", {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + forged}}).status,
      401);
  auto url = url_in(call(pass, "CacheService/CreateCacheEntry", {{"key", "k"}, {"version", version}}));
  EXPECT_EQ(put(url.substr(0, url.size() - 1) + "g", "x"), 403);
  EXPECT_EQ(put(url.substr(0, url.find('?')), "x"), 403);
  EXPECT_EQ(send("GET", url).status, 405);
  EXPECT_EQ(put(url, "x"), 201);
  pass.reset();
  EXPECT_EQ(put(url, "x"), 403);
  EXPECT_EQ(
      send("POST", path, "{}", {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + token}}).status,
      401);
}

TEST_F(JobServiceTest, RefusesWhatIsTooMuch) {
  auto pass = service->admit(job());
  auto url = url_in(call(pass, "CacheService/CreateCacheEntry", {{"key", "k"}, {"version", version}}));
  EXPECT_EQ(put(url, std::string((1 << 20) + 1, 'x')), 413);
  EXPECT_EQ(send("PUT", url + "&comp=block&blockid=QQ==", std::string(600 << 10, 'x')).status, 201);
  EXPECT_EQ(send("PUT", url + "&comp=block&blockid=Qg==", std::string(600 << 10, 'x')).status, 413);
  EXPECT_EQ(
      send("PUT", url + "&comp=blocklist", "<BlockList><Latest>QQ==</Latest><Latest>QQ==</Latest></BlockList>").status,
      413);
  EXPECT_EQ(send("PUT", url, "x").status, 400);  // no x-ms-blob-type
  EXPECT_EQ(call(pass, "CacheService/FinalizeCacheEntryUpload", {{"key", "k"}, {"version", version}}).status, 404);
  int last = 200;
  for (int i = 0; i < 50 && last == 200; ++i)
    last = call(pass, "CacheService/CreateCacheEntry", {{"key", fmt::format("k{}", i)}, {"version", version}}).status;
  EXPECT_EQ(last, 403);
}

TEST_F(JobServiceTest, SaysWhatIsWrongWithARequest) {
  auto pass = service->admit(job());
  EXPECT_EQ(
      said(call(pass, "CacheService/CreateCacheEntry", {{"key", "a,b"}, {"version", version}})),
      R"(400 {"code":"invalid_argument","msg":"cache key: want 1 to 512 characters, no commas and no line breaks"})");
  EXPECT_EQ(call(pass, "CacheService/CreateCacheEntry", {{"key", "a"}, {"version", "x"}}).status, 400);
  EXPECT_EQ(call(pass, "ArtifactService/CreateArtifact", {{"name", "../x"}, {"version", 4}}).status, 400);
  EXPECT_EQ(said(call(pass, "CacheService/Nothing", {})),
            R"(404 {"code":"not_found","msg":"CacheService has no method Nothing"})");
  EXPECT_EQ(call(pass, "OtherService/Nothing", {}).status, 404);
  EXPECT_EQ(call(pass, "CacheService/CreateCacheEntry", {}, "application/protobuf").status, 404);
}

TEST_F(JobServiceTest, SaysWhoAJobIs) {
  auto plain = service->admit(job());
  EXPECT_FALSE(plain->env().contains("ACTIONS_ID_TOKEN_REQUEST_URL"));
  auto with = job();
  with.claims = doc::Map{{"sub", "repo:acme/shop:ref:refs/heads/main"}, {"repository_owner", "acme"}};
  auto pass = service->admit(std::move(with));
  auto url = pass->env().at("ACTIONS_ID_TOKEN_REQUEST_URL");
  auto ask = [&](const std::string& token, const std::string& audience) {
    return send("GET", url + audience, "", {{"Authorization", "Bearer " + token}});
  };
  auto token = pass->env().at("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
  EXPECT_EQ(ask("x", "").status, 401);
  EXPECT_EQ(ask(pass->env().at("ACTIONS_RUNTIME_TOKEN"), "").status, 401);
  auto answer = must(doc::parse_json(ask(token, "&audience=a%20b").body)).str_at({"value"});
  auto key = must(net::SigningKey::load(must(read_file(dir.path() / "key-rsa"))));
  auto claims = must(doc::parse_json(must(key.verify(answer))));
  EXPECT_EQ(claims.str_at({"aud"}), "a b");
  EXPECT_EQ(claims.str_at({"sub"}), "repo:acme/shop:ref:refs/heads/main");
  EXPECT_EQ(claims.str_at({"iss"}), at(""));
  auto usual = must(doc::parse_json(must(key.verify(must(doc::parse_json(ask(token, "").body)).str_at({"value"})))));
  EXPECT_EQ(usual.str_at({"aud"}), at("/acme"));
  auto found = must(doc::parse_json(send("GET", at("/.well-known/openid-configuration")).body));
  EXPECT_EQ(found.str_at({"issuer"}), at(""));
  auto keys = must(doc::parse_json(send("GET", found.str_at({"jwks_uri"})).body));
  auto list = doc::View(keys)["keys"];
  EXPECT_EQ(list[std::size_t{0}]["kid"].text() + list[std::size_t{0}]["alg"].text(), key.key_id() + "RS256");
  EXPECT_EQ(list[std::size_t{1}]["alg"].text() + list[std::size_t{1}]["crv"].text(), "ES256P-256");
  EXPECT_EQ(list[std::size_t{1}]["x"].text().size(), 43u);
}

TEST_F(JobServiceTest, SignsAsItIsTold) {
  ServiceOptions options{.blobs = blobs.get(), .key_file = dir.path() / "key", .url = [](bool) { return "http://h"; }};
  options.id_token_algorithm = "ES256";
  auto other = must(JobService::open(options));
  auto with = job();
  with.claims = doc::Map{{"sub", "x"}};
  auto pass = other->admit(std::move(with));
  auto own = must(net::Server::start({.threads = 2}, other->routes()));
  auto answer = send("GET", "http://" + own->address() + "/results/id-token", "",
                     {{"Authorization", "Bearer " + pass->env().at("ACTIONS_ID_TOKEN_REQUEST_TOKEN")}});
  auto key = must(net::SigningKey::load(must(read_file(dir.path() / "key"))));
  EXPECT_TRUE(key.verify(must(doc::parse_json(answer.body)).str_at({"value"}))) << answer.body;
  options.id_token_algorithm = "HS256";
  EXPECT_EQ(JobService::open(options).error().what(), "id tokens: \"HS256\", want RS256 or ES256");
  must(write_file(dir.path() / "key", "no key"));
  options.id_token_algorithm = "RS256";
  EXPECT_FALSE(JobService::open(options));
}

// The first protocol of caches, as @actions/cache speaks it without ACTIONS_CACHE_SERVICE_V2.
class FirstCacheProtocol : public JobServiceTest {
 protected:
  net::ClientResponse ask(const std::shared_ptr<JobService::Pass>& pass, std::string method, const std::string& path,
                          std::string body = {}, net::Headers more = {}) {
    more.set("Authorization", "Bearer " + pass->env().at("ACTIONS_RUNTIME_TOKEN"));
    return send(std::move(method), pass->env().at("ACTIONS_CACHE_URL") + "_apis/artifactcache/" + path, std::move(body),
                std::move(more));
  }
  std::string piece(const std::shared_ptr<JobService::Pass>& pass, std::int64_t id, const std::string& range,
                    const std::string& body) {
    return std::to_string(ask(pass, "PATCH", fmt::format("caches/{}", id), body, {{"Content-Range", range}}).status);
  }
  std::int64_t reserve(const std::shared_ptr<JobService::Pass>& pass, const std::string& key) {
    auto got = ask(pass, "POST", "caches", doc::print_json(doc::Map{{"key", key}, {"version", version}}));
    EXPECT_EQ(got.status, 201) << got.body;
    return static_cast<std::int64_t>(doc::View(must(doc::parse_json(got.body)))["cacheId"].num_or(0));
  }
  std::string query(const std::string& keys) { return "cache?keys=" + keys + "&version=" + version; }
};

TEST_F(FirstCacheProtocol, KeepsTheSameEntries) {
  auto pass = service->admit(job());
  EXPECT_EQ(ask(pass, "GET", query("one,on")).status, 204);
  auto id = reserve(pass, "one");
  EXPECT_EQ(piece(pass, id, "bytes 5-10/*", " bytes"), "204");
  EXPECT_EQ(piece(pass, id, "bytes 0-4/*", "wrong"), "204");
  EXPECT_EQ(piece(pass, id, "bytes 0-4/*", "these"), "204");  // as after a broken connection
  EXPECT_EQ(ask(pass, "POST", fmt::format("caches/{}", id), R"({"size":11})").status, 204);
  EXPECT_EQ(ask(pass, "POST", fmt::format("caches/{}", id), R"({"size":11})").status, 404);
  auto found = must(doc::parse_json(ask(pass, "GET", query("other,on")).body));
  EXPECT_EQ(found.str_at({"cacheKey"}) + " " + found.str_at({"scope"}), "one refs/heads/main");
  EXPECT_EQ(send("GET", found.str_at({"archiveLocation"})).body, "these bytes");
  EXPECT_EQ(must(doc::parse_json(find(pass, "one").body)).str_at({"matched_key"}), "one");
  save(pass, "two", "2");
  EXPECT_TRUE(ask(pass, "GET", query("two")).body.contains("\"two\""));
  EXPECT_EQ(ask(pass, "POST", "caches", doc::print_json(doc::Map{{"key", "two"}, {"version", version}})).status, 409);
  auto list = must(doc::parse_json(ask(pass, "GET", "caches?key=t").body));
  EXPECT_EQ(doc::View(list)["totalCount"].num_or(0), 1);
}

TEST_F(FirstCacheProtocol, RefusesWhatIsWrong) {
  auto pass = service->admit(job()), other = service->admit(job());
  auto id = reserve(pass, "one");
  struct Case {
    std::string range, body, want;
  };
  for (auto& c : std::to_array<Case>({{"bytes 0-4/*", "123", "400"},
                                      {"bytes 0-4/3", "12345", "400"},
                                      {"bytes 4-0/*", "1", "400"},
                                      {"bytes */*", "1", "400"},
                                      {"", "1", "400"},
                                      {"bytes 0-1048576/*", std::string((1 << 20) + 1, 'x'), "400"},
                                      {"bytes 2-3/*", "cd", "204"}}))
    EXPECT_EQ(piece(pass, id, c.range, c.body), c.want) << c.range;
  EXPECT_EQ(ask(pass, "POST", fmt::format("caches/{}", id), R"({"size":4})").status, 400);  // 0 and 1 are missing
  EXPECT_EQ(piece(other, id, "bytes 0-1/*", "ab"), "404");
  EXPECT_EQ(ask(pass, "GET", "cache?keys=a&version=../x").status, 400);
  EXPECT_EQ(ask(pass, "GET", "cache?keys=&version=" + version).status, 400);
  EXPECT_EQ(ask(pass, "DELETE", "caches/1").status, 404);
  EXPECT_EQ(ask(pass, "POST", "caches", "[]").status, 400);
  auto url = pass->env().at("ACTIONS_CACHE_URL") + "_apis/artifactcache/" + query("a");
  EXPECT_EQ(send("GET", url).status, 401);
  EXPECT_EQ(ask(pass, "POST", "caches",
                doc::print_json(doc::Map{{"key", "big"}, {"version", version}, {"cacheSize", std::int64_t{2} << 20}}))
                .status,
            400);
}

TEST_F(JobServiceTest, BytesStayWhileAJobReadsThem) {
  auto pass = service->admit(job());
  save(pass, "one", "the bytes");
  auto url = url_in(find(pass, "one"));
  auto* store = must(cache->caches());
  auto entry = must(store->list())[0];
  must(store->remove({}, entry.number));
  EXPECT_EQ(find(pass, "one").body, R"({"ok":false})");
  EXPECT_EQ(send("GET", url).body, "the bytes");
  pass.reset();
  EXPECT_FALSE(store->blobs().contains(entry.digest));
}

TEST(ActionLock, ReadsLines) {
  auto commit = std::string(40, 'a'), tree = std::string(64, 'b');
  auto lock = must(ActionLock::parse(fmt::format("# ours\n\nacme/x@v1  {} {}  # why\n", commit, tree)));
  ASSERT_TRUE(lock.find("acme/x", "v1"));
  EXPECT_EQ(lock.find("acme/x", "v1")->commit, commit);
  EXPECT_FALSE(lock.find("acme/x", "v2"));
  EXPECT_EQ(must(ActionLock::parse(lock.print())).print(), lock.print());
  auto wrong = [&](const std::string& text) { return ActionLock::parse(text).error().what(); };
  EXPECT_EQ(wrong("acme/x@v1"), ".github/actions.lock:1: want OWNER/NAME@REF COMMIT SHA256");
  EXPECT_EQ(wrong(fmt::format("\nacme@v1 {} {}", commit, tree)),
            ".github/actions.lock:2: \"acme@v1\": want OWNER/NAME@REF");
  EXPECT_EQ(wrong(fmt::format("../..@v1 {} {}", commit, tree)),
            ".github/actions.lock:1: \"../..@v1\": want OWNER/NAME@REF");
  EXPECT_EQ(wrong(fmt::format("a/b@v1 main {}", tree)),
            ".github/actions.lock:1: \"main\": want a commit of 40 hex digits");
  EXPECT_EQ(
      wrong(fmt::format("a/b@{} {} {}", std::string(40, 'c'), commit, tree)),
      fmt::format(".github/actions.lock:1: a/b@{} is locked to another commit, {}", std::string(40, 'c'), commit));
  EXPECT_TRUE(wrong(fmt::format("a/b@v1 {0} {1}\na/b@v1 {0} {1}", commit, tree)).contains("stands here twice"));
}

class ActionSourceTest : public testing::Test {
 protected:
  ActionSourceTest() : dir(must(TempDir::make("actions"))) {
    auto made = must(git::Repository::init(mirror()));
    first = commit(made, "one", {});
    must(made.update_ref("refs/tags/v1", first, {}, "test"));
    source = must(ActionSource::open({.root = dir.path() / "kept", .places = {(dir.path() / "mirrors").native()}}));
  }
  fs::path mirror() { return dir.path() / "mirrors/acme/probe.git"; }
  git::Oid commit(git::Repository& repository, const std::string& text, std::vector<git::Oid> parents) {
    auto tree = must(repository.write_tree({}, {{"action.yml", text}, {"lib/x.js", "x"}}));
    git::Signature who{"ada", "ada@example.com", {}};
    auto id = must(repository.write_commit(tree, parents, who, text));
    must(repository.update_ref("refs/heads/main", id, {}, "test"));
    return id;
  }
  std::string text(const Result<std::optional<fs::path>>& folder) {
    if (!folder) return folder.error().what();
    return *folder ? must(read_file(**folder / "action.yml")) : "nothing";
  }
  TempDir dir;
  git::Oid first;
  std::shared_ptr<ActionSource> source;
};

TEST_F(ActionSourceTest, GivesTagsBranchesAndCommits) {
  auto repository = must(git::Repository::open(mirror()));
  auto second = commit(repository, "two", {first});
  EXPECT_EQ(text(source->folder({}, "acme/probe", "v1")), "one");
  EXPECT_EQ(text(source->folder({}, "acme/probe", "main")), "two");
  EXPECT_EQ(text(source->folder({}, "acme/probe", first)), "one");
  EXPECT_EQ((*must(source->folder({}, "acme/probe", "main"))).filename(), second);
  EXPECT_EQ(text(source->folder({}, "acme/other", "v1")), "nothing");
  EXPECT_EQ(text(source->folder({}, "acme/probe", "v9")), "acme/probe has no tag, branch or commit v9");
  EXPECT_EQ(text(source->folder({}, "acme/probe", first.substr(0, 8))),
            fmt::format("acme/probe has no tag, branch or commit {}", first.substr(0, 8)));
  for (auto name : {"../..", "acme/..", "a", "a/b/c", "acme/pro be"})
    EXPECT_TRUE(text(source->folder({}, name, "v1")).contains("want OWNER/NAME")) << name;
  for (auto ref : {"../x", "", "a b", "HEAD~1", "v1^{tree}", "-x", "a/../b", "a:b"})
    EXPECT_TRUE(text(source->folder({}, "acme/probe", ref)).contains("want a tag, a branch or a commit")) << ref;
}

TEST_F(ActionSourceTest, RefusesWhatTheLockDoesNotSay) {
  auto repository = must(git::Repository::open(mirror()));
  auto empty = must(ActionLock::parse(""));
  auto refused = source->folder({}, "acme/probe", "v1", &empty);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), ".github/actions.lock: acme/probe@v1 is not in it");
  auto line = refused.error().hint().substr(refused.error().hint().find("acme/"));
  auto lock = must(ActionLock::parse(line));
  EXPECT_EQ(text(source->folder({}, "acme/probe", "v1", &lock)), "one");
  // The tag moves: what was locked is still what runs.
  auto second = commit(repository, "two", {first});
  must(repository.update_ref("refs/tags/v1", second, {}, "test"));
  EXPECT_EQ(text(source->folder({}, "acme/probe", "v1", &lock)), "one");
  EXPECT_EQ(text(source->folder({}, "acme/probe", "v1")), "two");
  auto other = must(ActionLock::parse(fmt::format("acme/probe@v1 {} {}", second, std::string(64, '0'))));
  EXPECT_TRUE(text(source->folder({}, "acme/probe", "v1", &other)).contains("holds other files")) << second;
}

TEST_F(ActionSourceTest, FetchesFromAConfiguredBaseOnce) {
  auto base = "file://" + (dir.path() / "mirrors").native() + "/{owner}/{name}.git";
  auto remote = must(ActionSource::open({.root = dir.path() / "fetched", .places = {base}}));
  EXPECT_EQ(text(remote->folder({}, "acme/probe", first)), "one");
  must(remove_tree(mirror()));
  EXPECT_EQ(text(remote->folder({}, "acme/probe", first)), "one");
  EXPECT_EQ(text(remote->folder({}, "acme/probe", "v1")), "one");  // stale is better than nothing
  auto bad = ActionSource::open({.root = dir.path() / "x", .places = {"https://git.example.com/mirrors"}});
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().what().contains("{owner}"));
}

TEST_F(ActionSourceTest, GivesSingleFiles) {
  auto deep = dir.path() / "mirrors/group/sub/parts.git";
  auto made = must(git::Repository::init(deep));
  git::Signature who{"ada", "ada@example.com", {}};
  std::string last;
  for (auto* tag : {"v1.2.0", "v1.10.0", "v2.0.0-rc1", "other"}) {
    auto tree = must(made.write_tree({}, {{"templates/a.yml", tag}}));
    auto id = must(made.write_commit(tree, last.empty() ? std::vector<git::Oid>{} : std::vector{last}, who, tag));
    must(made.update_ref("refs/heads/main", id, {}, "test"));
    must(made.update_ref(std::string("refs/tags/") + tag, id, {}, "test"));
    last = id;
  }
  must(make_dirs(dir.path() / "mirrors/example.test/x"));
  must(write_file(dir.path() / "mirrors/example.test/x/c.yml", "of a URL"));
  auto get = [&](const std::string& repository, const std::string& ref, const std::string& path) {
    auto found = source->file({}, repository, ref, path);
    return !found ? found.error().what() : found->value_or("none");
  };
  EXPECT_EQ(get("group/sub/parts", "", "templates/a.yml"), "other");
  EXPECT_EQ(get("group/sub/parts", "v1.2.0", "templates/a.yml"), "v1.2.0");
  EXPECT_EQ(get("group/sub/parts", "~latest", "templates/a.yml"), "v1.10.0");
  EXPECT_EQ(get("group/sub/parts", "1", "templates/a.yml"), "v1.10.0");
  EXPECT_EQ(get("group/sub/parts", "1.2", "templates/a.yml"), "v1.2.0");
  EXPECT_EQ(get("group/sub/parts", "3", "templates/a.yml"), "group/sub/parts has no tag, branch or commit 3");
  EXPECT_EQ(get("group/sub/parts", "", "templates/none.yml"), "none");
  EXPECT_EQ(get("group/none", "", "a.yml"), "no place of this house has group/none");
  EXPECT_TRUE(get("../x", "", "a.yml").contains("want GROUP/NAME"));
  EXPECT_EQ(get("", "", "https://example.test/x/c.yml?raw=1"), "of a URL");
  EXPECT_EQ(get("", "", "https://example.test/y.yml"), "none");
  EXPECT_TRUE(get("", "", "https://example.test/../../etc/passwd").contains("want https://HOST/PATH"));
}

}  // namespace
}  // namespace slipway::ci
