#include "api/front.h"

#include "base/encode.h"
#include "base/hash.h"
#include "engine/git_policy.h"
#include "engine/registry_settings.h"
#include "engine/testing.h"
#include "web/assets.h"

namespace slipway::api {
namespace {

class TextBody final : public net::BodyReader {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(const Ctx&, std::span<char> buffer) override {
    auto size = text_.copy(buffer.data(), buffer.size(), at_);
    at_ += size;
    return size;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

class Kept final : public net::PushStream {
 public:
  bool write(std::string_view bytes) override {
    text += bytes;
    return !over;
  }
  void close() override { over = true; }
  bool closed() const override { return over; }
  void on_close(std::function<void()>) override {}
  std::string text;
  bool over = false;
};

// The house as `up` opens it, as far as the front reaches. The registry takes everything from everybody, so that what
// is refused here is refused by the front.
struct Front : engine::HouseTest {
  net::Handler all, for_pods;
  std::string admin, ada;  // Authorization headers; ada is known, and no RBAC object names her

  void SetUp() override {
    house.settings.data = dir.path();
    house.users = must(engine::Users::open(dir.path()));
    admin = "Bearer " + house.users->admin_token();
    ada = "Bearer " + must(house.users->add("ada", {"developers"}));
    house.blobs = must(store::BlobStore::open(dir.path() / "blobs"));
    house.registry =
        must(oci::Registry::open(*house.blobs, dir.path() / "registry.db", must(engine::registry_options(house))));
    cluster::ApiOptions options;
    options.database = dir.path() / "cluster.db";
    options.authenticate = [this](const net::Request& request) -> std::optional<cluster::ApiOptions::User> {
      auto user = house.users->by_header(request.headers.get_or("authorization", ""));
      if (!user) return std::nullopt;
      return cluster::ApiOptions::User{user->name, user->groups};
    };
    options.namespaces = {std::string(path::home)};
    house.api = must(cluster::ApiServer::open(std::move(options)));
    house.client = house.api->client("slipway");
    house.run_logs = std::make_unique<engine::RunLogs>(house.logs());
    house.git = must(git::Host::open(dir.path() / "git", engine::git_policy(house)));
    house.job_service =
        must(ci::JobService::open({.blobs = house.blobs.get(), .url = [](bool) { return "http://127.0.0.1:1"; }}));
    all = front(house);
    for_pods = front_for_pods(house);
  }

  net::Response ask(const net::Handler& handler, std::string method, std::string target, const std::string& who = {},
                    std::string body = {}, std::string_view type = {}) {
    TextBody reader(body);
    net::Request request;
    auto mark = target.find('?');
    request.method = std::move(method);
    request.path = request.raw_path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = net::parse_query(target.substr(mark + 1));
    request.target = std::move(target);
    if (!who.empty()) request.headers.set("Authorization", who);
    if (!type.empty()) request.headers.set("Content-Type", type);
    if (!body.empty()) request.headers.set("Content-Length", std::to_string(body.size()));
    request.body = &reader;
    return handler(ctx, request);
  }
  net::Response get(std::string target, const std::string& who = {}) { return ask(all, "GET", std::move(target), who); }
  static std::string text(const net::Response& response) {
    auto* held = std::get_if<std::string>(&response.body);
    return held != nullptr ? *held : "(a stream)";
  }
  static std::string header(const net::Response& response, std::string_view name) {
    return std::string(response.headers.get_or(name, ""));
  }
};

using FrontKubernetes = Front;
using FrontLogs = Front;
using FrontRegistry = Front;
using FrontGit = Front;
using FrontPage = Front;

TEST_F(FrontKubernetes, WantsAUserAndAsksWhatHeMay) {
  const std::string secrets = "/api/v1/namespaces/default/secrets";
  EXPECT_EQ(get(secrets).status, 401);
  EXPECT_EQ(get(secrets, "Bearer wrong").status, 401);
  EXPECT_EQ(get(secrets, ada).status, 403);
  EXPECT_EQ(get(secrets, admin).status, 200);
  EXPECT_EQ(get("/apis").status, 401);
  EXPECT_EQ(get("/openapi/v3").status, 401);
}

TEST_F(FrontKubernetes, SaysToAnybodyThatItLives) {
  for (auto path : {"/healthz", "/readyz", "/livez", "/version"}) EXPECT_EQ(get(path).status, 200) << path;
}

TEST_F(FrontKubernetes, JoinedWatchesAddNoRights) {
  const std::string watch = "/watch?of=%2Fapi%2Fv1%2Fsecrets%3Fwatch%3D1";
  EXPECT_EQ(get(watch).status, 401);
  EXPECT_EQ(get(watch, "Bearer wrong").status, 401);
  auto response = get(watch, ada);
  auto* park = std::get_if<net::ParkBody>(&response.body);
  ASSERT_NE(park, nullptr) << text(response);
  auto stream = std::make_shared<Kept>();
  (*park)(stream);
  EXPECT_TRUE(stream->text.starts_with(R"({"of":0,"end":403,)")) << stream->text;
  EXPECT_TRUE(stream->over);
}

TEST_F(FrontKubernetes, JoinedWatchesReachNothingElse) {
  EXPECT_EQ(get("/watch", admin).status, 400);
  for (auto of : {"%2Flogs%2Frun-1%3Fwatch%3D1", "%2Fapi%2F..%2Flogs%3Fwatch%3D1", "%2Fapi%2Fv1%2Fsecrets"})
    EXPECT_EQ(get(fmt::format("/watch?of={}", of), admin).status, 400) << of;
}

TEST_F(FrontLogs, WantAUser) {
  ASSERT_TRUE(house.run_logs->append("run-1", "build", "made\n"));
  for (auto path : {"/logs/run-1", "/logs/run-1/build", "/logs/run-1/build?follow=1", "/logs/none"}) {
    for (const auto& who : {std::string(), std::string("Bearer wrong"), "Basic " + to_base64("admin:")}) {
      auto refused = get(path, who);
      EXPECT_EQ(refused.status, 401) << path << " " << who;
      EXPECT_EQ(header(refused, "WWW-Authenticate"), "Basic realm=\"slipway\"");
      EXPECT_EQ(text(refused).find("made"), std::string::npos);
    }
  }
  for (const auto& who : {admin, ada, "Basic " + to_base64("anybody:" + house.users->admin_token())}) {
    EXPECT_EQ(text(get("/logs/run-1", who)), "build\n");
    EXPECT_EQ(text(get("/logs/run-1/build", who)), "made\n");
  }
}

TEST_F(FrontLogs, SayWhatIsNotThere) {
  EXPECT_EQ(get("/logs/", admin).status, 404);
  EXPECT_EQ(get("/logs/run-1/build/more", admin).status, 404);
  EXPECT_EQ(get("/logs/run-1/build", admin).status, 404);
}

// The server refuses dot segments before; this is the second fence.
TEST_F(FrontLogs, StayInTheirFolder) {
  ASSERT_TRUE(house.run_logs->append("run-1", "build", "made\n"));  // the folder is there to be left
  ASSERT_TRUE(write_file(dir.path() / "outside.log", "hidden\n"));
  ASSERT_TRUE(path_exists(house.logs() / ".." / "outside.log"));
  EXPECT_EQ(text(get("/logs/..", admin)).find("outside"), std::string::npos);
  for (auto path : {"/logs/../outside", "/logs/run-1/../../outside"})
    EXPECT_EQ(text(get(path, admin)).find("hidden"), std::string::npos) << path;
  auto followed = get("/logs/../outside?follow=1", admin);
  if (auto* park = std::get_if<net::ParkBody>(&followed.body)) {
    auto stream = std::make_shared<Kept>();
    (*park)(stream);
    EXPECT_EQ(stream->text, "");
  }
}

TEST_F(FrontLogs, AreFollowedUntilTheRunEnds) {
  ASSERT_TRUE(house.run_logs->append("run-1", "build", "one\n"));
  auto response = get("/logs/run-1/build?follow=1", admin);
  auto* park = std::get_if<net::ParkBody>(&response.body);
  ASSERT_NE(park, nullptr) << text(response);
  auto stream = std::make_shared<Kept>();
  (*park)(stream);
  EXPECT_EQ(stream->text, "one\n");
  ASSERT_TRUE(house.run_logs->append("run-1", "build", "two\n"));
  EXPECT_EQ(stream->text, "one\ntwo\n");
  EXPECT_FALSE(stream->over);
  house.run_logs->finish("run-1");
  EXPECT_TRUE(stream->over);
}

TEST_F(FrontLogs, AreWaitedForBeforeTheirFirstLine) {
  house.run_logs->begin("run-1");
  auto response = get("/logs/run-1/build?follow=1", admin);
  auto* park = std::get_if<net::ParkBody>(&response.body);
  ASSERT_NE(park, nullptr) << text(response);
  auto stream = std::make_shared<Kept>();
  (*park)(stream);
  EXPECT_FALSE(stream->over);
  ASSERT_TRUE(house.run_logs->append("run-1", "build", "one\n"));
  EXPECT_EQ(stream->text, "one\n");
}

TEST_F(FrontRegistry, EverybodyPullsUsersPush) {
  const std::string type = "application/vnd.oci.image.manifest.v1+json";
  const std::string blob = "/v2/shop/blobs/uploads/?digest=sha256:" + sha256_hex("{}");
  auto manifest = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:{}"}},"layers":[]}})",
      type, sha256_hex("{}"));
  auto push_blob = [&](const std::string& who) {
    return ask(all, "POST", blob, who, "{}", "application/octet-stream");
  };
  auto push_manifest = [&](const std::string& who) {
    return ask(all, "PUT", "/v2/shop/manifests/v1", who, manifest, type);
  };
  // "Basic Og==" is no name and no password, as some clients send for nobody.
  for (const std::string who : {"", "Basic Og==", "Bearer wrong"}) {
    EXPECT_EQ(push_blob(who).status, 401) << who;
    EXPECT_EQ(push_manifest(who).status, 401) << who;
  }
  EXPECT_TRUE(must(house.registry->repositories()).empty());

  auto pushed = push_blob(ada);
  ASSERT_EQ(pushed.status, 201) << text(pushed);
  pushed = push_manifest(ada);
  ASSERT_EQ(pushed.status, 201) << text(pushed);
  for (const std::string who : {"", "Basic Og=="}) {
    EXPECT_EQ(get("/v2/shop/manifests/v1", who).status, 200) << who;
    EXPECT_EQ(ask(all, "HEAD", "/v2/shop/manifests/v1", who).status, 200) << who;
    EXPECT_EQ(ask(all, "DELETE", "/v2/shop/manifests/v1", who).status, 401) << who;
  }
  EXPECT_TRUE(must(house.registry->manifest("shop", "v1"))) << "deleted by nobody";
  EXPECT_EQ(get("/v2/shop/manifests/v1", "Bearer wrong").status, 401) << "a wrong token is not nobody";
}

// docker login asks this to learn whether a password is right, and clients send theirs only when asked.
TEST_F(FrontRegistry, ThePingAsksWhoItIs) {
  for (auto path : {"/v2/", "/v2"}) {
    auto asked = get(path);
    EXPECT_EQ(asked.status, 401) << path;
    EXPECT_EQ(header(asked, "WWW-Authenticate"), "Basic realm=\"slipway\", charset=\"UTF-8\"") << "no Host header";
    EXPECT_EQ(header(asked, "Docker-Distribution-Api-Version"), "registry/2.0");
    EXPECT_EQ(get(path, ada).status, 200) << path;
  }
}

TEST_F(FrontGit, EverybodyReadsUsersPush) {
  commit("shop", "main", {{"a", "1\n"}});
  const std::string read = "/git/shop.git/info/refs?service=git-upload-pack";
  const std::string push = "/git/shop.git/info/refs?service=git-receive-pack";
  EXPECT_EQ(get(read).status, 200);
  EXPECT_EQ(get(read, "Basic " + to_base64("admin:wrong")).status, 401) << "a wrong token is not nobody";
  EXPECT_EQ(get(push).status, 401);
  EXPECT_EQ(get(push, "Basic " + to_base64("admin:wrong")).status, 401);
  EXPECT_EQ(get(push, "Basic " + to_base64("ada:" + ada.substr(7))).status, 200);
  EXPECT_EQ(ask(all, "POST", "/git/shop.git/git-receive-pack", "", "0000").status, 401);
}

TEST_F(FrontGit, NobodyMakesARepository) {
  EXPECT_EQ(get("/git/new.git/info/refs?service=git-receive-pack").status, 401);
  EXPECT_TRUE(must(house.git->list()).empty());
}

TEST_F(Front, HooksWithoutASecretAreRefused) {
  EXPECT_EQ(ask(all, "POST", "/hooks/github", "", R"({"ref":"refs/heads/main"})", "application/json").status, 401);
}

// Prometheus has no token here; so nothing that is secret may be in it.
TEST_F(Front, MetricsAreForEverybody) {
  auto response = get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(header(response, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(text(response).find("# TYPE slipway_intake_hooks_total counter\n"), std::string::npos) << text(response);
  EXPECT_EQ(text(response).find("slipway_gateway_"), std::string::npos);
  EXPECT_EQ(text(response).find(house.users->admin_token()), std::string::npos);

  house.gateway = must(cluster::Gateway::open(house.api->client("gateway"), {.node_ip = "127.0.0.1"}));
  auto with_gateway = text(get("/metrics"));
  EXPECT_NE(with_gateway.find("# TYPE slipway_intake_hooks_total counter\n"), std::string::npos);
  EXPECT_NE(with_gateway.find("# TYPE slipway_gateway_requests_total counter\n"), std::string::npos);
}

TEST_F(Front, PodsReachTheKubernetesApiAlone) {
  ASSERT_TRUE(house.run_logs->append("run-1", "build", "made\n"));
  commit("shop", "main", {{"a", "1\n"}});
  for (auto path : {"/", "/index.html", "/v2/", "/v2/_catalog", "/git/shop.git/info/refs?service=git-upload-pack",
                    "/logs/run-1/build", "/metrics", "/watch?of=%2Fapi%2Fv1%2Fpods%3Fwatch%3D1", "/hooks/github"})
    EXPECT_EQ(ask(for_pods, "GET", path, admin).status, 404) << path;
  const std::string pods = "/api/v1/namespaces/default/pods";
  EXPECT_EQ(ask(for_pods, "GET", pods).status, 401);
  EXPECT_EQ(ask(for_pods, "GET", pods, ada).status, 403);
  EXPECT_EQ(ask(for_pods, "GET", pods, admin).status, 200);
  EXPECT_EQ(ask(for_pods, "GET", "/healthz").status, 200);
}

void expect_fenced(const net::Response& response) {
  auto policy = std::string(response.headers.get_or("Content-Security-Policy", ""));
  for (auto rule : {"default-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"})
    EXPECT_NE(policy.find(rule), std::string::npos) << rule << " in: " << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  EXPECT_EQ(response.headers.get_or("X-Content-Type-Options", ""), "nosniff");
  EXPECT_EQ(response.headers.get_or("Referrer-Policy", ""), "no-referrer");
}

TEST_F(FrontPage, IsFencedInAndAsksForNobody) {
  if (!web::asset("/index.html")) GTEST_SKIP() << "the page was not built: npm --prefix web run build";
  for (auto path : {"/", "/index.html", "/runs/run-1"}) {  // the last: a link into the page
    auto response = get(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(text(response), web::asset("/index.html")->content) << path;
    EXPECT_EQ(header(response, "Content-Type"), "text/html; charset=utf-8") << path;
    EXPECT_EQ(header(response, "Cache-Control"), "no-cache") << path;
    expect_fenced(response);
  }
  EXPECT_EQ(get("/none.js").status, 404) << "a file that is not there is not the page";
}

TEST_F(FrontPage, TakesNothing) {
  auto response = ask(all, "POST", "/runs", admin);
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.get_or("Allow", ""), "GET, HEAD");
}

TEST_F(FrontPage, FilesNamedByTheirDigestAreKept) {
  auto index = web::asset("/index.html");
  if (!index) GTEST_SKIP() << "the page was not built: npm --prefix web run build";
  auto from = index->content.find("/assets/");
  ASSERT_NE(from, std::string_view::npos) << index->content;
  auto name = std::string(index->content.substr(from, index->content.find('"', from) - from));
  auto response = get(name);
  EXPECT_EQ(response.status, 200) << name;
  EXPECT_EQ(header(response, "Cache-Control"), "public, max-age=31536000, immutable");
  expect_fenced(response);
}

TEST_F(FrontPage, SaysHowToGetItWhenItWasNotBuilt) {
  if (web::asset("/index.html")) GTEST_SKIP() << "the page was built into this program";
  auto response = get("/");
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(text(response).find("script/setup"), std::string::npos) << text(response);
}

using FrontJobServices = Front;
// A person's token is none of a job's; what others verify identities with is for everybody.
TEST_F(FrontJobServices, TakeTokensOfJobsAlone) {
  for (auto* handler : {&all, &for_pods}) {
    EXPECT_EQ(
        ask(*handler, "POST", "/twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry", admin, "{}").status,
        401);
    EXPECT_EQ(ask(*handler, "GET", "/results/id-token?audience=x", admin).status, 401);
    EXPECT_EQ(ask(*handler, "PUT", "/results/blobs/x?sig=", admin).status, 403);
    EXPECT_EQ(ask(*handler, "GET", "/.well-known/openid-configuration").status, 200);
    EXPECT_EQ(ask(*handler, "GET", "/.well-known/jwks").status, 200);
  }
}

}  // namespace
}  // namespace slipway::api
