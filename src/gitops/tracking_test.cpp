// How objects say whose they are, by each way that an installation may choose.
#include "gitops/tracking.h"

#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

const kube::Type config{"v1", "ConfigMap"};
using Method = Tracking::Method;

struct Owner {
  const char* name;
  const char* id;
  const char* want;
};
class OwnerOf : public testing::TestWithParam<Owner> {};
TEST_P(OwnerOf, Table) {
  auto object =
      must(doc::parse_yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: 'system:web', namespace: shop}}"));
  object["metadata"]["annotations"][tracking_annotation] = GetParam().id;
  EXPECT_EQ(owner_of(kube::Object(object), {}), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Tracking, OwnerOf,
                         testing::ValuesIn(std::to_array<Owner>({
                             {"Ours", "shop:apps/Deployment:shop/system:web", "shop"},
                             {"OtherNamespace", "team_shop:apps/Deployment:shop/system:web", "team_shop"},
                             {"Copied", "shop:apps/Deployment:shop/other", ""},
                             {"CopiedAcrossNamespaces", "shop:apps/Deployment:dev/system:web", ""},
                             {"CopiedKind", "shop:apps/StatefulSet:shop/system:web", ""},
                             {"Empty", "", ""},
                             {"Nonsense", "shop", ""},
                             {"Nonsense2", "a:b", ""},
                             {"Nonsense3", ":::", ""},
                         })),
                         [](const auto& i) { return i.param.name; });

struct Known {
  const char* name;
  Tracking tracking;
  const char* metadata;
  const char* want;
};
class OwnerBy : public testing::TestWithParam<Known> {};
TEST_P(OwnerBy, Table) {
  auto object = must(doc::parse_yaml("{apiVersion: v1, kind: ConfigMap}"));
  object["metadata"] = must(doc::parse_yaml(GetParam().metadata));
  object["metadata"]["name"] = "a", object["metadata"]["namespace"] = "shop";
  EXPECT_EQ(owner_of(kube::Object(object), GetParam().tracking), GetParam().want);
}
constexpr const char* annotated = "{annotations: {argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:shop/a'}}";
constexpr const char* labelled = "{labels: {app.kubernetes.io/instance: shop}}";
INSTANTIATE_TEST_SUITE_P(
    Tracking, OwnerBy,
    testing::ValuesIn(std::to_array<Known>({
        {"LabelByLabel", {Method::label}, labelled, "shop"},
        {"LabelByAnnotationAsBefore", {Method::label}, annotated, "shop"},
        {"LabelOfAnotherKey", {Method::label, "team"}, "{labels: {team: shop, app.kubernetes.io/instance: x}}", "shop"},
        {"AnnotationByLabel", {}, labelled, ""},
        {"BothByLabel", {Method::annotation_and_label}, labelled, ""},
        {"BothByAnnotation", {Method::annotation_and_label}, annotated, "shop"},
        {"OfAnotherInstallation", {Method::annotation, "", "two"}, annotated, ""},
        {"OfThisInstallation",
         {Method::annotation, "", "two"},
         "{annotations: {argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:shop/a', "
         "argocd.argoproj.io/installation-id: two}}",
         "shop"},
        {"OfFlux",
         {Method::label},
         "{labels: {kustomize.toolkit.fluxcd.io/name: a, kustomize.toolkit.fluxcd.io/namespace: flux-system}}",
         "Kustomization/flux-system/a"},
    })),
    [](const auto& i) { return i.param.name; });

constexpr std::string_view by_label = "{application.resourceTrackingMethod: label}";

TEST(TrackingByLabel, MarksPrunesAndTellsOfSharing) {
  World w;
  w.settings(by_label);
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}, {"c.yaml", config_map("c")}});
  must(w.person->apply(w.ctx(),
                       must(doc::parse_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop, "
                                            "labels: {app.kubernetes.io/instance: till}}}")),
                       {}));
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << conditions_of(app);
  auto live = *w.live(config, "a");
  EXPECT_EQ(live.label("app.kubernetes.io/instance"), "shop");
  EXPECT_EQ(live.annotation(tracking_annotation), "");
  EXPECT_TRUE(conditions_of(app).contains("SharedResourceWarning")) << conditions_of(app);
  EXPECT_TRUE(conditions_of(app).contains("till"));
  w.commit({{"b.yaml", std::nullopt}});
  w.look_once();
  EXPECT_FALSE(w.has("b"));
}

// What was applied before the method changed is marked anew, and what left Git meanwhile is still known.
TEST(TrackingByLabel, MayBeTurnedOnAndOff) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}, {"c.yaml", config_map("c")}});
  w.application();
  w.look_once();
  w.settings(by_label);
  w.commit({{"b.yaml", std::nullopt}});
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << conditions_of(app);
  EXPECT_FALSE(w.has("b"));
  EXPECT_EQ(w.live(config, "a")->label("app.kubernetes.io/instance"), "shop");
  EXPECT_EQ(w.live(config, "a")->annotation(tracking_annotation), "");
  w.settings("{}");
  app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced") << conditions_of(app);
  EXPECT_EQ(w.live(config, "a")->label("app.kubernetes.io/instance"), "");
  EXPECT_EQ(w.live(config, "a")->annotation(tracking_annotation), "shop:/ConfigMap:shop/a");
}

TEST(TrackingByBoth, HasAShortenedLabelAndTheInstallation) {
  Application app;
  app.key = {"argocd", std::string(62, 'x') + "-y"};  // 64 characters, the 63rd not one that a label may end with
  app.owner = tracking_name(app.key), app.ns = "shop";
  app.customizations = Customizations::from(kube::Object(must(doc::parse_yaml(
      "{data: {application.resourceTrackingMethod: annotation+label, application.instanceLabelKey: team, "
      "installationID: two}}"))));
  Task task;
  task.type = config, task.key = {"shop", "a"};
  auto object = must(doc::parse_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}}"));
  mark_as_tracked(object, app, task);
  kube::Object marked(object);
  EXPECT_EQ(marked.label("team"), std::string(62, 'x'));
  EXPECT_EQ(marked.annotation(tracking_annotation), app.key.name + ":/ConfigMap:shop/a");
  EXPECT_EQ(marked.annotation(installation_annotation), "two");
  EXPECT_EQ(owner_of(marked, tracking_of(app.customizations.get())), app.owner);
}

}  // namespace
}  // namespace slipway::gitops
