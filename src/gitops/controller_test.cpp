// The controller with its threads, watches and queues.
#include "gitops/controller.h"

#include "gitops/testing/signer.h"
#include "gitops/testing/world.h"
#include "secret/sops.h"

namespace slipway::gitops {
namespace {

// Runs until the test ends; stopped before anything it uses goes.
struct Running {
  Running(std::shared_ptr<kube::Client> client, TestRepositories& repositories, ControllerOptions options = {})
      : controller(std::move(client), repositories, std::move(options)) {
    Ctx ctx;
    ctx.stop = stop.get_token();
    thread = std::jthread([this, ctx] { (void)controller.run(ctx); });
  }
  ~Running() { stop.request_stop(); }
  std::stop_source stop;
  Controller controller;
  std::jthread thread;
};

struct House {
  cluster::TestApi api =
      cluster::make_test_api({.crds = path::builtin_crds(), .namespaces = {"argocd", "shop", "team"}});
  std::shared_ptr<kube::Client> client = api.client("ada");
  TestRepositories repositories;
  Ctx ctx = Ctx().within(Millis(20000));
  void application(std::string_view name, std::string_view ns = "argocd", std::string_view extra = "") {
    auto text = fmt::format(
        "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: {}, namespace: {}{}}}, spec: "
        "{{source: {{repoURL: http://git/{}}}, destination: {{namespace: shop}}, syncPolicy: {{automated: {{prune: "
        "true, selfHeal: true}}, syncOptions: [PrunePropagationPolicy=background]}}}}}}",
        name, ns, extra, name);
    must(client->apply(ctx, must(doc::parse_yaml(text)), {.force = true}));
  }
  kube::Object until(const kube::Type& type, const kube::Key& key,
                     const std::function<bool(const kube::Object&)>& done) {
    auto got = kube::await(ctx, *client, type, key, done);
    if (got) return *got;
    auto now = must(client->get(Ctx(), type, key));
    ADD_FAILURE() << got.error().print() << "\n" << (now ? doc::print_yaml(now->value()) : "absent");
    return {};
  }
  void until_value(const std::string& name, const std::string& value) {
    until({"v1", "ConfigMap"}, {"shop", name},
          [&](const kube::Object& o) { return o && o["data"]["v"].text() == value; });
  }
};

TEST(GitopsController, FollowsCommitsEditsAndDeletion) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}});
  std::atomic<int> drifts = 0;
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "argocd", .workers = 2, .resync = Millis(3600000), .drift = [&](const Drift&) { ++drifts; }});
  house.application("shop", "argocd", ", finalizers: [resources-finalizer.argocd.argoproj.io/background]");
  house.until_value("a", "1");
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "2")}});
  running.controller.repository_changed("http://git/shop.git/");
  house.until_value("a", "2");
  house.until(application_type, {"argocd", "shop"},
              [](const kube::Object& o) { return o["status"]["history"].items().size() == 2; });
  must(house.client->patch(house.ctx, {"v1", "ConfigMap"}, {"shop", "a"}, kube::PatchType::merge,
                           must(doc::parse_yaml("{data: {v: '9'}}")), {}));
  house.until_value("a", "2");
  must(house.client->remove(house.ctx, {"v1", "ConfigMap"}, {"shop", "a"}, {}));
  house.until_value("a", "2");
  // The request field, as `app sync` writes it.
  must(house.client->patch(house.ctx, application_type, {"argocd", "shop"}, kube::PatchType::merge,
                           must(doc::parse_yaml("{operation: {sync: {}, initiatedBy: {username: ada}}}")), {}));
  house.until(application_type, {"argocd", "shop"}, [](const kube::Object& o) {
    return !o["operation"].present() &&
           o["status"]["operationState"]["operation"]["initiatedBy"]["username"].text() == "ada" &&
           phase_of(o) == "Succeeded";
  });
  EXPECT_EQ(drifts, 2);
  must(house.client->remove(house.ctx, application_type, {"argocd", "shop"}, {}));
  house.until(application_type, {"argocd", "shop"}, [](const kube::Object& o) { return !o; });
  EXPECT_FALSE(must(house.client->get(house.ctx, {"v1", "ConfigMap"}, {"shop", "a"})));
}

TEST(GitopsController, IsQuietWhenNothingHappens) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}});
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop");
  auto settled = house.until(application_type, {"argocd", "shop"},
                             [](const kube::Object& o) { return o["status"]["sync"]["status"].text() == "Synced"; });
  // Asked to look again, it says so by taking the annotation away, and writes nothing else.
  auto refresh = [&](const char* how) {
    must(house.client->patch(
        house.ctx, application_type, {"argocd", "shop"}, kube::PatchType::merge,
        must(doc::parse_yaml(fmt::format("{{metadata: {{annotations: {{argocd.argoproj.io/refresh: {}}}}}}}", how))),
        {}));
    return house.until(application_type, {"argocd", "shop"},
                       [](const kube::Object& o) { return o.annotation("argocd.argoproj.io/refresh").empty(); });
  };
  auto said = [](const kube::Object& app) {
    auto status = app["status"].value();
    status.map().erase("reconciledAt");  // it was looked at
    return status;
  };
  auto first = refresh("normal");
  auto second = refresh("hard");
  EXPECT_EQ(said(first), said(second));
}

TEST(GitopsController, CustomizationsTakeEffectAsSoonAsTheyChange) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}});
  auto settings = [&](std::string_view status) {
    auto map = kube::make_object(settings_type, settings_key);
    map["data"]["resource.customizations.health.ConfigMap"] = fmt::format("return {{status = '{}'}}", status);
    must(house.client->apply(house.ctx, std::move(map), {.force = true}));
  };
  auto until_health = [&](std::string_view health) {
    house.until(application_type, {"argocd", "shop"},
                [&](const kube::Object& o) { return o["status"]["health"]["status"].text() == health; });
  };
  settings("Suspended");
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop");
  until_health("Suspended");
  settings("Degraded");
  until_health("Degraded");
  must(house.client->remove(house.ctx, settings_type, settings_key, {}));
  until_health("Healthy");
}

TEST(GitopsController, ServesEveryNamespaceWhenAsked) {
  House house;
  house.repositories.commit("http://git/one", {{"a.yaml", config_map("a", "1")}});
  house.repositories.commit("http://git/two", {{"b.yaml", config_map("b", "1")}});
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "", .workers = 2, .resync = Millis(3600000), .drift = {}});
  must(house.client->apply(
      house.ctx,
      must(doc::parse_yaml("{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: default, namespace: "
                           "argocd}, spec: {sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}], "
                           "sourceNamespaces: [team]}}")),
      {.force = true}));
  house.application("one");
  house.application("two", "team");
  house.until_value("a", "1");
  house.until_value("b", "1");
  EXPECT_EQ(must(house.client->get(house.ctx, {"v1", "ConfigMap"}, {"shop", "b"}))->annotation(tracking_annotation),
            "team_two:/ConfigMap:shop/b");
  must(house.client->remove(house.ctx, {"v1", "ConfigMap"}, {"shop", "b"}, {}));
  house.until_value("b", "1");
}

TEST(GitopsController, ADeletedProjectWaitsForItsLastApplication) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a")}});
  const kube::Type project_type{"argoproj.io/v1alpha1", "AppProject"};
  const kube::Key key{"argocd", "default"};
  must(house.client->apply(
      house.ctx,
      must(doc::parse_yaml("{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: default, namespace: "
                           "argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}, spec: {sourceRepos: ['*'], "
                           "destinations: [{server: '*', namespace: '*'}]}}")),
      {.force = true}));
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop");
  house.until_value("a", "1");
  must(house.client->remove(house.ctx, project_type, key, {}));
  EXPECT_TRUE(must(house.client->get(house.ctx, project_type, key)));
  auto watch = must(house.client->watch(house.ctx, project_type, {}));
  must(house.client->remove(house.ctx, application_type, {"argocd", "shop"}, {}));
  for (;;)
    if (auto event = must(watch->next(house.ctx)); event.type == kube::Event::Type::deleted) break;
  EXPECT_FALSE(must(house.client->get(house.ctx, project_type, key)));
}

// What lies about is told when a project asks, and followed from then on.
TEST(GitopsController, TellsOfOrphansWhenAProjectAsks) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}});
  auto lost = kube::make_object({"v1", "ConfigMap"}, {"shop", "lost"});
  must(house.client->create(house.ctx, lost, {}));
  auto client = std::make_shared<FaultClient>(house.api.client("slipway-gitops"));
  Running running(client, house.repositories, {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop");
  house.until_value("a", "1");
  auto warned = [&](std::string_view what) {
    house.until(application_type, {"argocd", "shop"}, [&](const kube::Object& o) { return conditions_of(o) == what; });
  };
  warned("");
  EXPECT_LE(client->watched.lock()->size(), 4U) << "nothing is followed that nobody needs";
  must(house.client->apply(
      house.ctx,
      must(doc::parse_yaml("{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: default, namespace: "
                           "argocd}, spec: {sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}], "
                           "orphanedResources: {warn: true}}}")),
      {.force = true}));
  warned("OrphanedResourceWarning: Application has 1 orphaned resources");
  {
    auto watched = client->watched.lock();
    must(watched.wait(house.ctx, client->watching, [&] { return watched->size() > 20; }));
  }
  must(house.client->create(house.ctx, kube::make_object({"v1", "Secret"}, {"shop", "too"}), {}));
  warned("OrphanedResourceWarning: Application has 2 orphaned resources");
  for (auto [kind, name] : {std::pair{"Secret", "too"}, {"ConfigMap", "lost"}})
    must(house.client->remove(house.ctx, {"v1", kind}, {"shop", name}, {}));
  warned("");
}

TEST(GitopsController, OpensWhatIsSealedAsSoonAsTheKeyIsThere) {
  House house;
  auto identity = secret::AgeIdentity::generate();
  house.repositories.commit(
      "http://git/shop",
      {{"db.yaml", must(secret::sops_seal({config_map("db", "opened"), "db.yaml", secret::SopsFormat::yaml},
                                          {.age = {identity.recipient()}, .encrypted_regex = "^data$"}, WallTime{}))}});
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop");
  house.until(application_type, {"argocd", "shop"}, [&](const kube::Object& o) {
    return conditions_of(o).starts_with("ComparisonError: db.yaml: is sealed");
  });
  must(house.client->apply(
      house.ctx,
      must(doc::parse_yaml(fmt::format("{{apiVersion: v1, kind: Secret, metadata: {{name: sops-age, namespace: argocd, "
                                       "labels: {{slipway.dev/sops-keys: 'true'}}}}, stringData: {{a.agekey: {}}}}}",
                                       identity.text()))),
      {.force = true}));
  house.until_value("db", "opened");
}

TEST(GitopsController, LooksAgainWhenKeysOfSignaturesChange) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}});
  auto repository = must(house.repositories.open({}, "http://git/shop"));
  Signers people;
  auto ada = people.key("ada");
  people.commit(repository, "ada");
  auto apply = [&](const std::string& text) {
    must(house.client->apply(house.ctx, must(doc::parse_yaml(text)), {.force = true}));
  };
  apply(
      fmt::format("{{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {{name: default, namespace: "
                  "argocd}}, spec: {{sourceRepos: ['*'], destinations: [{{server: '*', namespace: '*'}}], "
                  "signatureKeys: [{{keyID: {}}}]}}}}",
                  ada));
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop");
  house.until(application_type, {"argocd", "shop"},
              [&](const kube::Object& o) { return conditions_of(o).contains("signed with key not in keyring"); });
  auto map = kube::make_object({"v1", "ConfigMap"}, {"argocd", "argocd-gpg-keys-cm"});
  map["data"] = doc::Map{{ada, people.exported("ada")}};
  must(house.client->apply(house.ctx, std::move(map), {.force = true}));
  house.until_value("a", "1");
}

TEST(GitopsController, SkipReconcileStopsIt) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}});
  house.repositories.commit("http://git/other", {{"b.yaml", config_map("b", "1")}});
  Running running(house.api.client("slipway-gitops"), house.repositories,
                  {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop", "argocd", ", annotations: {argocd.argoproj.io/skip-reconcile: 'true'}");
  house.application("other");
  house.until_value("b", "1");
  EXPECT_FALSE(must(house.client->get(house.ctx, {"v1", "ConfigMap"}, {"shop", "a"})));
}

TEST(GitopsController, ComesBackAfterTheApiWasGone) {
  House house;
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}});
  auto client = std::make_shared<FaultClient>(house.api.client("slipway-gitops"));
  std::atomic<bool> gone = true;
  std::atomic<int> refused = 0;
  client->before = [&](const std::string&) -> Result<> {
    if (!gone) return {};
    ++refused;
    return fail(Kind::unavailable, "connection refused");
  };
  Running running(client, house.repositories, {.ns = "argocd", .workers = 1, .resync = Millis(3600000), .drift = {}});
  house.application("shop");
  while (refused < 3 && house.ctx.alive()) std::this_thread::yield();
  gone = false;
  house.until_value("a", "1");
}

TEST(GitopsController, AnotherOneFinishesWhatAKilledOneStarted) {
  House house;
  constexpr std::string_view hook =
      "{apiVersion: batch/v1, kind: Job, metadata: {name: pre, annotations: {argocd.argoproj.io/hook: PreSync}}, spec: "
      "{template: {spec: {restartPolicy: Never, containers: [{name: c, image: a}]}}}}";
  house.repositories.commit("http://git/shop", {{"a.yaml", config_map("a", "1")}, {"pre.yaml", std::string(hook)}});
  house.application("shop");
  std::string uid;
  {
    Running first(house.api.client("slipway-gitops"), house.repositories);
    uid = house.until({"batch/v1", "Job"}, {"shop", "pre"}, [](const kube::Object& o) { return static_cast<bool>(o); })
              .uid();
  }
  EXPECT_FALSE(must(house.client->get(house.ctx, {"v1", "ConfigMap"}, {"shop", "a"})));
  // Two at once by accident: they agree.
  Running second(house.api.client("slipway-gitops"), house.repositories),
      third(house.api.client("slipway-gitops"), house.repositories);
  auto now = rfc3339(real_clock().wall());
  must(house.client->patch(
      house.ctx, {"batch/v1", "Job"}, {"shop", "pre"}, kube::PatchType::merge,
      must(doc::parse_yaml(fmt::format("{{status: {{startTime: '{0}', completionTime: '{0}', conditions: [{{type: "
                                       "Complete, status: 'True', lastTransitionTime: '{0}'}}]}}}}",
                                       now))),
      {.subresource = "status"}));
  house.until_value("a", "1");
  auto app = house.until(application_type, {"argocd", "shop"},
                         [](const kube::Object& o) { return phase_of(o) == "Succeeded"; });
  EXPECT_EQ(app["status"]["history"].items().size(), 1U);
  EXPECT_EQ(must(house.client->get(house.ctx, {"batch/v1", "Job"}, {"shop", "pre"}))->uid(), uid)
      << "the hook ran once";
}

}  // namespace
}  // namespace slipway::gitops
