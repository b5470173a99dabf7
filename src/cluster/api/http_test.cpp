// The wire: what clients other than kubectl see.
#include <gtest/gtest.h>

#include "base/guarded.h"
#include "base/text.h"
#include "cluster/testing.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "net/client.h"
#include "net/jwt.h"

namespace slipway::cluster {
namespace {

class Wire : public testing::Test {
 protected:
  struct Answer {
    int status = 0;
    std::string type, warning, text;
    doc::Value body;
    doc::View operator[](std::string_view key) const { return doc::View(body)[key]; }
  };
  void SetUp() override {
    ApiOptions options;
    options.authenticate = [](const net::Request& request) -> std::optional<ApiOptions::User> {
      auto token = request.headers.get_or("authorization", "");
      if (token == "Bearer admin") return ApiOptions::User{"root", {"system:masters"}};
      if (token == "Bearer ada") return ApiOptions::User{"ada", {"developers"}};
      return std::nullopt;
    };
    options.token_key_pem = must(net::make_signing_key());
    api.emplace(make_test_api(std::move(options)));
    server = must(net::Server::start({}, (*api)->routes()));
  }
  void TearDown() override {
    server.reset();
    api.reset();
  }
  net::ClientRequest request(std::string method, std::string path, std::string body = {}, net::Headers headers = {}) {
    net::ClientRequest r;
    r.method = std::move(method), r.url = "http://" + server->address() + path;
    r.headers = std::move(headers);
    if (!r.headers.get("authorization")) r.headers.set("Authorization", "Bearer admin");
    if (!body.empty() && !r.headers.get("content-type")) r.headers.set("Content-Type", "application/json");
    r.body = std::move(body);
    return r;
  }
  Answer ask(std::string method, std::string path, std::string body = {}, net::Headers headers = {}) {
    auto answer =
        must(client.send(ctx, request(std::move(method), std::move(path), std::move(body), std::move(headers))));
    Answer out{answer.status,
               std::string(answer.headers.get_or("content-type", "")),
               std::string(answer.headers.get_or("warning", "")),
               answer.body,
               {}};
    if (auto parsed = doc::parse_json(answer.body)) out.body = *std::move(parsed);
    return out;
  }
  void map(const std::string& name, std::string_view label = "x") {
    auto made = ask("POST", "/api/v1/namespaces/default/configmaps",
                    fmt::format(R"({{"metadata":{{"name":"{}","labels":{{"app":"{}"}}}}}})", name, label));
    ASSERT_EQ(made.status, 201) << made.text;
  }
  // The first n lines of a stream, as "TYPE name".
  std::string stream(std::string path, std::size_t n, const std::function<void()>& meanwhile = {},
                     net::Headers headers = {}) {
    std::string text;
    bool started = false;
    std::vector<std::string> seen;
    std::jthread writer;
    (void)client.stream(ctx, request("GET", std::move(path), {}, std::move(headers)), [&](std::string_view piece) {
      if (!started && meanwhile) writer = std::jthread(meanwhile);
      started = true;
      text += piece;
      for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
        auto event = must(doc::parse_json(text.substr(0, end)));
        text.erase(0, end + 1);
        doc::View v(event);
        auto name = v["object"]["metadata"]["name"].text();
        if (v["object"]["kind"].text() == "Table") name = "table:" + v["object"]["rows"][0]["cells"][0].text();
        if (v["object"]["kind"].text() == "Status") name = v["object"]["reason"].text();
        if (v["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"].present()) name = "end";
        seen.push_back(v["type"].text() + " " + name);
      }
      return seen.size() < n;
    });
    return join(seen, ", ");
  }
  std::optional<TestApi> api;
  std::unique_ptr<net::Server> server;
  net::Client client;
  Ctx ctx = Ctx{}.within(Millis(20000));
};

// A service account's token: asked for, shown, looked at by somebody else, and worth nothing once the account is gone.
TEST_F(Wire, ServiceAccountsHaveTokens) {
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  ASSERT_EQ(ask("POST", accounts, R"({"metadata":{"name":"robot"}})").status, 201);
  auto made = ask("POST", accounts + "/robot/token", R"({"spec":{"expirationSeconds":600}})");
  ASSERT_EQ(made.status, 201) << made.text;
  auto token = made["status"]["token"].text();
  EXPECT_FALSE(made["status"]["expirationTimestamp"].text().empty());
  net::Headers robot{{"Authorization", "Bearer " + token}};
  auto refused = ask("GET", "/api/v1/namespaces/default/pods", {}, robot);
  EXPECT_EQ(refused.status, 403);
  EXPECT_TRUE(refused["message"].text().contains("\"system:serviceaccount:default:robot\"")) << refused.text;
  ASSERT_EQ(
      ask("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
          R"({"metadata":{"name":"robots"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"robot","namespace":"default"}]})")
          .status,
      201);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/pods", {}, robot).status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/kube-system/pods", {}, robot).status, 403);

  auto review = [&](const std::string& shown, const std::string& audience = "") {
    auto said = ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                    fmt::format(R"({{"spec":{{"token":"{}"{}}}}})", shown,
                                audience.empty() ? "" : fmt::format(R"(,"audiences":["{}"])", audience)));
    return said["status"]["authenticated"].bool_or(false) ? said["status"]["user"]["username"].text() : "nobody";
  };
  EXPECT_EQ(review(token), "system:serviceaccount:default:robot");
  EXPECT_EQ(review(token, "vault"), "nobody");
  EXPECT_EQ(review(token + "x"), "nobody");
  auto vault = ask("POST", accounts + "/robot/token", R"({"spec":{"audiences":["vault"]}})")["status"]["token"].text();
  EXPECT_EQ(review(vault, "vault"), "system:serviceaccount:default:robot");
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/pods", {}, {{"Authorization", "Bearer " + vault}}).status, 401)
      << "meant for another";

  EXPECT_EQ(ask("POST", accounts + "/nobody/token", "{}").status, 404);
  EXPECT_EQ(ask("POST", accounts + "/robot/token", R"({"spec":{"expirationSeconds":5}})").status, 422);
  EXPECT_EQ(
      ask("POST", accounts + "/robot/token", R"({"spec":{"boundObjectRef":{"kind":"Pod","name":"none"}}})").status,
      404);
  ASSERT_EQ(ask("DELETE", accounts + "/robot").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/pods", {}, robot).status, 401);
  ASSERT_EQ(ask("POST", accounts, R"({"metadata":{"name":"robot"}})").status, 201);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/pods", {}, robot).status, 401) << "another account of the same name";
}

TEST_F(Wire, AsksWhoYouAre) {
  EXPECT_EQ(ask("GET", "/api/v1/pods", {}, {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_EQ(ask("GET", "/readyz", {}, {{"Authorization", "none"}}).status, 200);
  auto refused = ask("GET", "/api/v1/namespaces/default/secrets", {}, {{"Authorization", "Bearer ada"}});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused["message"].text(),
            "secrets is forbidden: User \"ada\" cannot list resource \"secrets\" in API group \"\" in the namespace "
            "\"default\"");
  auto bound = ask(
      "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
      R"({"metadata":{"name":"devs"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"Group","name":"developers"}]})");
  ASSERT_EQ(bound.status, 201) << bound.text;
  net::Headers ada{{"Authorization", "Bearer ada"}};
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/pods", {}, ada).status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/kube-system/pods", {}, ada).status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/secrets", {}, ada).status, 403);
  EXPECT_EQ(ask("DELETE", "/api/v1/namespaces/default/pods/x", {}, ada).status, 403);
  auto review = ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                    R"({"spec":{"resourceAttributes":{"verb":"list","resource":"pods","namespace":"default"}}})", ada);
  EXPECT_TRUE(review["status"]["allowed"].bool_or(false)) << review.text;
}

// kubectl --as, and what deploys for others.
TEST_F(Wire, ActsAsAnother) {
  ASSERT_EQ(
      ask("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
          R"({"metadata":{"name":"r"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"robot","namespace":"default"},{"kind":"Group","name":"readers"}]})")
          .status,
      201);
  struct Case {
    const char* name;
    net::Headers headers;
    int status;
    const char* message;
  };
  const net::Headers robot{{"Impersonate-User", "system:serviceaccount:default:robot"}};
  for (const auto& [name, headers, status, message] : std::vector<Case>{
           {"an account", robot, 200, ""},
           {"another",
            {{"Impersonate-User", "system:serviceaccount:default:other"}},
            403,
            "pods is forbidden: User \"system:serviceaccount:default:other\" cannot list resource \"pods\" in API "
            "group "
            "\"\" in the namespace \"default\""},
           {"a user with groups", {{"Impersonate-User", "eve"}, {"Impersonate-Group", "readers"}}, 200, ""},
           {"who may not",
            {{"Authorization", "Bearer ada"}, {"Impersonate-User", "root"}},
            403,
            "User \"ada\" cannot impersonate resource \"users\" in API group \"\": \"root\""},
           {"the mighty by a group",
            {{"Authorization", "Bearer ada"}, {"Impersonate-User", "ada"}, {"Impersonate-Group", "system:masters"}},
            403,
            "User \"ada\" cannot impersonate resource \"users\" in API group \"\": \"ada\""},
           {"groups alone", {{"Impersonate-Group", "readers"}}, 400, "Impersonate-Group without Impersonate-User"},
           {"what is not kept",
            {{"Impersonate-User", "eve"}, {"Impersonate-Extra-Team", "x"}},
            400,
            "Impersonate-Extra-Team: only users and groups can be impersonated here"},
       }) {
    SCOPED_TRACE(name);
    auto answer = ask("GET", "/api/v1/namespaces/default/pods", {}, headers);
    EXPECT_EQ(answer.status, status) << answer.text;
    EXPECT_EQ(answer["message"].text(), message);
  }
  auto who = ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", robot);
  EXPECT_EQ(who["status"]["userInfo"]["username"].text(), "system:serviceaccount:default:robot") << who.text;
  EXPECT_TRUE(who.text.contains("system:serviceaccounts:default")) << who.text;
}

TEST_F(Wire, WatchesStream) {
  map("a");
  EXPECT_EQ(stream("/api/v1/namespaces/default/configmaps?watch=true", 3,
                   [&] { map("b"), ask("DELETE", "/api/v1/namespaces/default/configmaps/a"); }),
            "ADDED a, ADDED b, DELETED a");
  EXPECT_EQ(
      stream("/api/v1/"
             "configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
             2),
      "ADDED b, BOOKMARK end");
  EXPECT_EQ(stream("/api/v1/configmaps?watch=1", 1, {}, {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}}),
            "ADDED table:b");
  map("d", "y");
  auto leave = [&] {
    ask("PATCH", "/api/v1/namespaces/default/configmaps/d", R"({"metadata":{"labels":{"app":"z"}}})",
        {{"Content-Type", "application/merge-patch+json"}});
  };
  EXPECT_EQ(stream("/api/v1/configmaps?watch=1&labelSelector=app%3Dy", 2, leave), "ADDED d, DELETED d");
  EXPECT_EQ(stream("/api/v1/configmaps?watch=1&resourceVersion=1", 2).substr(0, 7), "ADDED a");
  EXPECT_EQ(ask("GET", "/api/v1/configmaps?watch=1&resourceVersion=x").status, 400);
  EXPECT_EQ(ask("GET", "/api/v1/configmaps?watch=1&timeoutSeconds=1&resourceVersion=999").status, 200)
      << "ends by itself";
}

TEST_F(Wire, AVersionThatIsForgottenIsGone) {
  auto folder = api->folder.path() / "again.db";
  {
    auto first = make_test_api({.database = folder});
  }
  auto second = make_test_api({.database = folder});
  auto again = must(net::Server::start({}, second->routes()));
  server.swap(again);
  EXPECT_EQ(stream("/api/v1/namespaces?watch=1&resourceVersion=1", 1), "ERROR Expired");
  server.swap(again);
  again.reset();
}

TEST_F(Wire, AnswersInTheFormAsked) {
  map("a"), map("b");
  auto table = ask("GET", "/api/v1/namespaces/default/configmaps", {},
                   {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}});
  EXPECT_EQ(table["kind"].text(), "Table");
  EXPECT_EQ(table["rows"][0]["object"]["kind"].text(), "PartialObjectMetadata");
  auto metadata = ask("GET", "/api/v1/namespaces/default/configmaps", {},
                      {{"Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}});
  EXPECT_EQ(metadata["kind"].text(), "PartialObjectMetadataList");
  EXPECT_EQ(ask("GET", "/api/v1/configmaps", {}, {{"Accept", "application/vnd.kubernetes.protobuf"}}).status, 406);
  EXPECT_TRUE(
      ask("GET", "/api/v1/configmaps", {}, {{"Accept", "application/yaml"}}).text.starts_with("kind: ConfigMapList"));
  auto page = ask("GET", "/api/v1/namespaces/default/configmaps?limit=1");
  auto rest = ask("GET", fmt::format("/api/v1/namespaces/default/configmaps?limit=1&continue={}",
                                     page["metadata"]["continue"].text()));
  EXPECT_EQ(rest["items"][0]["metadata"]["name"].text(), "b");
  EXPECT_FALSE(rest["metadata"]["continue"].present());
  EXPECT_EQ(ask("DELETE", "/api/v1/namespaces/default/configmaps?labelSelector=app%3Dx").status, 200);
  EXPECT_TRUE(ask("GET", "/api/v1/namespaces/default/configmaps")["items"].items().empty());
}

TEST_F(Wire, DiscoversInEachForm) {
  for (const char* version : {"v2", "v2beta1"}) {
    auto type = fmt::format("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", version);
    auto answer = ask("GET", "/apis", {}, {{"Accept", type + ",application/json"}});
    EXPECT_EQ(answer.type, type);
    EXPECT_EQ(answer["apiVersion"].text(), fmt::format("apidiscovery.k8s.io/{}", version));
  }
  EXPECT_EQ(ask("GET", "/apis")["kind"].text(), "APIGroupList");
  EXPECT_EQ(ask("GET", "/api/v1")["kind"].text(), "APIResourceList");
  EXPECT_EQ(ask("GET", "/apis/apps")["preferredVersion"]["groupVersion"].text(), "apps/v1");
  auto paths = ask("GET", "/openapi/v3");
  auto apps = ask("GET", paths["paths"]["apis/apps/v1"]["serverRelativeURL"].text());
  EXPECT_TRUE(apps["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"].present());
  EXPECT_EQ(ask("GET", "/apis/nothing/v1").status, 404);
}

struct Odd {
  const char *name, *method, *path, *type, *body;
  int status;
};
TEST_F(Wire, RefusesWhatIsOdd) {
  map("m");
  const std::string long_name(300, 'a');
  for (const auto& odd : std::initializer_list<Odd>{
           {"no json", "POST", "/api/v1/namespaces/default/configmaps", "application/json", "{", 400},
           {"a list", "POST", "/api/v1/namespaces/default/configmaps", "application/json", "[]", 400},
           {"other kind", "POST", "/api/v1/namespaces/default/configmaps", "application/json",
            R"({"kind":"Secret","apiVersion":"v1","metadata":{"name":"x"}})", 400},
           {"other namespace", "POST", "/api/v1/namespaces/default/configmaps", "application/json",
            R"({"metadata":{"name":"x","namespace":"y"}})", 400},
           {"no name", "POST", "/api/v1/namespaces/default/configmaps", "application/json", "{}", 422},
           {"metadata list", "POST", "/api/v1/namespaces/default/configmaps", "application/json", R"({"metadata":[1]})",
            400},
           {"strict", "POST", "/api/v1/namespaces/default/configmaps?fieldValidation=Strict", "application/json",
            R"({"metadata":{"name":"x"},"dada":{}})", 400},
           {"cbor", "POST", "/api/v1/namespaces/default/configmaps", "application/cbor", "x", 415},
           {"broken protobuf", "POST", "/api/v1/namespaces/default/configmaps", "application/vnd.kubernetes.protobuf",
            "k8s", 400},
           {"patch type", "PATCH", "/api/v1/namespaces/default/configmaps/m", "text/plain", "x", 415},
           {"patch scalar", "PATCH", "/api/v1/namespaces/default/configmaps/m", "application/merge-patch+json", "1",
            400},
           {"patch to list", "PATCH", "/api/v1/namespaces/default/configmaps/m", "application/json-patch+json",
            R"([{"op":"replace","path":"","value":[]}])", 400},
           {"patch metadata away", "PATCH", "/api/v1/namespaces/default/configmaps/m", "application/json-patch+json",
            R"([{"op":"replace","path":"/metadata","value":3}])", 400},
           {"apply without manager", "PATCH", "/api/v1/namespaces/default/configmaps/m", "application/apply-patch+yaml",
            "apiVersion: v1\nkind: ConfigMap", 400},
           {"put elsewhere", "PUT", "/api/v1/namespaces/default/configmaps/m", "application/json",
            R"({"metadata":{"name":"n"}})", 400},
           {"method", "PUT", "/api/v1/namespaces/default/configmaps", "application/json", "{}", 405},
           {"subresource", "GET", "/api/v1/namespaces/default/configmaps/m/status", "", "", 404},
           {"no kind", "GET", "/api/v1/namespaces/default/gizmos", "", "", 404},
           {"no group", "GET", "/apis/x/v1/y", "", "", 404},
           {"cluster in namespace", "GET", "/api/v1/namespaces/default/nodes", "", "", 404},
           {"namespaced without", "GET", "/api/v1/pods/x", "", "", 404},
           {"too deep", "GET", "/api/v1/namespaces/default/pods/x/log/y", "", "", 404},
           {"root", "GET", "/", "", "", 404},
           {"propagation", "DELETE", "/api/v1/namespaces/default/configmaps/m?propagationPolicy=Up", "", "", 422},
           {"continue", "GET", "/api/v1/configmaps?continue=%FF", "", "", 400},
           {"future", "GET", "/api/v1/configmaps?resourceVersion=99999999", "", "", 504}}) {
    net::Headers headers;
    if (*odd.type != 0) headers.set("Content-Type", odd.type);
    auto answer = ask(odd.method, odd.path, odd.body, headers);
    EXPECT_EQ(answer.status, odd.status) << odd.name << ": " << answer.text;
    EXPECT_EQ(answer["kind"].text(), "Status") << odd.name;
  }
  EXPECT_EQ(ask("POST", "/api/v1/namespaces/default/configmaps", std::string(4 << 20, ' ')).status, 413);
  auto deep = std::string(5000, '[') + std::string(5000, ']');
  EXPECT_EQ(
      ask("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"x"},"data":)" + deep + "}").status,
      400);
}

TEST_F(Wire, WarnsOfUnknownFields) {
  auto made = ask("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"x"},"dada":{}})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.warning, "299 - \"unknown field \\\"dada\\\"\"");
}

TEST_F(Wire, ManyWritersAreGrouped) {
  auto local = (*api)->client();
  constexpr int threads = 8, each = 50;
  auto started = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; ++t)
      all.emplace_back([&, t] {
        for (int i = 0; i < each; ++i)
          must(local->create(
              ctx,
              must(doc::parse_yaml(fmt::format(
                  "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c-{}-{}}}, data: {{a: b}}}}", t, i))),
              {}));
      });
  }
  auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  printf("%.0f durable creations a second\n", threads * each / took);
  EXPECT_EQ(must(local->list(ctx, {"v1", "ConfigMap"}, {})).items.size(), static_cast<std::size_t>(threads * each));
}

}  // namespace
}  // namespace slipway::cluster
