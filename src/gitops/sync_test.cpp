// Looks at one Application against the embedded API.
#include "doc/json.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

constexpr std::string_view by_hand = "syncPolicy: {}";

TEST(Sync, FirstLookMakesTheClusterEqualToGit) {
  World w;
  auto revision =
      w.commit({{"a.yaml", config_map("a")},
                {"d.yaml",
                 "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, "
                 "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'web:1'}]}}}}"}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_EQ(conditions_of(app), "");
  auto status = app["status"];
  EXPECT_EQ(status["sync"]["status"].text(), "Synced");
  EXPECT_EQ(status["sync"]["revision"].text(), revision);
  EXPECT_EQ(status["sync"]["comparedTo"]["source"]["repoURL"].text(), World::url);
  EXPECT_EQ(status["sync"]["comparedTo"]["destination"]["namespace"].text(), "shop");
  EXPECT_EQ(status["health"]["status"].text(), "Progressing") << "the Deployment has no pods yet";
  EXPECT_EQ(status["sourceType"].text(), "Directory");
  EXPECT_EQ(status["summary"]["images"][0].text(), "web:1");
  EXPECT_EQ(status["history"][0]["revision"].text(), revision);
  EXPECT_EQ(status["history"][0]["source"]["path"].text(), ".");
  EXPECT_TRUE(status["history"][0]["initiatedBy"]["automated"].bool_or(false));
  auto op = status["operationState"];
  EXPECT_EQ(op["syncResult"]["revision"].text(), revision);
  EXPECT_EQ(op["syncResult"]["resources"].items().size(), 2U);
  EXPECT_EQ(op["syncResult"]["resources"][0]["status"].text(), "Synced");
  EXPECT_EQ(op["syncResult"]["resources"][0]["hookPhase"].text(), "Succeeded");
  EXPECT_FALSE(op["finishedAt"].text().empty());
  auto live = *w.live({"v1", "ConfigMap"}, "a");
  EXPECT_EQ(live.annotation(tracking_annotation), "shop:/ConfigMap:shop/a");
  // A second look finds nothing to do and says the same.
  w.client->writes.clear();
  auto again = w.look_once();
  EXPECT_EQ(w.client->writes, std::vector<std::string>{"patch Application argocd/shop"});
  EXPECT_EQ(again["status"].value(), app["status"].value());
}

TEST(Sync, ByHandWaitsForARequest) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application(by_hand);
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "OutOfSync");
  EXPECT_EQ(app["status"]["health"]["status"].text(), "Missing");
  EXPECT_FALSE(w.has("a"));
  w.request();
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_EQ(app["status"]["operationState"]["operation"]["initiatedBy"]["username"].text(), "ada");
  EXPECT_FALSE(app["operation"].exists());
  EXPECT_TRUE(w.has("a"));
}

TEST(Sync, NewCommitUpdatesAndPrunes) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application();
  w.look_once();
  auto revision = w.commit({{"a.yaml", config_map("a", "2")}, {"b.yaml", std::nullopt}});
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "2");
  EXPECT_FALSE(w.has("b"));
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
  EXPECT_EQ(app["status"]["inventory"].items().size(), 1U);
  EXPECT_EQ(app["status"]["history"].items().size(), 2U);
  EXPECT_EQ(app["status"]["operationState"]["syncResult"]["revision"].text(), revision);
}

TEST(Sync, WithoutPruneLeavesWhatGitDropped) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application("syncPolicy: {automated: {selfHeal: true}}");
  w.look_once();
  w.commit({{"a.yaml", config_map("a", "2")}, {"b.yaml", std::nullopt}});
  auto app = w.look_once();
  EXPECT_TRUE(w.has("b"));
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "OutOfSync");
  EXPECT_TRUE(app["status"]["resources"][1]["requiresPruning"].bool_or(false));
  auto results = app["status"]["operationState"]["syncResult"]["resources"];
  EXPECT_EQ(results[1]["status"].text(), "PruneSkipped");
  EXPECT_EQ(results[1]["message"].text(), "ignored (requires pruning)");
  w.request("{prune: true}");
  app = w.look_once();
  EXPECT_FALSE(w.has("b"));
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
}

TEST(Sync, CommitThatChangesNothingStartsNothing) {
  World w;
  w.commit(
      {{"app/a.yaml", config_map("a")}, {"app/hook.yaml", config_map("h", "1", "argocd.argoproj.io/hook: PreSync")}});
  w.application(
      "source: {repoURL: http://git/config, path: app}\nsyncPolicy: {automated: {prune: true, selfHeal: true}}");
  auto first = w.look_once();
  auto revision = w.commit({{"other/readme", "x"}});
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["revision"].text(), revision);
  EXPECT_EQ(app["status"]["operationState"].value(), first["status"]["operationState"].value());
  EXPECT_EQ(app["status"]["history"].items().size(), 1U);
}

TEST(Sync, ChangedSourceOfTheSameCommitIsSynced) {
  World w;
  w.commit({{"a/a.yaml", config_map("a")}, {"b/b.yaml", config_map("b")}});
  w.application("source: {repoURL: http://git/config, path: a}\nsyncPolicy: {automated: {prune: true}}");
  w.look_once();
  w.application("source: {repoURL: http://git/config, path: b}\nsyncPolicy: {automated: {prune: true}}");
  auto app = w.look_once();
  EXPECT_TRUE(w.has("b"));
  EXPECT_FALSE(w.has("a"));
  EXPECT_EQ(app["status"]["history"].items().size(), 2U);
}

TEST(Sync, ManySourcesAreOneSetAndOneOfThemCanMove) {
  World w;
  auto one = w.repositories.commit("http://git/one", {{"a.yaml", config_map("a")}});
  w.repositories.commit("http://git/two", {{"b.yaml", config_map("b")}});
  w.application(
      "sources: [{repoURL: http://git/one}, {repoURL: http://git/two}]\nsyncPolicy: {automated: {prune: true}}");
  auto app = w.look_once();
  EXPECT_TRUE(w.has("a") && w.has("b"));
  auto two = w.repositories.commit("http://git/two", {{"b.yaml", config_map("b", "2")}});
  app = w.look_once();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "b"))["data"]["v"].text(), "2");
  EXPECT_EQ(app["status"]["sync"]["revisions"][0].text(), one);
  EXPECT_EQ(app["status"]["sync"]["revisions"][1].text(), two);
  EXPECT_EQ(app["status"]["history"][1]["revisions"][1].text(), two);
  EXPECT_EQ(app["status"]["history"][1]["sources"].items().size(), 2U);
}

TEST(Sync, HistoryKeepsItsLimit) {
  World w;
  w.commit({{"a.yaml", config_map("a", "0")}});
  w.application("revisionHistoryLimit: 2\nsyncPolicy: {automated: {}}");
  for (int i = 1; i < 5; ++i) {
    w.look_once();
    w.commit({{"a.yaml", config_map("a", std::to_string(i))}});
  }
  auto app = w.look_once();
  ASSERT_EQ(app["status"]["history"].items().size(), 2U);
  EXPECT_EQ(app["status"]["history"][0]["id"].num_or(-1), 3);
  EXPECT_EQ(app["status"]["history"][1]["id"].num_or(-1), 4);
}

// --- what is wrong -----------------------------------------------------------------------------------------------

struct Broken {
  const char* name;
  const char* file;
  const char* text;
  const char* condition;
};
class Render : public testing::TestWithParam<Broken> {};
TEST_P(Render, ErrorsKeepTheirPlaceAndChangeNothing) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application();
  w.look_once();
  w.client->writes.clear();
  w.commit({{"a.yaml", std::nullopt}, {GetParam().file, GetParam().text}});
  auto app = w.look_once();
  EXPECT_NE(conditions_of(app).find(GetParam().condition), std::string::npos) << conditions_of(app);
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Unknown");
  EXPECT_EQ(app["status"]["resources"].items().size(), 2U) << "what the last good look found stays";
  EXPECT_EQ(w.client->writes, std::vector<std::string>{"patch Application argocd/shop"});
  EXPECT_TRUE(w.has("a") && w.has("b")) << "nothing is pruned from a partial render";
  w.commit({{GetParam().file, std::nullopt}});
  app = w.look_once();
  EXPECT_EQ(conditions_of(app), "");
  EXPECT_FALSE(w.has("a"));
}
INSTANTIATE_TEST_SUITE_P(
    Sync, Render,
    testing::ValuesIn(std::to_array<Broken>({
        {"Yaml", "bad.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n",
         "ComparisonError: bad.yaml:4:1: "},
        {"NoKind", "c.yaml", "apiVersion: v1\nmetadata: {name: x}\n", "ComparisonError: c.yaml:1:1: "},
        {"Kustomization", "kustomization.yaml", "resources: [b.yaml, nothere.yaml]\n", "nothere.yaml"},
        {"KustomizationField", "kustomization.yaml", "resources: [b.yaml]\nresorces: []\n", "kustomization.yaml:2:1"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Sync, MissingRepositoryRevisionPath) {
  struct {
    std::string_view spec, condition;
  } cases[] = {{"source: {repoURL: http://git/nothing}", "ComparisonError: http://git/nothing: no such repository"},
               {"source: {repoURL: http://git/config, targetRevision: v9}",
                "ComparisonError: http://git/config: no revision v9"},
               {"source: {repoURL: http://git/config, path: deploy}",
                "ComparisonError: http://git/config: deploy: app path does not exist at "},
               {"source: {repoURL: http://git/config, path: ../up}",
                "ComparisonError: http://git/config: ../up: leaves the repository"},
               {"source: {repoURL: http://git/config, chart: c}", "InvalidSpecError: .spec.source.chart: Helm charts"},
               {"source: {repoURL: http://git/config}\nproject: team",
                "InvalidSpecError: application references project team which does not exist"}};
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  for (const auto& c : cases) {
    w.application(fmt::format("{}\nsyncPolicy: {{automated: {{}}}}", c.spec));
    auto app = w.look_once();
    EXPECT_TRUE(conditions_of(app).starts_with(c.condition)) << conditions_of(app);
    EXPECT_FALSE(w.has("a"));
    EXPECT_EQ(app["status"]["health"]["status"].text(), "Unknown");
  }
  // A repository that cannot be reached is tried again soon; a request meanwhile is answered, not lost.
  w.application();
  w.repositories.gone = true;
  w.request();
  auto app = w.look_once();
  EXPECT_EQ(w.again, Millis(5000));
  EXPECT_EQ(phase_of(app), "Error");
  EXPECT_EQ(message_of(app), "http://git/config: could not be reached");
  EXPECT_FALSE(app["operation"].exists());
  w.repositories.gone = false;
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
}

TEST(Sync, UnknownKindFailsBeforeAnythingIsApplied) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"w.yaml", "{apiVersion: x.io/v1, kind: Widget, metadata: {name: w}}"}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app), "Widget shop/w: the cluster knows no Widget of x.io/v1");
  EXPECT_EQ(conditions_of(app), "ComparisonError: w: the cluster knows no Widget of x.io/v1");
  EXPECT_FALSE(w.has("a"));
}

TEST(Sync, RefusedObjectFailsBeforeAnythingIsApplied) {
  World w;
  w.commit({{"a.yaml", config_map("a")},
            {"s.yaml", "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 99999}]}}"}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_NE(message_of(app).find("spec.ports[0].port"), std::string::npos) << message_of(app);
  EXPECT_EQ(app["status"]["operationState"]["syncResult"]["resources"][0]["status"].text(), "SyncFailed");
  EXPECT_FALSE(w.has("a"));
}

TEST(Sync, MisspeltFieldIsToldOf) {
  World w;
  w.commit({{"s.yaml",
             "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selecter: {a: b}, ports: [{port: 80}]}}"}});
  w.application();
  w.look_once();
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app),
            "UnknownFieldWarning: Service shop/s: the cluster knows no .spec.selecter and leaves it out");
  EXPECT_EQ(phase_of(app), "Succeeded");
  w.application("syncPolicy: {automated: {}, syncOptions: [Validate=false]}");
  EXPECT_EQ(conditions_of(w.look_once()), "");
}

TEST(Sync, AnObjectNeedsANamespaceFromSomewhere) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("destination: {server: 'https://kubernetes.default.svc'}\nsyncPolicy: {automated: {}}");
  EXPECT_EQ(conditions_of(w.look_once()),
            "InvalidSpecError: Namespace for a ConfigMap is missing: want one there, or in spec.destination");
  EXPECT_FALSE(w.live({"v1", "ConfigMap"}, "a", "default"));
}

// A refresh is answered by a newer time, and so is each operation: clients wait for it.
TEST(Sync, SaysWhenItWasLookedAt) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application();
  auto at = [&] { return w.look_once()["status"]["reconciledAt"].text(); };
  auto first = at();
  w.clock.advance(Millis(5000));
  EXPECT_EQ(at(), first) << "nothing to say";
  w.merge(application_type, w.key, "{metadata: {annotations: {argocd.argoproj.io/refresh: normal}}}");
  auto second = at();
  EXPECT_GT(second, first);
  w.clock.advance(Millis(5000));
  w.commit({{"a.yaml", config_map("a", "2")}});
  auto app = w.look_once();
  EXPECT_GE(app["status"]["reconciledAt"].text(), app["status"]["operationState"]["finishedAt"].text());
}

TEST(Sync, SaysWhereItIsServedAndWhatItRuns) {
  World w;
  w.commit(
      {{"i.yaml",
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {tls: [{hosts: [safe.test]}], "
        "rules: [{host: safe.test, http: {paths: [{path: /x*, pathType: Prefix, backend: {service: {name: s, port: "
        "{number: 80}}}}]}}, {host: open.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: "
        "s, port: {number: 80}}}}]}}]}}"},
       {"p.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: 'a:1'}]}}"},
       {"c.yaml",
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: c}, spec: {schedule: '* * * * *', jobTemplate: {spec: "
        "{template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'b:1'}]}}}}}}"}});
  w.application();
  auto summary = w.look_once()["status"]["summary"];
  EXPECT_EQ(doc::print_json(summary.value()),
            R"({"images":["a:1","b:1"],"externalURLs":["http://open.test/","https://safe.test/x"]})");
}

TEST(Sync, RepeatedObjectsTheLastCounts) {
  World w;
  w.commit({{"1.yaml", config_map("a", "1")}, {"2.yaml", config_map("a", "2")}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app), "RepeatedResourceWarning: ConfigMap a appears more than once; the last one counts");
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "2");
}

TEST(Sync, ObjectWithoutANameIsToldOf) {
  World w;
  w.commit(
      {{"1.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: a-}}"}, {"2.yaml", config_map("b")}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app),
            "ComparisonError: ConfigMap a-: has no metadata.name, want one (generateName is for hooks)");
  EXPECT_TRUE(w.has("b"));
}

// --- retries -----------------------------------------------------------------------------------------------------

TEST(Sync, RetriesWithBackOffThenWaitsForACommit) {
  World w;
  w.commit({{"s.yaml", "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 99999}]}}"}});
  w.application("syncPolicy: {automated: {}, retry: {limit: 2, backoff: {duration: 10s, factor: 2, maxDuration: 1m}}}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(w.again, Millis(10000));
  w.clock.advance(Millis(9000));
  w.look_once();
  EXPECT_LE(w.again->count(), 1001);
  w.clock.advance(Millis(1001));
  app = w.look_once();
  EXPECT_EQ(app["status"]["operationState"]["retryCount"].num_or(0), 1);
  EXPECT_EQ(w.again, Millis(20000));
  w.clock.advance(Millis(20001));
  app = w.look_once();
  EXPECT_EQ(app["status"]["operationState"]["retryCount"].num_or(0), 2);
  w.clock.advance(Millis(600000));
  app = w.look_once();
  EXPECT_EQ(app["status"]["operationState"]["retryCount"].num_or(0), 2) << "the limit is reached";
  EXPECT_NE(conditions_of(app).find("SyncError: Failed last sync attempt to "), std::string::npos);
  w.commit({{"s.yaml", config_map("s")}});
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_EQ(conditions_of(app), "");
}

TEST(Sync, RequestsMayBringTheirOwnRetry) {
  World w;
  w.commit({{"s.yaml", "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 99999}]}}"}});
  w.application(by_hand);
  w.merge(application_type, w.key, "{operation: {sync: {}, retry: {limit: 1, backoff: {duration: 1s}}}}");
  w.look_once();
  EXPECT_EQ(w.again, Millis(1000));
  w.clock.advance(Millis(1001));
  EXPECT_EQ(w.look_once()["status"]["operationState"]["retryCount"].num_or(0), 1);
}

// --- self-heal ---------------------------------------------------------------------------------------------------

TEST(Heal, HandEditsAndDeletionsArePutRightAndToldOf) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application();
  w.look_once();
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: '9'}}");
  must(w.person->remove(w.ctx(), {"v1", "ConfigMap"}, {"shop", "b"}, {}));
  auto app = w.look_once();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "1");
  EXPECT_TRUE(w.has("b"));
  ASSERT_EQ(w.drifts.size(), 2U);
  EXPECT_EQ(join(w.drifts[0].fields, ","), ".data.v");
  EXPECT_FALSE(w.drifts[0].deleted);
  EXPECT_TRUE(w.drifts[1].deleted);
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
  EXPECT_EQ(app["status"]["history"].items().size(), 1U) << "healing is no deployment";
}

// A commit elsewhere in the repository moves the revision without an operation; what is edited after it is drift still.
TEST(Heal, DriftAfterACommitThatChangedNothing) {
  World w;
  w.commit({{"app/a.yaml", config_map("a")}});
  w.application(
      "source: {repoURL: http://git/config, path: app}\nsyncPolicy: {automated: {prune: true, selfHeal: true}}");
  w.look_once();
  w.commit({{"other/readme", "x"}});
  w.look_once();
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: '9'}}");
  auto app = w.look_once();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "1");
  EXPECT_EQ(w.drifts.size(), 1U);
  EXPECT_EQ(app["status"]["history"].items().size(), 1U);
}

TEST(Heal, FieldsThatGitDoesNotNameAreNotDrift) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {other: x}, metadata: {labels: {team: blue}}}");
  EXPECT_EQ(w.look_once()["status"]["sync"]["status"].text(), "Synced");
  EXPECT_TRUE(w.drifts.empty());
}

TEST(Heal, WithoutSelfHealIsOnlyShown) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {automated: {}}");
  w.look_once();
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: '9'}}");
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "OutOfSync");
  EXPECT_EQ(app["status"]["resources"][0]["differs"][0].text(), ".data.v");
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "9");
}

TEST(Heal, BacksOffWhenSomebodyKeepsChangingIt) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  std::string pauses;
  for (int i = 0; i < 7; ++i) {
    w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: '9'}}");
    w.look_once();
    while (w.drifts.size() < static_cast<std::size_t>(i + 1)) {
      auto wait = w.again.value();
      pauses += fmt::format("{} ", wait.count() / 1000);
      w.clock.advance(wait);
      w.look_once();
    }
  }
  EXPECT_EQ(pauses, "2 6 18 54 ");
}

TEST(Heal, DeletedNamespaceComesBackWithWhatWasInIt) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {automated: {selfHeal: true}, syncOptions: [CreateNamespace=true]}");
  w.look_once();
  must(w.person->remove(w.ctx(), {"v1", "Namespace"}, {"", "shop"}, {}));
  must(w.person->remove(w.ctx(), {"v1", "ConfigMap"}, {"shop", "a"}, {}));
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "OutOfSync") << "the namespace is still going";
  EXPECT_EQ(w.again, Millis(500));
  // Its controller lets it go.
  auto ns = must(w.person->get(w.ctx(), {"v1", "Namespace"}, {"", "shop"}))->copy();
  ns["spec"]["finalizers"] = doc::List{};
  must(w.person->update(w.ctx(), ns, {.subresource = "finalize"}));
  app = w.look_once();
  EXPECT_TRUE(w.has("a")) << conditions_of(app);
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
}

}  // namespace
}  // namespace slipway::gitops
