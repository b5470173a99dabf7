// Clusters that Secrets describe: read, found, away and back, and the controller with one beside its own.
#include "gitops/clusters.h"

#include <thread>

#include "base/encode.h"
#include "gitops/controller.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

kube::Object secret(std::string_view name, std::string_view fields) {
  auto text = fmt::format(
      "{{apiVersion: v1, kind: Secret, metadata: {{name: {}, namespace: argocd, labels: "
      "{{argocd.argoproj.io/secret-type: cluster}}}}, stringData: {{{}}}}}",
      name, fields);
  return kube::Object(must(doc::parse_yaml(text)));
}

struct ReadCase {
  const char* name;
  const char* fields;
  const char* want;  // what is read, or why it is unusable
};
class ClusterSecretRead : public testing::TestWithParam<ReadCase> {};
TEST_P(ClusterSecretRead, Table) {
  auto read = cluster_secret_from(secret("c", GetParam().fields));
  const auto& in = read.sign_in;
  auto text = read.unusable;
  if (text.empty())
    text = fmt::format("{} {} {}|{}|{}|{} {} {}|{} {} {} {}", read.name, read.server, read.project,
                       join(read.namespaces, ","), read.cluster_resources, in.token, in.user, in.password,
                       in.verify ? "verify" : "insecure", in.ca_pem, in.client_certificate_pem, in.client_key_pem);
  if (in.program) {
    text += " " + in.program->command + " " + join(in.program->args, " ");
    for (const auto& [name, value] : in.program->env) text += fmt::format(" {}={}", name, value);
  }
  if (!in.proxy.empty()) text += fmt::format(" {} {}", in.proxy, in.server_name);
  EXPECT_EQ(text, GetParam().want);
  EXPECT_FALSE(text.contains("s3cret"));
}
#define AT "name: west, server: 'https://west:6443/'"
INSTANTIATE_TEST_SUITE_P(
    Clusters, ClusterSecretRead,
    testing::ValuesIn(std::to_array<ReadCase>({
        {"Bare", AT, "west https://west:6443 ||false|  |verify   "},
        {"Token", AT ", config: '{\"bearerToken\":\"t\",\"tlsClientConfig\":{\"caData\":\"Q0E=\"}}'",
         "west https://west:6443 ||false|t  |verify CA  "},
        {"Basic", AT ", config: '{\"username\":\"u\",\"password\":\"p\",\"tlsClientConfig\":{\"insecure\":true}}'",
         "west https://west:6443 ||false| u p|insecure   "},
        {"Certificate", AT ", config: '{\"tlsClientConfig\":{\"certData\":\"Qw==\",\"keyData\":\"Sw==\"}}'",
         "west https://west:6443 ||false|  |verify  C K"},
        {"Scope", AT ", project: team, namespaces: 'a, b,', clusterResources: 'true', shard: '3'",
         "west https://west:6443 team|a,b|true|  |verify   "},
        {"NoServer", "name: west", "Secret argocd/c: server: is empty, want the address of the cluster's API"},
        {"NoAddress", "server: west", "Secret argocd/c: server: want https://HOST[:PORT]"},
        {"NoJson", AT ", config: 's3cret'", "Secret argocd/c: config: is no JSON document"},
        {"NoMap", AT ", config: '[]'", "Secret argocd/c: config:1:1: .: want a map"},
        {"Program",
         AT ", config: '{\"execProviderConfig\":{\"command\":\"aws\",\"args\":[\"x\"],\"env\":{\"K\":\"v\"}}}'",
         "west https://west:6443 ||false|  |verify    aws x K=v"},
        {"Cloud", AT ", config: '{\"awsAuthConfig\":{\"clusterName\":\"x\",\"roleARN\":\"r\"}}'",
         "west https://west:6443 ||false|  |verify    argocd-k8s-auth aws --cluster-name x --role-arn r"},
        {"TwoPrograms",
         AT ", config: '{\"awsAuthConfig\":{\"clusterName\":\"x\"},\"execProviderConfig\":{\"command\":\"c\"}}'",
         "Secret argocd/c: config:1:59: .execProviderConfig: there is awsAuthConfig as well, want one of them"},
        {"Proxy", AT ", config: '{\"proxyUrl\":\"http://p\",\"tlsClientConfig\":{\"serverName\":\"api\"}}'",
         "west https://west:6443 ||false|  |verify    http://p api"},
        {"Misspelt", AT ", config: '{\"bearertoken\":\"s3cret\"}'",
         "Secret argocd/c: config:1:16: .bearertoken: no such field, did you mean bearerToken?"},
        {"MisspeltBelow", AT ", config: '{\"tlsClientConfig\":{\"caDate\":\"\"}}'",
         "Secret argocd/c: config:1:30: .tlsClientConfig.caDate: no such field, did you mean caData?"},
        {"TwoWays", AT ", config: '{\"bearerToken\":\"s3cret\",\"username\":\"u\"}'",
         "Secret argocd/c: config:1:16: .bearerToken: there is a username as well, want one of them"},
        {"HalfAPair", AT ", config: '{\"tlsClientConfig\":{\"certData\":\"Qw==\"}}'",
         "Secret argocd/c: config:1:20: .tlsClientConfig: want both certData and keyData, or neither"},
        {"UncheckedAuthority", AT ", config: '{\"tlsClientConfig\":{\"caData\":\"Qw==\",\"insecure\":true}}'",
         "Secret argocd/c: config:1:48: .tlsClientConfig.insecure: is true and there is caData, want one of them"},
        {"NoBase64", AT ", config: '{\"tlsClientConfig\":{\"caData\":\"-\"}}'",
         "Secret argocd/c: config:1:30: .tlsClientConfig.caData: want base64 text"},
        {"Smuggled", AT ", config: '{\"bearerToken\":\"a\\nHost: s3cret\"}'",
         "Secret argocd/c: config:1:1: .: a username, password or bearerToken has a line break"},
        {"NoFlag", AT ", clusterResources: maybe",
         "Secret argocd/c: clusterResources: got \"maybe\", want true or false"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Clusters, AreFoundByServerAndByName) {
  Clusters clusters;
  auto find = [&](std::string server, std::string name) {
    auto found = clusters.find({std::move(server), std::move(name)});
    return found ? (*found)->describe() : found.error().what();
  };
  const std::string own = "cluster in-cluster (https://kubernetes.default.svc)";
  EXPECT_EQ(find("https://kubernetes.default.svc", ""), own) << "before anything is read";
  EXPECT_EQ(find("", "in-cluster"), own);
  EXPECT_EQ(find("", ""), own);
  EXPECT_EQ(find("", "west"), "the Secrets of clusters were not read yet");
  auto changed = clusters.replace(
      {secret("a", "name: west, server: 'https://west/'"),
       secret("b", "name: east, server: 'https://east', config: nothing"),
       secret("c", "name: twin, server: 'https://one'"), secret("d", "name: twin, server: 'https://two'"),
       secret("e", "name: here, server: 'https://kubernetes.default.svc', namespaces: shop")});
  EXPECT_TRUE(changed.contains("west") && changed.contains("https://west") && changed.contains("here"));
  struct Case {
    const char *server, *name, *want;
  };
  for (auto [server, name, want] : std::vector<Case>{
           {"https://west", "", "cluster west (https://west)"},
           {"", "west", "cluster west (https://west)"},
           {"", "East", "destination: there is no cluster named \"East\""},
           {"https://nowhere", "", "destination: there is no cluster https://nowhere"},
           {"", "east", "destination: Secret argocd/b: config: is no JSON document"},
           {"", "twin", "destination: there are two clusters twin: Secret argocd/c and Secret argocd/d"},
           {"https://two", "", "cluster twin (https://two)"},
           {"https://two", "twin", "destination: has server and name, want one of them"},
           {"", "here", "cluster here (https://kubernetes.default.svc)"},
           {"", "in-cluster", "cluster here (https://kubernetes.default.svc)"},
       }) {
    EXPECT_EQ(find(server, name), want);
  }
  auto here = must(clusters.find({"", "here"}));
  EXPECT_EQ(here->remote, nullptr);
  EXPECT_EQ(here->refusal("ConfigMap", "shop"), "");
  EXPECT_TRUE(here->refusal("ConfigMap", "other").contains("namespace other is none of those"));
  EXPECT_TRUE(here->refusal("Namespace", "").contains("cluster-scoped"));
  // Labels say nothing; another token is another cluster as far as anybody knows.
  EXPECT_TRUE(clusters.set(secret("a", "name: west, server: 'https://west'")).empty());
  auto before = must(clusters.find({"", "west"}));
  EXPECT_FALSE(
      clusters.set(secret("a", "name: west, server: 'https://west', config: '{\"bearerToken\":\"t\"}'")).empty());
  EXPECT_NE(must(clusters.find({"", "west"})), before);
  EXPECT_EQ(clusters.drop({"argocd", "a"}), (Clusters::Changed{"https://west", "west"}));
  EXPECT_EQ(find("", "west"), "destination: there is no cluster named \"west\"");
  EXPECT_TRUE(clusters.replace({}).contains("https://two"));
}

// Answers, or not.
class Elsewhere final : public kube::Client {
 public:
  explicit Elsewhere(std::shared_ptr<kube::Client> behind) : behind_(std::move(behind)) {}
  std::atomic<bool> gone = false, refuses = false;
  std::atomic<int> asked = 0, calls = 0;

  Result<> reach() {
    ++asked;
    if (gone) return fail(Kind::unavailable, "connection refused");
    if (refuses) return fail(Kind::denied, "Unauthorized");
    return {};
  }
  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override {
    TRY_OK(call());
    return behind_->get(ctx, type, key);
  }
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override {
    TRY_OK(call());
    return behind_->list(ctx, type, options);
  }
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override {
    TRY_OK(call());
    return behind_->watch(ctx, type, options);
  }
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(call());
    return behind_->create(ctx, std::move(object), options);
  }
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(call());
    return behind_->update(ctx, std::move(object), options);
  }
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType kind,
                             const doc::Value& patch, const kube::WriteOptions& options) override {
    TRY_OK(call());
    return behind_->patch(ctx, type, key, kind, patch, options);
  }
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(call());
    return behind_->apply(ctx, std::move(object), options);
  }
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override {
    TRY_OK(call());
    return behind_->remove(ctx, type, key, options);
  }
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override { return behind_->resource(ctx, type); }
  Result<std::vector<Resource>> resources(const Ctx& ctx) override { return behind_->resources(ctx); }

 private:
  Result<> call() {
    ++calls;
    if (gone) return fail(Kind::unavailable, "connection refused");
    return {};
  }
  std::shared_ptr<kube::Client> behind_;
};

TEST(RemoteCluster, IsLeftAloneWhileItIsAway) {
  World w;
  auto behind = std::make_shared<Elsewhere>(w.api.client("x"));
  auto connect = [&](const kube::Kubeconfig&) -> Result<Connection> {
    return Connection{behind, [=](const Ctx&) { return behind->reach(); }};
  };
  auto remote = must(Remote::open("cluster west", {}, connect, w.clock));
  auto get = [&] {
    auto got = remote->client()->get(w.ctx(), {"v1", "Namespace"}, {"", "shop"});
    return got ? "there" : got.error().what();
  };
  EXPECT_EQ(get(), "there") << "nobody asked yet";
  EXPECT_TRUE(remote->due());
  EXPECT_TRUE(remote->check(w.ctx()));
  EXPECT_FALSE(remote->due());
  behind->gone = true;
  EXPECT_EQ(get(), "connection refused");
  EXPECT_EQ(remote->away(), "") << "one call says little: a webhook may be down";
  EXPECT_FALSE(remote->due());
  w.clock.advance(Millis(1000));
  EXPECT_TRUE(remote->due()) << "but it is asked soon";
  EXPECT_TRUE(remote->check(w.ctx()));
  int calls = behind->calls;
  EXPECT_EQ(get(), "cluster west cannot be used now: connection refused");
  EXPECT_EQ(must(remote->as("ada"))->get(w.ctx(), {"v1", "Namespace"}, {"", "shop"}).error().what(),
            "cluster west cannot be used now: connection refused");
  EXPECT_EQ(behind->calls, calls) << "nobody was asked";
  // Doubled each time, up to half a minute.
  std::vector<std::int64_t> pauses;
  for (int i = 0; i < 7; ++i) {
    std::int64_t waited = 0;
    for (; !remote->due(); waited += 1000) w.clock.advance(Millis(1000));
    pauses.push_back(waited / 1000);
    EXPECT_FALSE(remote->check(w.ctx())) << "no news";
  }
  EXPECT_EQ(pauses, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 30, 30}));
  behind->gone = false;
  EXPECT_TRUE(remote->check(w.ctx()));
  EXPECT_EQ(get(), "there");
  behind->refuses = true;
  EXPECT_TRUE(remote->check(w.ctx()));
  EXPECT_EQ(get(), "cluster west cannot be used now: Unauthorized") << "who is not let in is not there either";
}

// --- the controller ------------------------------------------------------------------------------------------------

struct Fleet {
  cluster::TestApi home = cluster::make_test_api({.crds = path::builtin_crds(), .namespaces = {"argocd", "shop"}});
  cluster::TestApi west = cluster::make_test_api({.namespaces = {"shop"}});
  std::shared_ptr<kube::Client> client = home.client("ada"), there = west.client("ada");
  std::shared_ptr<Elsewhere> way = std::make_shared<Elsewhere>(west.client("slipway"));
  std::shared_ptr<Elsewhere> nowhere = std::make_shared<Elsewhere>(west.client("slipway"));
  TestRepositories repositories;
  Ctx ctx = Ctx().within(Millis(30000));
  std::stop_source stop;
  std::unique_ptr<Controller> controller;
  std::jthread thread;
  std::atomic<int> drifts = 0;

  Fleet() {
    nowhere->gone = true;
    repositories.commit("http://git/shop", {{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
    start();
  }
  ~Fleet() { end(); }
  void start() {
    stop = {};
    ControllerOptions options{
        .ns = "argocd", .workers = 2, .resync = Millis(3600000), .drift = [this](const Drift&) { ++drifts; }};
    options.connect = [this](const kube::Kubeconfig& config) -> Result<Connection> {
      auto to = config.token == "t" ? way : nowhere;
      return Connection{to, [to](const Ctx&) { return to->reach(); }};
    };
    options.patience.first = Millis(20), options.patience.longest = Millis(50), options.patience.well = Millis(100);
    controller = std::make_unique<Controller>(home.client("slipway-gitops"), repositories, std::move(options));
    Ctx inside;
    inside.stop = stop.get_token();
    thread = std::jthread([this, inside] { (void)controller->run(inside); });
  }
  void end() {
    stop.request_stop();
    thread = {};
  }
  void describe(std::string_view name, std::string_view server, std::string_view token = "t") {
    must(client->apply(
        ctx,
        secret(name, fmt::format("name: {}, server: '{}', config: '{{\"bearerToken\":\"{}\"}}'", name, server, token))
            .copy(),
        {.force = true}));
  }
  void application(std::string_view name, std::string_view destination) {
    auto text = fmt::format(
        "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: {}, namespace: argocd, finalizers: "
        "[resources-finalizer.argocd.argoproj.io/background]}}, spec: {{source: {{repoURL: http://git/shop}}, "
        "destination: {{{}, namespace: shop}}, syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: "
        "[PrunePropagationPolicy=background]}}}}}}",
        name, destination);
    must(client->apply(ctx, must(doc::parse_yaml(text)), {.force = true}));
  }
  kube::Object until(kube::Client& where, const kube::Type& type, const kube::Key& key,
                     const std::function<bool(const kube::Object&)>& done) {
    auto got = kube::await(ctx, where, type, key, done);
    if (got) return *got;
    auto now = must(where.get(Ctx(), type, key));
    ADD_FAILURE() << got.error().print() << "\n" << (now ? doc::print_yaml(now->value()) : "absent");
    return {};
  }
  kube::Object until_app(std::string_view name, std::string_view sync, std::string_view condition = "") {
    return until(*client, application_type, {"argocd", std::string(name)}, [&](const kube::Object& o) {
      auto all = conditions_of(o);
      return o && o["status"]["sync"]["status"].text() == sync && all.contains(condition) &&
             all.empty() == condition.empty();
    });
  }
  void until_value(kube::Client& where, const std::string& name, std::string_view value) {
    until(where, {"v1", "ConfigMap"}, {"shop", name},
          [&](const kube::Object& o) { return o && o["data"]["v"].text() == value; });
  }
  bool has(kube::Client& where, const std::string& name) {
    return must(where.get(ctx, {"v1", "ConfigMap"}, {"shop", name})).has_value();
  }
};

TEST(Fleet, DeploysToAClusterThatASecretDescribes) {
  Fleet fleet;
  fleet.application("shop", "name: west");
  fleet.until_app("shop", "Unknown", "InvalidSpecError: destination: there is no cluster named \"west\"");
  fleet.describe("west", "https://west");
  fleet.until_app("shop", "Synced");
  EXPECT_TRUE(fleet.has(*fleet.there, "a"));
  EXPECT_FALSE(fleet.has(*fleet.client, "a"));
  // Its own watches: what is changed there is put right.
  fleet.until_value(*fleet.there, "a", "1");
  must(fleet.there->patch(fleet.ctx, {"v1", "ConfigMap"}, {"shop", "a"}, kube::PatchType::merge,
                          must(doc::parse_yaml("{data: {v: by-hand}}")), {}));
  fleet.until_value(*fleet.there, "a", "1");
  must(fleet.there->remove(fleet.ctx, {"v1", "ConfigMap"}, {"shop", "b"}, {}));
  fleet.until_value(*fleet.there, "b", "1");
  while (fleet.drifts < 2 && fleet.ctx.alive()) std::this_thread::yield();
  EXPECT_EQ(fleet.drifts, 2);
  fleet.repositories.commit("http://git/shop", {{"b.yaml", std::nullopt}, {"a.yaml", config_map("a", "2")}});
  fleet.controller->repository_changed("http://git/shop");
  fleet.until_value(*fleet.there, "a", "2");
  fleet.until(*fleet.there, {"v1", "ConfigMap"}, {"shop", "b"}, [](const kube::Object& o) { return !o; });
  // One of the same name here is none of its business.
  must(fleet.client->create(
      fleet.ctx,
      must(doc::parse_yaml(config_map("a", "mine", "argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:shop/a'") + "")),
      {}));
  must(fleet.client->remove(fleet.ctx, application_type, {"argocd", "shop"}, {}));
  fleet.until(*fleet.client, application_type, {"argocd", "shop"}, [](const kube::Object& o) { return !o; });
  EXPECT_FALSE(fleet.has(*fleet.there, "a"));
}

TEST(Fleet, WithoutItsSecretNothingIsDone) {
  Fleet fleet;
  fleet.describe("west", "https://west");
  fleet.application("shop", "server: 'https://west/'");
  auto synced = fleet.until_app("shop", "Synced");
  must(fleet.client->remove(fleet.ctx, {"v1", "Secret"}, {"argocd", "west"}, {}));
  auto app = fleet.until_app("shop", "Unknown", "InvalidSpecError: destination: there is no cluster https://west");
  EXPECT_EQ(app["status"]["inventory"].value(), synced["status"]["inventory"].value());
  EXPECT_EQ(app["status"]["resources"].value(), synced["status"]["resources"].value());
  // A commit that drops one changes nothing there until the Secret is back.
  fleet.repositories.commit("http://git/shop", {{"b.yaml", std::nullopt}});
  fleet.controller->repository_changed("http://git/shop");
  must(fleet.there->remove(fleet.ctx, {"v1", "ConfigMap"}, {"shop", "a"}, {}));
  fleet.end();  // another controller knows no more
  fleet.start();
  fleet.application("other", "server: 'https://kubernetes.default.svc'");
  fleet.until_app("other", "Synced");
  fleet.until_app("shop", "Unknown", "there is no cluster https://west");
  EXPECT_TRUE(fleet.has(*fleet.there, "b") && !fleet.has(*fleet.there, "a"));
  fleet.describe("west", "https://west");
  fleet.until_app("shop", "Synced");
  EXPECT_TRUE(fleet.has(*fleet.there, "a") && !fleet.has(*fleet.there, "b"));
  // Deleted while nobody knows the cluster: it goes, what it brought stays.
  must(fleet.client->remove(fleet.ctx, {"v1", "Secret"}, {"argocd", "west"}, {}));
  fleet.until_app("shop", "Unknown", "there is no cluster https://west");
  must(fleet.client->remove(fleet.ctx, application_type, {"argocd", "shop"}, {}));
  fleet.until(*fleet.client, application_type, {"argocd", "shop"}, [](const kube::Object& o) { return !o; });
  EXPECT_TRUE(fleet.has(*fleet.there, "a"));
}

TEST(Fleet, AClusterThatIsAwayHoldsUpNobodyElse) {
  Fleet fleet;
  fleet.describe("west", "https://west"), fleet.describe("dead", "https://dead", "none");
  for (int i = 0; i < 20; ++i) fleet.application(fmt::format("dead-{}", i), "name: dead");
  fleet.application("shop", "name: west");
  fleet.until_app("shop", "Synced");
  for (int i = 0; i < 20; ++i)
    fleet.until_app(fmt::format("dead-{}", i), "Unknown",
                    "ComparisonError: cluster dead (https://dead) cannot be used now: connection refused");
  fleet.way->gone = true;
  must(fleet.client->patch(fleet.ctx, application_type, {"argocd", "shop"}, kube::PatchType::merge,
                           must(doc::parse_yaml("{operation: {sync: {}, initiatedBy: {username: ada}}}")), {}));
  auto app = fleet.until_app("shop", "Unknown", "ComparisonError: cluster west (https://west) cannot be used now");
  EXPECT_EQ(phase_of(app), "Error") << "who asked is answered";
  // Deleted meanwhile, it waits.
  must(fleet.client->remove(fleet.ctx, application_type, {"argocd", "dead-0"}, {}));
  fleet.until(*fleet.client, application_type, {"argocd", "dead-0"},
              [](const kube::Object& o) { return conditions_of(o).starts_with("DeletionWarning: waiting for its"); });
  must(fleet.there->remove(fleet.ctx, {"v1", "ConfigMap"}, {"shop", "a"}, {}));
  fleet.way->gone = false;
  fleet.until_app("shop", "Synced");
  fleet.until_value(*fleet.there, "a", "1");
}

// What a dry-run of a write says is a condition, not a failed look that nobody sees.
TEST(Fleet, WhatTheClusterForbidsIsShown) {
  Fleet fleet;
  must(fleet.client->apply(fleet.ctx,
                           secret("west",
                                  "name: west, server: 'https://west', namespaces: 'other', config: "
                                  "'{\"bearerToken\":\"t\"}'")
                               .copy(),
                           {.force = true}));
  fleet.application("shop", "name: west");
  auto app = fleet.until(*fleet.client, application_type, {"argocd", "shop"},
                         [](const kube::Object& o) { return phase_of(o) == "Failed"; });
  EXPECT_TRUE(message_of(app).contains("namespace shop is none of those that the Secret of cluster west"))
      << message_of(app);
  EXPECT_FALSE(fleet.has(*fleet.there, "a"));
}

}  // namespace
}  // namespace slipway::gitops
