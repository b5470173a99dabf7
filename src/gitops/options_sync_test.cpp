// Sync options, pruning, deletion: against the embedded API.
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

std::string with_options(std::string_view options, std::string_view more = "prune: true, selfHeal: true") {
  return fmt::format("syncPolicy: {{automated: {{{}}}, syncOptions: [{}]}}", more, options);
}
std::string opt(std::string_view words) { return fmt::format("argocd.argoproj.io/sync-options: '{}'", words); }
std::string wave(int n) { return fmt::format("argocd.argoproj.io/sync-wave: '{}'", n); }
const kube::Type config{"v1", "ConfigMap"}, namespaces{"v1", "Namespace"};

TEST(CreateNamespace, MakesTheDestinationWithItsMetadata) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application(
      "destination: {namespace: fresh}\nsyncPolicy: {automated: {}, syncOptions: [CreateNamespace=true], "
      "managedNamespaceMetadata: {labels: {team: blue}, annotations: {note: x}}}");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  auto made = *w.live(namespaces, "fresh", "");
  EXPECT_EQ(made.label("team"), "blue");
  EXPECT_EQ(made.annotation("note"), "x");
  EXPECT_EQ(made.annotation(tracking_annotation), "") << "a namespace made by the way is never pruned";
  EXPECT_TRUE(w.live(config, "a", "fresh"));
}

constexpr std::string_view managed =
    "syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true], "
    "managedNamespaceMetadata: {}}}";

// It stood among the objects before: everything that others put there would go with it.
TEST(CreateNamespace, WhatIsManagedIsNeverPruned) {
  World w;
  w.commit({{"n.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"}, {"a.yaml", config_map("a")}});
  w.application(fmt::format(managed, "{labels: {team: a}}"));
  w.look_once();
  auto before = w.live({"v1", "Namespace"}, "shop", "")->uid();
  w.commit({{"n.yaml", std::nullopt}});
  auto app = w.look_once();
  app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
  auto live = w.live({"v1", "Namespace"}, "shop", "");
  ASSERT_TRUE(live && !live->deleting());
  EXPECT_EQ(live->uid(), before);
}

TEST(CreateNamespace, ItsMetadataFollowsGitAndIsHealed) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application(fmt::format(managed, "{labels: {team: a, old: x}}"));
  w.look_once();
  w.application(fmt::format(managed, "{labels: {team: b}}"));
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
  auto label = [&](std::string_view name) { return w.live({"v1", "Namespace"}, "shop", "")->label(name); };
  EXPECT_EQ(label("team") + "," + label("old"), "b,");
  w.merge({"v1", "Namespace"}, {"", "shop"}, "{metadata: {labels: {team: hand, other: stays}}}");
  w.look_once();
  EXPECT_EQ(label("team") + "," + label("other"), "b,stays");
}

TEST(CreateNamespace, IsNotMadeUnlessAsked) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("destination: {namespace: fresh}\nsyncPolicy: {automated: {}}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_NE(message_of(app).find("\"fresh\" not found"), std::string::npos) << message_of(app);
}

TEST(CreateNamespace, OneAmongTheObjectsComesFirst) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"ns.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: fresh}}"}});
  w.application("destination: {namespace: fresh}\nsyncPolicy: {automated: {}}");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  EXPECT_EQ(w.live(namespaces, "fresh", "")->annotation(tracking_annotation), "shop:/Namespace:fresh/fresh");
}

TEST(Replace, WritesTheWholeObject) {
  World w;
  w.commit({{"a.yaml", config_map("a", "1", opt("Replace=true"))}});
  w.application();
  w.look_once();
  w.merge(config, {"shop", "a"}, "{data: {v: '9', extra: x}}");
  w.client->writes.clear();
  w.look_once();
  EXPECT_EQ(w.client->writes.at(0), "update ConfigMap shop/a");
  EXPECT_EQ((*w.live(config, "a"))["data"].value(), doc::Value(doc::Map{{"v", "1"}}));
  EXPECT_EQ(w.look_once()["status"]["sync"]["status"].text(), "Synced");
}

class Migration : public testing::TestWithParam<bool> {};
TEST_P(Migration, FieldsOfKubectlApplyFollowGit) {
  World w;
  auto before = must(doc::parse_yaml(
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {v: '1', gone: x}}"));
  must(w.person->create(w.ctx(), before, {.field_manager = "kubectl-client-side-apply"}));
  w.merge(config, {"shop", "a"}, "{data: {others: y}}");
  w.commit({{"a.yaml", config_map("a")}});
  w.application(GetParam() ? with_options("") : with_options("ClientSideApplyMigration=false"));
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  auto data = (*w.live(config, "a"))["data"];
  EXPECT_EQ(data["gone"].exists(), !GetParam());
  EXPECT_EQ(data["others"].text(), "y");
  for (const auto& entry : (*w.live(config, "a"))["metadata"]["managedFields"].items())
    EXPECT_TRUE(!GetParam() || entry["manager"].text() != "kubectl-client-side-apply");
  EXPECT_EQ(w.look_once()["status"]["sync"]["status"].text(), "Synced");
}
INSTANTIATE_TEST_SUITE_P(Options, Migration, testing::Bool(),
                         [](const auto& i) { return i.param ? "ByDefault" : "TurnedOff"; });

TEST(Force, RemakesWhatCannotBeChanged) {
  auto job = [](std::string_view image, std::string_view annotations) {
    return fmt::format(
        "{{apiVersion: batch/v1, kind: Job, metadata: {{name: j, annotations: {{{}}}}}, spec: {{template: {{spec: "
        "{{restartPolicy: Never, containers: [{{name: c, image: '{}'}}]}}}}}}}}",
        annotations, image);
  };
  World w;
  w.commit({{"j.yaml", job("a:1", "")}});
  w.application();
  w.look_once();
  auto first = w.live({"batch/v1", "Job"}, "j")->uid();
  w.commit({{"j.yaml", job("a:2", "")}});
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_NE(message_of(app).find("immutable"), std::string::npos) << message_of(app);
  w.commit({{"j.yaml", job("a:2", opt("Force=true"))}});
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_NE(w.live({"batch/v1", "Job"}, "j")->uid(), first);
}

TEST(SkipDryRun, LetsKindsOfCrdsElsewhereWait) {
  World w;
  w.commit({{"w.yaml", fmt::format("{{apiVersion: x.io/v1, kind: Widget, metadata: {{name: w, annotations: {{{}}}}}}}",
                                   opt("SkipDryRunOnMissingResource=true"))}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(app["status"]["operationState"]["syncResult"]["resources"][0]["status"].text(), "SyncFailed")
      << "it was tried";
}

TEST(Definitions, ComeWithTheirObjectsAndAreNeverTakenAway) {
  World w;
  w.commit(
      {{"crd.yaml",
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.x.io}, spec: "
        "{group: x.io, scope: Cluster, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true, "
        "storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}"},
       {"w.yaml", "{apiVersion: x.io/v1, kind: Widget, metadata: {name: w}}"}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_EQ(w.live({"x.io/v1", "Widget"}, "w", "")->annotation(tracking_annotation), "shop:x.io/Widget:shop/w");
  EXPECT_EQ(conditions_of(app), "");
  EXPECT_EQ(w.look_once()["status"]["sync"]["status"].text(), "Synced");
  w.commit({{"crd.yaml", std::nullopt}, {"w.yaml", std::nullopt}, {"a.yaml", config_map("a")}});
  app = w.look_once();
  EXPECT_FALSE(w.live({"x.io/v1", "Widget"}, "w", ""));
  EXPECT_TRUE(w.live({"apiextensions.k8s.io/v1", "CustomResourceDefinition"}, "widgets.x.io", ""));
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
}

TEST(Shared, IsToldOfAndMayFail) {
  World w;
  auto theirs =
      must(doc::parse_yaml(config_map("a", "0", "argocd.argoproj.io/tracking-id: 'other:/ConfigMap:shop/a'")));
  theirs["metadata"]["namespace"] = "shop";
  must(w.person->create(w.ctx(), theirs, {}));
  w.commit({{"a.yaml", config_map("a")}});
  w.application(with_options("FailOnSharedResource=true"));
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app), "SharedResourceWarning: ConfigMap shop/a is part of applications shop and other");
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app), "ConfigMap shop/a: is part of Application other as well");
  EXPECT_EQ((*w.live(config, "a"))["data"]["v"].text(), "0");
  w.application();
  app = w.look_once();
  w.clock.advance(Millis(5001));
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << "without the option it is taken over";
}

// --- pruning -----------------------------------------------------------------------------------------------------

TEST(Prune, KeepsWhatAsksToStay) {
  World w;
  w.commit(
      {{"a.yaml", config_map("a", "1", opt("Prune=false"))},
       {"b.yaml", config_map("b", "1", "argocd.argoproj.io/compare-options: IgnoreExtraneous, " + opt("Prune=false"))},
       {"c.yaml", config_map("c")}});
  w.application();
  w.look_once();
  w.commit({{"a.yaml", std::nullopt}, {"b.yaml", std::nullopt}});
  auto app = w.look_once();
  EXPECT_TRUE(w.has("a") && w.has("b"));
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "OutOfSync");
  w.merge(config, {"shop", "a"}, "{metadata: {annotations: {argocd.argoproj.io/sync-options: null}}}");
  app = w.look_once();
  EXPECT_FALSE(w.has("a"));
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced") << "b is out of sync, its Application is not";
}

TEST(Prune, AsksWhenToldTo) {
  World w;
  w.commit({{"a.yaml", config_map("a", "1", opt("Prune=confirm"))}, {"c.yaml", config_map("c")}});
  w.application();
  w.look_once();
  w.clock.advance(Millis(2000));
  w.commit({{"a.yaml", std::nullopt}});
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Running");
  EXPECT_EQ(
      message_of(app),
      "waiting for approval to delete ConfigMap/a: annotate the Application with argocd.argoproj.io/deletion-approved");
  EXPECT_TRUE(app["status"]["resources"][1]["requiresDeletionConfirmation"].bool_or(false));
  auto approve = [&](WallTime when) {
    w.merge(
        application_type, w.key,
        fmt::format("{{metadata: {{annotations: {{argocd.argoproj.io/deletion-approved: '{}'}}}}}}", rfc3339(when)));
  };
  approve(w.clock.wall() - Millis(60000));
  EXPECT_EQ(phase_of(w.look_once()), "Running") << "an old approval is for something else";
  approve(w.clock.wall() + Millis(1000));
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  EXPECT_FALSE(w.has("a"));
}

// --- delete budgets ----------------------------------------------------------------------------------------------

struct BudgetCase {
  const char* name;
  const char* of_application;  // "": says nothing
  const char* of_project;
  const char* asks;  // "": the two of three objects go at once
};
class DeleteBudgets : public testing::TestWithParam<BudgetCase> {};
TEST_P(DeleteBudgets, Table) {
  const auto& c = GetParam();
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}, {"c.yaml", config_map("c")}});
  auto annotated = [](std::string_view value) { return fmt::format("slipway.dev/delete-budget: '{}'", value); };
  std::string_view policy = "project: team\nsyncPolicy: {automated: {prune: true}}";
  auto project = must(
      doc::parse_yaml("{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: team, namespace: argocd}, "
                      "spec: {sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}]}}"));
  if (*c.of_project != '\0') project["metadata"]["annotations"]["slipway.dev/delete-budget"] = c.of_project;
  must(w.person->create(w.ctx(), std::move(project), {}));
  w.application(policy,
                *c.of_application == '\0' ? "" : fmt::format(", annotations: {{{}}}", annotated(c.of_application)));
  w.look_once();
  w.clock.advance(Millis(2000));
  w.commit({{"a.yaml", std::nullopt}, {"b.yaml", std::nullopt}});
  auto app = w.look_once();
  if (std::string_view asks = c.asks; !asks.empty()) {
    EXPECT_EQ(message_of(app),
              fmt::format("waiting for approval to delete 2 objects, more than the delete budget of {}: "
                          "annotate shop with argocd.argoproj.io/deletion-approved",
                          asks));
    EXPECT_TRUE(w.has("a") && w.has("b")) << "all or nothing";
    EXPECT_NE(conditions_of(app).find("DeletionWarning"), std::string::npos);
    w.merge(application_type, w.key,
            fmt::format("{{metadata: {{annotations: {{argocd.argoproj.io/deletion-approved: '{}'}}}}}}",
                        rfc3339(w.clock.wall() + Millis(1000))));
    app = w.look_once();
  }
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_FALSE(w.has("a") || w.has("b"));
  EXPECT_TRUE(w.has("c"));
}
INSTANTIATE_TEST_SUITE_P(Prune, DeleteBudgets,
                         testing::ValuesIn(std::to_array<BudgetCase>({
                             {"None", "", "", ""},
                             {"Number", "1", "", "1"},
                             {"NumberIsEnough", "2", "", ""},
                             {"Nothing", "0", "", "0"},
                             {"Share", "20%", "", "20% (1)"},
                             {"ShareIsRoundedUp", "34%", "", ""},
                             {"OfTheProject", "", "1", "1"},
                             {"ItsOwnComesFirst", "100%", "1", ""},
                         })),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Prune, WhatWaitsToGoIsInTheResult) {
  World w;
  w.commit(
      {{"a.yaml", config_map("a")},
       {"slow.yaml",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: slow, finalizers: [example.org/held]}, data: {v: x}}"}});
  w.application("syncPolicy: {}");
  w.request();
  w.look_once();
  w.commit({{"slow.yaml", std::nullopt}});
  w.request("{prune: true}");
  auto result = [](const kube::Object& app) {
    for (const auto& r : app["status"]["operationState"]["syncResult"]["resources"].items())
      if (r["name"].text() == "slow") return r["status"].text() + " " + r["hookPhase"].text();
    return std::string("none");
  };
  EXPECT_EQ(result(w.look_once()), "Pruned Running");
  w.merge({"v1", "ConfigMap"}, {"shop", "slow"}, "{metadata: {finalizers: null}}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app) + " " + result(app), "Succeeded Pruned Succeeded");
}

TEST(Prune, GoesWaveByWaveFromTheLast) {
  World w;
  w.commit({{"a.yaml", config_map("first", "1", wave(-1))},
            {"b.yaml", config_map("middle")},
            {"c.yaml", config_map("last", "1", wave(4))},
            {"k.yaml", config_map("keep")}});
  w.application();
  w.look_once();
  w.client->collects = false;  // deleted in the foreground, and nobody collects
  w.commit({{"a.yaml", std::nullopt}, {"b.yaml", std::nullopt}, {"c.yaml", std::nullopt}});
  std::string order;
  for (auto name : {"last", "middle", "first"}) {
    auto app = w.look_once();
    EXPECT_EQ(message_of(app), fmt::format("waiting for deletion of ConfigMap/{}", name));
    for (auto other : {"first", "middle", "last"})
      if (auto live = w.live(config, other)) order += fmt::format("{}{} ", other, live->deleting() ? "!" : "");
    w.merge(config, {"shop", name}, "{metadata: {finalizers: null}}");
  }
  EXPECT_EQ(order, "first middle last! first middle! first! ");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
}

TEST(Prune, NeverEverythingUnlessAllowed) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"h.yaml", config_map("h", "1", "argocd.argoproj.io/hook: PreSync")}});
  w.application();
  w.look_once();
  w.commit({{"a.yaml", std::nullopt}});
  auto app = w.look_once();
  EXPECT_TRUE(w.has("a"));
  EXPECT_EQ(conditions_of(app),
            "SyncError: the revision holds no objects and pruning would delete all; set "
            "syncPolicy.automated.allowEmpty to allow it");
  w.application("syncPolicy: {automated: {prune: true, allowEmpty: true, selfHeal: true}}");
  app = w.look_once();
  EXPECT_FALSE(w.has("a"));
}

TEST(Prune, ObjectsOfOthersAndCopiesStay) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application();
  w.look_once();
  // A copy carries the annotation of the object it was made from; b was given to another Application.
  auto copy = w.live(config, "a")->copy();
  copy["metadata"] =
      doc::Map{{"name", "copy"}, {"namespace", "shop"}, {"annotations", *copy.find_path({"metadata", "annotations"})}};
  must(w.person->create(w.ctx(), copy, {}));
  w.merge(config, {"shop", "b"},
          "{metadata: {annotations: {argocd.argoproj.io/tracking-id: 'other:/ConfigMap:shop/b'}}}");
  w.commit({{"a.yaml", std::nullopt}, {"b.yaml", std::nullopt}, {"c.yaml", config_map("c")}});
  w.look_once();
  EXPECT_FALSE(w.has("a"));
  EXPECT_TRUE(w.has("b") && w.has("copy"));
}

TEST(Prune, NothingWhileAnObjectCouldNotBeApplied) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application();
  w.look_once();
  w.client->before_write = [](const std::string& what) -> Result<> {
    return what == "apply ConfigMap shop/c" ? Result<>(fail(Kind::denied, "no")) : Result<>{};
  };
  w.commit({{"b.yaml", std::nullopt}, {"c.yaml", config_map("c")}});
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app), "ConfigMap shop/c: no");
  EXPECT_TRUE(w.has("b"));
}

// --- deletion of the Application ---------------------------------------------------------------------------------

constexpr std::string_view cascading = ", finalizers: [resources-finalizer.argocd.argoproj.io]";

void remove_app(World& w) { must(w.person->remove(w.ctx(), application_type, w.key, {})); }

TEST(Deletion, WithoutTheFinalizerLeavesEverything) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  remove_app(w);
  EXPECT_FALSE(w.look_once());
  EXPECT_TRUE(w.has("a"));
}

TEST(Deletion, TakesTheObjectsWaveByWaveButKeepsWhatAsks) {
  World w;
  w.commit({{"a.yaml", config_map("a")},
            {"b.yaml", config_map("late", "1", wave(2))},
            {"c.yaml", config_map("mine", "1", opt("Delete=false"))},
            {"d.yaml", config_map("kept", "1", "helm.sh/resource-policy: keep")}});
  w.application("syncPolicy: {automated: {}}", cascading);
  w.look_once();
  w.client->collects = false;
  remove_app(w);
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app), "DeletionWarning: waiting for deletion of ConfigMap/late");
  EXPECT_FALSE(w.live(config, "a")->deleting());
  w.merge(config, {"shop", "late"}, "{metadata: {finalizers: null}}");
  w.client->collects = true;
  EXPECT_FALSE(w.look_once());
  EXPECT_FALSE(w.has("a"));
  EXPECT_TRUE(w.has("mine") && w.has("kept"));
  EXPECT_TRUE(w.live(namespaces, "shop", ""));
}

TEST(Deletion, NeedsNoValidSpecNoRepositoryAndNoMemory) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  constexpr std::string_view background = ", finalizers: [resources-finalizer.argocd.argoproj.io/background]";
  w.application("syncPolicy: {automated: {}}", background);
  w.look_once();
  w.application("source: {repoURL: '', chart: broken}", background);
  w.repositories.gone = true;
  w.restart();
  remove_app(w);
  EXPECT_FALSE(w.look_once());
  EXPECT_FALSE(w.has("a"));
}

TEST(Deletion, WaitsForConsent) {
  World w;
  w.commit({{"a.yaml", config_map("a", "1", opt("Delete=confirm"))}, {"b.yaml", config_map("b")}});
  w.application("syncPolicy: {automated: {}}", cascading);
  w.look_once();
  remove_app(w);
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app),
            "DeletionWarning: waiting for approval to delete ConfigMap shop/a: annotate the Application with "
            "argocd.argoproj.io/deletion-approved");
  EXPECT_TRUE(w.has("a"));
  auto when = rfc3339(must(parse_rfc3339(app["metadata"]["deletionTimestamp"].text())) + Millis(1000));
  w.merge(application_type, w.key,
          fmt::format("{{metadata: {{annotations: {{argocd.argoproj.io/deletion-approved: '{}'}}}}}}", when));
  EXPECT_FALSE(w.look_once());
  EXPECT_FALSE(w.has("a"));
}

}  // namespace
}  // namespace slipway::gitops
