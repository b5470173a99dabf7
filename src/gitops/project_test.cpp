#include "gitops/project.h"

#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

void project(World& w, std::string_view spec) {
  auto text = fmt::format(
      "{{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {{name: default, namespace: argocd}}, spec: "
      "{}}}",
      spec);
  must(w.person->apply(w.ctx(), must(doc::parse_yaml(text)), {.force = true}));
}

struct Case {
  const char* name;
  const char* spec;
  const char* condition;  // "" : permitted
};
class Permits : public testing::TestWithParam<Case> {};
TEST_P(Permits, Table) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application();
  project(w, GetParam().spec);
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app), GetParam().condition);
  EXPECT_EQ(w.has("a"), *GetParam().condition == 0);
}
#define HERE "destinations: [{server: '*', namespace: '*'}]"
#define HERE_TWICE "destinations: [{{server: '*', namespace: '*'}}]"  // for fmt
INSTANTIATE_TEST_SUITE_P(
    Project, Permits,
    testing::ValuesIn(std::to_array<Case>({
        {"All", "{sourceRepos: ['*'], " HERE "}", ""},
        {"ByGlob",
         "{sourceRepos: ['http://git/*'], destinations: [{server: 'https://kubernetes.default.svc', namespace: "
         "'sh*'}]}",
         ""},
        {"OtherRepository", "{sourceRepos: ['http://git/other'], " HERE "}",
         "InvalidSpecError: application repo http://git/config is not permitted in project 'default'"},
        {"DenyBeatsAllow", "{sourceRepos: ['*', '!http://git/config'], " HERE "}",
         "InvalidSpecError: application repo http://git/config is not permitted in project 'default'"},
        {"OtherNamespace", "{sourceRepos: ['*'], destinations: [{server: '*', namespace: dev}]}",
         "InvalidSpecError: application destination namespace shop is not permitted in project 'default'"},
        {"OtherCluster", "{sourceRepos: ['*'], destinations: [{server: 'https://eu', namespace: '*'}]}",
         "InvalidSpecError: application destination namespace shop is not permitted in project 'default'"},
        {"DeniedNamespace",
         "{sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}, {server: '*', namespace: '!shop'}]}",
         "InvalidSpecError: application destination namespace shop is not permitted in project 'default'"},
        {"Empty", "{}", "InvalidSpecError: application repo http://git/config is not permitted in project 'default'"},
        {"WindowOfNoZone",
         "{sourceRepos: ['*'], " HERE
         ", syncWindows: [{kind: deny, schedule: '0 1 * * *', duration: 1h, timeZone: Europe/Nowhere}]}",
         "InvalidSpecError: project default: .spec.syncWindows[0].timeZone: time zone \"Europe/Nowhere\": not in this "
         "system's time zone database"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Project, ApplicationsElsewhereNeedItsLeave) {
  World w;
  must(w.person->create(w.ctx(), kube::make_object({"v1", "Namespace"}, {"", "team"}), {}));
  w.commit({{"a.yaml", config_map("a")}});
  auto there = must(doc::parse_yaml(
      "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: shop, namespace: team}, spec: {source: "
      "{repoURL: http://git/config}, destination: {namespace: shop}, syncPolicy: {automated: {}}}}"));
  must(w.person->create(w.ctx(), there, {}));
  // A project beside it is not asked: who may write there could permit everything.
  must(w.person->create(
      w.ctx(),
      must(doc::parse_yaml("{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: default, namespace: "
                           "team}, spec: {sourceRepos: ['*'], " HERE ", sourceNamespaces: ['*']}}")),
      {}));
  w.key.ns = "team";
  project(w, "{sourceRepos: ['*'], " HERE "}");
  EXPECT_EQ(conditions_of(w.look_once()),
            "InvalidSpecError: applications of namespace team are not permitted in project 'default'");
  project(w, "{sourceRepos: ['*'], " HERE ", sourceNamespaces: ['te*']}");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  EXPECT_EQ(w.live({"v1", "ConfigMap"}, "a")->annotation(tracking_annotation), "team_shop:/ConfigMap:shop/a");
}

TEST(Project, ClusterScopedObjectsMayBeNamed) {
  World w;
  w.commit({{"ok.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: team-a}}"},
            {"no.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: kube-evil}}"}});
  project(w,
          "{sourceRepos: ['*'], " HERE ", clusterResourceWhitelist: [{group: '', kind: Namespace, name: 'team-*'}]}");
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  std::string refused;
  for (const auto& r : app["status"]["resources"].items())
    if (r["status"].text() == "Unknown") refused += r["name"].text() + " ";
  EXPECT_EQ(refused, "kube-evil ");
}

TEST(Project, ForbiddenKindsAreNeverAppliedAndFailTheSync) {
  World w;
  w.commit({{"a.yaml", config_map("a")},
            {"s.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: s}}"},
            {"n.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: other}}"},
            {"x.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: kube-system}}"}});
  project(w,
          "{sourceRepos: ['*'], destinations: [{server: '*', namespace: shop}], namespaceResourceBlacklist: [{group: "
          "'', kind: Secret}]}");
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  std::string refused;
  for (const auto& r : app["status"]["resources"].items())
    if (r["status"].text() == "Unknown") refused += r["kind"].text() + ": " + r["message"].text() + "\n";
  EXPECT_EQ(refused,
            "Namespace: cluster-scoped kind Namespace is not permitted in project 'default'\nSecret: kind Secret is "
            "not permitted in project 'default'\n"
            "ConfigMap: namespace kube-system is not permitted in project 'default'\n");
  EXPECT_FALSE(w.has("a"));
  project(w, "{sourceRepos: ['*'], " HERE
             ", clusterResourceWhitelist: [{group: '*', kind: Namespace}], namespaceResourceWhitelist: [{group: '', "
             "kind: '*'}]}");
  w.clock.advance(Millis(5001));
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
}

// --- clusters ----------------------------------------------------------------------------------------------------

struct Elsewhere {
  const char* name;
  const char* destinations;
  const char* server;
  const char* cluster;
  bool permitted;
  const char* more = "";
};
class PermitsClusters : public testing::TestWithParam<Elsewhere> {};
TEST_P(PermitsClusters, Table) {
  World w;
  project(w, fmt::format("{{sourceRepos: ['*'], destinations: {}{}}}", GetParam().destinations, GetParam().more));
  Destination place;
  place.server = GetParam().server, place.name = GetParam().cluster;
  if (place.name == "team") place.project = "default";
  auto own = place.server == own_server;
  if (!own)
    place.remote = must(Remote::open("x", {}, [&](const auto&) { return Connection{w.api.client("x"), {}}; }, w.clock));
  Application app;
  app.ns = "shop", app.key = {"argocd", "shop"};
  auto checked = must(Project::read(w.ctx(), *w.person, app, place)).check(app);
  EXPECT_EQ(checked.has_value(), GetParam().permitted) << (checked ? "" : checked.error().what());
  bool names_it = checked || own || checked.error().what().contains(place.server);
  EXPECT_TRUE(names_it) << checked.error().what();
}
#define WEST "https://10.0.0.1:6443", "west"
#define OWN "https://kubernetes.default.svc", "in-cluster"
INSTANTIATE_TEST_SUITE_P(
    Project, PermitsClusters,
    testing::ValuesIn(std::to_array<Elsewhere>({
        {"ByServer", "[{server: 'https://10.0.0.1:6443', namespace: shop}]", WEST, true},
        {"ByServerGlob", "[{server: 'https://10.*', namespace: '*'}]", WEST, true},
        {"AStarCrossesSlashes", "[{server: 'https://*', namespace: '*'}]", "https://h/k8s/clusters/c-1", "c", true},
        {"ByName", "[{name: west, namespace: shop}]", WEST, true},
        {"ByNameGlob", "[{name: 'w*', namespace: shop}]", WEST, true},
        {"OtherServer", "[{server: 'https://10.0.0.2:6443', namespace: '*'}]", WEST, false},
        {"OtherName", "[{name: east, namespace: '*'}]", WEST, false},
        {"OtherNamespace", "[{name: west, namespace: dev}]", WEST, false},
        {"NobodyIsNotEverybody", "[{namespace: '*'}]", WEST, false},
        {"OurOwnNeedsNoName", "[{namespace: '*'}]", OWN, true},
        {"OurOwnByName", "[{name: in-cluster, namespace: '*'}]", OWN, true},
        {"OnlyOurOwn", "[{name: in-cluster, namespace: '*'}]", WEST, false},
        {"AllButIt", "[{server: '*', namespace: '*'}, {name: '!west', namespace: '*'}]", WEST, false},
        {"AllButAnother", "[{server: '*', namespace: '*'}, {name: '!east', namespace: '*'}]", WEST, true},
        {"AllButItsServer", "[{server: '!https://10.0.0.1:6443', namespace: '*'}]", WEST, false},
        {"AllButAnotherServer", "[{server: '!https://10.0.0.2:6443', namespace: '*'}]", WEST, true},
        {"AllButItsNamespace", "[{server: '*', namespace: '*'}, {server: '*', namespace: '!shop'}]", WEST, false},
        {"OnlyOfTheProject", "[{server: '*', namespace: '*'}]", WEST, false, ", permitOnlyProjectScopedClusters: true"},
        {"OfTheProject", "[{server: '*', namespace: '*'}]", "https://t", "team", true,
         ", permitOnlyProjectScopedClusters: true"},
        {"OfTheProjectAndNotPermitted", "[{name: west, namespace: '*'}]", "https://t", "team", false,
         ", permitOnlyProjectScopedClusters: true"},
    })),
    [](const auto& i) { return i.param.name; });

// --- as whom -----------------------------------------------------------------------------------------------------

struct Acting {
  const char* name;
  const char* accounts;
  const char* enabled;  // argocd-cm's word
  const char* user;     // or the error
};
class ActsAs : public testing::TestWithParam<Acting> {};
TEST_P(ActsAs, Table) {
  World w;
  project(w, "{sourceRepos: ['*'], " HERE + std::string(GetParam().accounts) + "}");
  if (*GetParam().enabled != 0) {
    auto settings = kube::make_object({"v1", "ConfigMap"}, {"argocd", "argocd-cm"});
    settings["data"]["application.sync.impersonation.enabled"] = GetParam().enabled;
    must(w.person->create(w.ctx(), settings, {}));
  }
  Application app;
  app.ns = "shop", app.key = {"argocd", "shop"};
  auto user = must(Project::read(w.ctx(), *w.person, app, {})).acting_user(w.ctx(), *w.person, app);
  EXPECT_EQ(user ? *user : user.error().what(), GetParam().user);
}
#define ACCOUNT(rest) ", destinationServiceAccounts: [{server: 'https://kubernetes.*', " rest "}]"
INSTANTIATE_TEST_SUITE_P(
    Project, ActsAs,
    testing::ValuesIn(std::to_array<Acting>({
        {"Nobody", "", "", ""},
        {"NobodyThoughWanted", "", "true",
         "project 'default' names no service account for cluster in-cluster (https://kubernetes.default.svc) and "
         "namespace shop"},
        {"InTheDestination", ACCOUNT("namespace: 'sh*', defaultServiceAccount: deployer"), "",
         "system:serviceaccount:shop:deployer"},
        {"Elsewhere", ACCOUNT("namespace: '*', defaultServiceAccount: 'ci:deployer'"), "true",
         "system:serviceaccount:ci:deployer"},
        {"SwitchedOff", ACCOUNT("namespace: '*', defaultServiceAccount: deployer"), "false", ""},
        {"ForAnother", ACCOUNT("namespace: dev, defaultServiceAccount: deployer"), "",
         "project 'default' names no service account for cluster in-cluster (https://kubernetes.default.svc) and "
         "namespace shop"},
        {"NoName", ACCOUNT("namespace: '*', defaultServiceAccount: '*'"), "",
         "project 'default': destinationServiceAccounts: \"*\" is no name of a service account"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Project, ASyncIsDoneByTheAccountOfTheProject) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  project(w, "{sourceRepos: ['*'], " HERE ACCOUNT("namespace: '*', defaultServiceAccount: deployer") "}");
  w.application("syncPolicy: {automated: {prune: true, selfHeal: true}, retry: {limit: 0}}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Error");
  EXPECT_TRUE(message_of(app).starts_with("nobody can be impersonated here")) << message_of(app);
  std::vector<std::string> wrote;
  auto deployer = std::make_shared<FaultClient>(w.api.client("deployer"));
  deployer->before = [&](const std::string& what) -> Result<> {
    wrote.push_back(what);
    if (what == "apply ConfigMap shop/b") return fail(Kind::denied, "deployer cannot patch configmaps");
    return {};
  };
  w.as_user = [&](const std::string& user) -> Result<std::shared_ptr<kube::Client>> {
    EXPECT_EQ(user, "system:serviceaccount:shop:deployer");
    return std::shared_ptr<kube::Client>(deployer);
  };
  w.client->writes.clear();
  w.request();
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_EQ(wrote, (std::vector<std::string>{"apply ConfigMap shop/a", "apply ConfigMap shop/a"}))
      << "asked, then done";
  for (const auto& write : w.client->writes) EXPECT_TRUE(write.ends_with("Application argocd/shop")) << write;
  w.commit({{"b.yaml", config_map("b")}});
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app), "ConfigMap shop/b: deployer cannot patch configmaps");
  // What goes and what is put right are its doing as well.
  wrote.clear();
  w.commit({{"b.yaml", std::nullopt}, {"a.yaml", std::nullopt}, {"c.yaml", config_map("c")}});
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  w.merge({"v1", "ConfigMap"}, {"shop", "c"}, "{data: {v: by-hand}}");
  w.look_once();
  EXPECT_EQ(wrote, (std::vector<std::string>{"apply ConfigMap shop/c", "apply ConfigMap shop/c",
                                             "remove ConfigMap shop/a", "apply ConfigMap shop/c"}));
}

// --- sync windows ------------------------------------------------------------------------------------------------

struct Window {
  const char* name;
  const char* schedule;
  const char* duration;
  const char* at;
  bool open;
};
class IsOpen : public testing::TestWithParam<Window> {};
TEST_P(IsOpen, Table) {
  auto text = must(doc::parse_yaml(fmt::format("{{kind: allow, schedule: '{}', duration: {}, applications: ['*']}}",
                                               GetParam().schedule, GetParam().duration)));
  auto window = must(window_from(doc::View(text)));
  EXPECT_EQ(is_open(window, must(parse_rfc3339(GetParam().at))), GetParam().open);
}
INSTANTIATE_TEST_SUITE_P(Windows, IsOpen,
                         testing::ValuesIn(std::to_array<Window>({
                             {"AtItsStart", "0 10 * * *", "1h", "2026-11-26T10:00:00Z", true},
                             {"Within", "0 10 * * *", "1h", "2026-11-26T10:59:59Z", true},
                             {"AtItsEnd", "0 10 * * *", "1h", "2026-11-26T11:00:00Z", false},
                             {"Before", "0 10 * * *", "1h", "2026-11-26T09:59:59Z", false},
                             {"AcrossMidnight", "0 22 * * *", "8h", "2026-11-27T05:00:00Z", true},
                             {"Steps", "*/15 * * * *", "1m", "2026-11-26T10:45:30Z", true},
                             {"StepsBetween", "*/15 * * * *", "1m", "2026-11-26T10:46:30Z", false},
                             {"Weekday", "0 0 * * 1-5", "24h", "2026-11-26T12:00:00Z", true},
                             {"Weekend", "0 0 * * 1-5", "24h", "2026-11-28T12:00:00Z", false},
                             {"SundayIsSeven", "0 0 * * 7", "24h", "2026-11-29T12:00:00Z", true},
                             {"SundayIsZero", "0 0 * * 0", "24h", "2026-11-29T12:00:00Z", true},
                             {"FridayToSunday", "0 0 * * 5-7", "24h", "2026-11-29T12:00:00Z", true},
                             {"List", "0 8,20 * * *", "30m", "2026-11-26T20:10:00Z", true},
                             {"DayOrWeekday", "0 0 1 * 4", "24h", "2026-11-26T12:00:00Z", true},
                             {"Month", "0 0 * 12 *", "24h", "2026-11-26T12:00:00Z", false},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST(Windows, BadOnesAreNamed) {
  auto error = [](std::string_view yaml) {
    auto value = must(doc::parse_yaml(yaml));
    auto window = window_from(doc::View(value));
    return window ? "fine" : window.error().what();
  };
  EXPECT_NE(error("{kind: maybe, schedule: '* * * * *', duration: 1h}").find(".kind: want allow or deny"),
            std::string::npos);
  for (auto schedule :
       {"* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", "", "@daily"})
    EXPECT_NE(
        error(fmt::format("{{kind: deny, schedule: '{}', duration: 1h}}", schedule)).find("want five cron fields"),
        std::string::npos)
        << schedule;
  EXPECT_NE(error("{kind: deny, schedule: '* * * * *', duration: 0s}").find(".duration"), std::string::npos);
}

TEST(Windows, HoldBackAutomaticSyncAndLetHandsThroughWhenTheySay) {
  World w;  // its clock stands at 2026-09-21T14:13:20Z
  w.commit({{"a.yaml", config_map("a")}});
  auto with = [&](std::string_view windows) {
    project(w, "{sourceRepos: ['*'], " HERE ", syncWindows: [" + std::string(windows) + "]}");
  };
  with("{kind: deny, schedule: '0 14 * * *', duration: 1h, applications: ['sh*']}");
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app),
            "SyncWindowWarning: automatic sync is held back: sync window deny \"0 14 * * *\" for 1h0m0s of project "
            "'default' is open");
  EXPECT_FALSE(w.has("a"));
  EXPECT_EQ(w.again, Millis(30000));
  w.request();
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Running");
  EXPECT_EQ(message_of(app), "waiting for sync window deny \"0 14 * * *\" for 1h0m0s of project 'default' is open");
  with("{kind: deny, schedule: '0 14 * * *', duration: 1h, applications: ['sh*'], manualSync: true}");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  w.commit({{"a.yaml", config_map("a", "2")}});
  w.look_once();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "1");
  w.clock.advance(std::chrono::hours(1));
  app = w.look_once();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "2");
  EXPECT_EQ(conditions_of(app), "");
  // The hours are those of the window's own zone: 15:13 UTC is 00:13 of tomorrow in Tokyo.
  w.commit({{"a.yaml", config_map("a", "tokyo")}});
  with("{kind: deny, schedule: '0 0 22 * *', duration: 1h, timeZone: Asia/Tokyo, applications: ['sh*']}");
  EXPECT_EQ(
      conditions_of(w.look_once()),
      "SyncWindowWarning: automatic sync is held back: sync window deny \"0 0 22 * *\" (Asia/Tokyo) for 1h0m0s of "
      "project 'default' is open");
  // Windows of others do not matter; an allow window that is shut does.
  w.commit({{"a.yaml", config_map("a", "3")}});
  with(
      "{kind: deny, schedule: '* * * * *', duration: 1h, applications: [other], namespaces: [dev]}, {kind: allow, "
      "schedule: '0 3 * * *', duration: 1h, namespaces: [shop]}");
  app = w.look_once();
  EXPECT_NE(conditions_of(app).find("no sync window of project 'default' is open, next: allow \"0 3 * * *\""),
            std::string::npos)
      << conditions_of(app);
}

// What began while it was allowed may end where the window says so, and only there.
TEST(Windows, OverrunLetsFinishWhatBegan) {
  for (std::string_view shut : {"kind: deny, schedule: '0 15 * * *'", "kind: allow, schedule: '0 14 * * *'"}) {
    for (bool overrun : {true, false}) {
      World w;  // 14:13
      std::string job =
          "{apiVersion: batch/v1, kind: Job, metadata: {name: pre, annotations: {argocd.argoproj.io/hook: PreSync}}, "
          "spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: a}]}}}}";
      w.commit({{"a.yaml", config_map("a")}, {"pre.yaml", job}});
      project(w, fmt::format("{{sourceRepos: ['*'], " HERE_TWICE
                             ", syncWindows: [{{{}, duration: 1h, namespaces: [shop], syncOverrun: {}}}]}}",
                             shut, overrun));
      w.application();
      EXPECT_EQ(message_of(w.look_once()), "waiting for completion of hook Job/pre");
      w.clock.advance(std::chrono::hours(1));
      auto app = w.look_once();
      EXPECT_EQ(message_of(app).starts_with("waiting for completion of hook"), overrun) << shut << message_of(app);
      // What begins now is held back either way.
      w.commit({{"a.yaml", config_map("a", "2")}});
      EXPECT_TRUE(message_of(w.look_once()).contains("sync window")) << shut;
    }
  }
}

}  // namespace
}  // namespace slipway::gitops
