// What people ask an Application for: its operation.
#include "doc/json.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

std::string wave(int n) { return fmt::format("argocd.argoproj.io/sync-wave: '{}'", n); }
std::string value(World& w, const std::string& name) {
  auto live = w.live({"v1", "ConfigMap"}, name);
  return live ? (*live)["data"]["v"].text() : "-";
}

TEST(Request, OfSomeObjectsSkipsTheRestAndHistory) {
  World w;
  w.commit({{"a.yaml", config_map("a")},
            {"b.yaml", config_map("b")},
            {"h.yaml", config_map("h", "1", "argocd.argoproj.io/hook: PreSync")}});
  w.application("syncPolicy: {}");
  w.request("{resources: [{group: '', kind: ConfigMap, name: b}]}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_TRUE(w.has("b"));
  EXPECT_FALSE(w.has("a") || w.has("h"));
  EXPECT_TRUE(app["status"]["history"].items().empty());
}

TEST(Request, OfADryRunWritesNothing) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {}");
  w.request("{dryRun: true}");
  auto app = w.look_once();
  EXPECT_EQ(message_of(app), "successfully synced (dry run)");
  auto would = app["status"]["operationState"]["syncResult"]["resources"][0];
  EXPECT_EQ(would["name"].text() + " " + would["message"].text(), "a created (dry run)");
  EXPECT_FALSE(w.has("a"));
  w.commit({{"s.yaml", "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 99999}]}}"}});
  w.request("{dryRun: true}");
  EXPECT_EQ(phase_of(w.look_once()), "Failed");
}

TEST(Request, WhatIsNotSupportedIsRefusedByName) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {}");
  struct {
    std::string sync, message;
  } cases[] = {{"{manifests: [x]}", ".sync.manifests: this field of an operation is not supported"},
               {"{revision: nosuch}", "nosuch"},
               {"{source: {path: b}}", "repoURL"},
               {"{syncOptions: [CreateNamespase=true]}", "CreateNamespase"}};
  for (const auto& c : cases) {
    w.request(c.sync);
    auto app = w.look_once();
    EXPECT_EQ(phase_of(app), "Error");
    EXPECT_NE(message_of(app).find(c.message), std::string::npos) << message_of(app);
    EXPECT_FALSE(app["operation"].exists());
    EXPECT_FALSE(w.has("a"));
  }
}

// As Argo CD's clients write it: the source as the Application has it, with the fields that nobody set.
TEST(Request, MaySayWhatTheApplicationSays) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {}");
  w.request(
      fmt::format("{{revision: HEAD, source: {{repoURL: '{}', path: ., targetRevision: main, chart: '', directory: "
                  "{{recurse: false, jsonnet: {{}}}}}}, syncStrategy: {{hook: {{}}}}}}",
                  World::url));
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  EXPECT_TRUE(w.has("a"));
}

TEST(Request, OptionsOfTheOperationTakeThePlaceOfTheApplications) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application(
      "destination: {server: 'https://kubernetes.default.svc', namespace: fresh}\nsyncPolicy: {syncOptions: "
      "[Validate=false]}");
  w.request("{syncOptions: [CreateNamespace=true]}");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  EXPECT_TRUE(w.live({"v1", "Namespace"}, "fresh", ""));
  EXPECT_TRUE(w.live({"v1", "ConfigMap"}, "a", "fresh"));
}

TEST(Request, OfSomeObjectsPrunesThemAlone) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}, {"c.yaml", config_map("c")}});
  w.application("syncPolicy: {}");
  w.request();
  w.look_once();
  w.commit({{"a.yaml", std::nullopt}, {"b.yaml", std::nullopt}});
  w.request("{prune: true, resources: [{kind: ConfigMap, name: a}]}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_FALSE(w.has("a"));
  EXPECT_TRUE(w.has("b"));
  EXPECT_EQ(app["status"]["operationState"]["syncResult"]["resources"][0]["status"].text(), "Pruned");
  EXPECT_EQ(app["status"]["operationState"]["syncResult"]["resources"].items().size(), 1U);
}

TEST(Request, EachSourceMayHaveARevision) {
  World w;
  auto first = w.commit({{"a/a.yaml", config_map("a")}, {"b/b.yaml", config_map("b")}});
  auto second = w.commit({{"a/a.yaml", config_map("a", "2")}, {"b/b.yaml", config_map("b", "2")}});
  w.application(
      fmt::format("syncPolicy: {{}}\nsources: [{{repoURL: '{0}', path: a, targetRevision: main}}, {{repoURL: "
                  "'{0}', path: b, targetRevision: main}}]",
                  World::url));
  w.request(fmt::format("{{revisions: [HEAD, {}]}}", first));
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_EQ(value(w, "a") + value(w, "b"), "21");
  EXPECT_EQ(doc::print_json(app["status"]["history"][0]["revisions"].value()),
            fmt::format("[\"{}\",\"{}\"]", second, first));
}

// What argocd app rollback asks for.
TEST(Request, OfAnOldRevisionGoesBackAndTheApplicationIsOutOfSync) {
  World w;
  auto first = w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {}");
  w.request();
  w.look_once();
  auto second = w.commit({{"a.yaml", config_map("a", "2")}, {"b.yaml", config_map("b")}});
  w.request();
  w.look_once();
  w.request(fmt::format("{{revision: {}, prune: true, syncStrategy: {{apply: {{}}}}}}", first));
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_EQ(value(w, "a"), "1");
  EXPECT_FALSE(w.has("b"));
  EXPECT_EQ(app["status"]["sync"]["revision"].text(), second) << "it is compared with what it says itself";
  ASSERT_TRUE(w.again);
  EXPECT_LT(*w.again, Millis(100));
  app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "OutOfSync");
  EXPECT_EQ(value(w, "a"), "1") << "nobody asked for more";
  EXPECT_EQ(app["status"]["history"].items().size(), 3U);
  EXPECT_EQ(app["status"]["history"][2]["revision"].text(), first);
  EXPECT_EQ(app["status"]["history"][2]["source"]["targetRevision"].text(), "main");
}

TEST(Request, OfAnOldRevisionStaysWithItUntilItHasEnded) {
  World w;
  auto first = w.commit({{"a.yaml", config_map("a")}, {"s.yaml", config_map("late", "1", wave(1))}});
  w.application("syncPolicy: {}");
  bool refuses = true;
  w.client->before_write = [&](const std::string& what) -> Result<> {
    return refuses && what.find("late") != std::string::npos ? Result<>(fail(Kind::unavailable, "not now"))
                                                             : Result<>();
  };
  w.request(fmt::format("{{revision: {}}}", first));
  EXPECT_EQ(phase_of(w.look_once()), "Running");
  w.commit({{"a.yaml", config_map("a", "2")}, {"s.yaml", config_map("late", "2", wave(1))}});
  w.restart();
  refuses = false;
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_EQ(value(w, "a") + value(w, "late"), "11");
}

TEST(Request, IsMadeAgainFromTheSame) {
  World w;
  auto first = w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {}");
  w.commit({{"a.yaml", config_map("a", "2")}});
  bool refuses = true;
  w.client->before_write = [&](const std::string& what) -> Result<> {
    return refuses && what == "apply ConfigMap shop/a" ? Result<>(fail(Kind::invalid, "never")) : Result<>();
  };
  w.merge(
      application_type, w.key,
      fmt::format("{{operation: {{sync: {{revision: {}}}, retry: {{limit: 1, backoff: {{duration: 1s}}}}}}}}", first));
  EXPECT_EQ(phase_of(w.look_once()), "Failed");
  ASSERT_TRUE(w.again);
  EXPECT_GE(*w.again, Millis(500)) << "its time is waited for";
  w.look_once();
  EXPECT_GE(*w.again, Millis(500));
  refuses = false;
  w.clock.advance(Millis(2000));
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_EQ(value(w, "a"), "1");
}

TEST(Request, WhereSyncsAreAutomaticTheNextOneIsFromGitAgain) {
  World w;
  auto first = w.commit({{"a.yaml", config_map("a")}});
  w.commit({{"a.yaml", config_map("a", "2")}});
  w.application("syncPolicy: {automated: {}}");
  w.look_once();
  w.request(fmt::format("{{revision: {}}}", first));
  w.look_once();
  EXPECT_EQ(value(w, "a"), "1");
  w.look_once();
  EXPECT_EQ(value(w, "a"), "2");
}

TEST(Request, OfAnotherSource) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"other/o.yaml", config_map("o")}});
  w.application("syncPolicy: {}");
  w.request(fmt::format("{{source: {{repoURL: '{}', path: other, targetRevision: main}}}}", World::url));
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_TRUE(w.has("o"));
  EXPECT_FALSE(w.has("a"));
  EXPECT_EQ(app["status"]["history"][0]["source"]["path"].text(), "other");
  EXPECT_EQ(w.look_once()["status"]["sync"]["status"].text(), "OutOfSync");
}

TEST(Request, ToTerminateEndsTheOperation) {
  World w;
  w.commit({{"j.yaml",
             "{apiVersion: batch/v1, kind: Job, metadata: {name: j, annotations: {argocd.argoproj.io/hook: PreSync}}, "
             "spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: a}]}}}}"}});
  w.application("syncPolicy: {}");
  w.request();
  EXPECT_EQ(phase_of(w.look_once()), "Running");
  w.merge(application_type, w.key, "{status: {operationState: {phase: Terminating}}}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app), "operation terminated");
}

}  // namespace
}  // namespace slipway::gitops
