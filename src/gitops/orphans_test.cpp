// What lies in namespaces and no Application brought.
#include "gitops/orphans.h"

#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

using EventType = kube::Event::Type;

kube::Event event(EventType type, std::string_view yaml) { return {type, kube::Object(must(doc::parse_yaml(yaml)))}; }
std::string names(const std::vector<InventoryEntry>& entries) {
  std::vector<std::string> all;
  for (const auto& entry : entries) all.push_back(entry.type.kind + "/" + entry.key.name);
  return join(all, " ");
}
std::string in_shop(const Orphans& orphans) {
  return names(orphans.in("shop", [](const std::string& owner) { return owner == "shop"; }));
}

TEST(OrphanIndex, HoldsWhatNobodyBroughtAndNobodyOwns) {
  Orphans orphans;
  for (auto yaml : {"{apiVersion: v1, kind: ConfigMap, metadata: {name: lost, namespace: shop}}",
                    "{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt, namespace: shop}}",
                    "{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: shop}}",
                    "{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: shop}}",
                    "{apiVersion: v1, kind: ConfigMap, metadata: {name: elsewhere, namespace: dev}}",
                    "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: owned, namespace: shop, ownerReferences: "
                    "[{uid: x}]}}",
                    "{apiVersion: v1, kind: Secret, metadata: {name: token, namespace: shop, annotations: "
                    "{kubernetes.io/service-account.name: default}}}",
                    "{apiVersion: v1, kind: ConfigMap, metadata: {name: ours, namespace: shop, annotations: "
                    "{argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:shop/ours'}}}",
                    "{apiVersion: v1, kind: ConfigMap, metadata: {name: copied, namespace: shop, annotations: "
                    "{argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:shop/ours'}}}",
                    "{apiVersion: v1, kind: ConfigMap, metadata: {name: left, namespace: shop, annotations: "
                    "{argocd.argoproj.io/tracking-id: 'gone:/ConfigMap:shop/left'}}}"})
    orphans.note(event(EventType::added, yaml), {});
  EXPECT_EQ(in_shop(orphans), "ConfigMap/copied ConfigMap/left ConfigMap/lost Service/kubernetes");
  EXPECT_EQ(names(orphans.in("default", [](const auto&) { return false; })), "");
  orphans.restart({"v1", "ConfigMap"});
  EXPECT_EQ(in_shop(orphans), "Service/kubernetes");
}

TEST(OrphanIndex, TellsOfChangesOnly) {
  Orphans orphans;
  constexpr std::string_view lost = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}}";
  constexpr std::string_view taken =
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop, annotations: "
      "{argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:shop/a'}}}";
  EXPECT_EQ(orphans.note(event(EventType::added, lost), {}), "shop");
  EXPECT_EQ(orphans.note(event(EventType::modified, lost), {}), "");
  EXPECT_EQ(orphans.note(event(EventType::modified, taken), {}), "shop");
  EXPECT_EQ(in_shop(orphans), "");
  EXPECT_EQ(orphans.note(event(EventType::deleted, taken), {}), "shop");
  EXPECT_EQ(orphans.note(event(EventType::deleted, taken), {}), "");
}

TEST(OrphanIndex, FollowsKindsThatPeopleDeployInOneVersion) {
  std::vector<kube::Client::Resource> resources;
  auto add = [&](const char* version, const char* kind, bool namespaced = true, bool watchable = true) {
    resources.push_back({{version, kind}, "", "", namespaced, {}, watchable});
  };
  add("v1", "ConfigMap"), add("v1", "Namespace", false), add("v1", "Binding", true, false), add("v1", "Event");
  add("v1", "Endpoints"), add("coordination.k8s.io/v1", "Lease"), add("autoscaling/v1", "HorizontalPodAutoscaler");
  add("autoscaling/v2", "HorizontalPodAutoscaler"), add("autoscaling/v2beta2", "HorizontalPodAutoscaler");
  add("x.io/v1beta1", "Widget"), add("x.io/v1", "Widget");
  std::string got;
  for (const auto& type : Orphans::followed(resources)) got += type.api_version + " " + type.kind + "; ";
  EXPECT_EQ(got, "v1 ConfigMap; autoscaling/v2 HorizontalPodAutoscaler; x.io/v1 Widget; ");
}

struct Ignored {
  const char* name;
  const char* rules;
  const char* condition;
  const char* shown;
};
class OrphanProject : public testing::TestWithParam<Ignored> {};
TEST_P(OrphanProject, SaysWhatCounts) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {}");
  must(w.person->apply(
      w.ctx(),
      must(doc::parse_yaml(fmt::format(
          "{{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {{name: default, namespace: argocd}}, spec: "
          "{{sourceRepos: ['*'], destinations: [{{server: '*', namespace: '*'}}], namespaceResourceBlacklist: "
          "[{{group: '', kind: Secret}}], {}}}}}",
          GetParam().rules))),
      {.force = true}));
  bool asked = false;
  SyncContext context{*w.client, *w.renderer, *w.comparer, *w.pacer, {}};
  context.orphans = [&](const Application&, bool wanted) {
    asked = wanted;
    return std::vector<InventoryEntry>{{{"v1", "ConfigMap"}, {"shop", "a"}},  // in Git, made by hand
                                       {{"v1", "ConfigMap"}, {"shop", "lost"}},
                                       {{"v1", "Secret"}, {"shop", "forbidden"}},
                                       {{"apps/v1", "Deployment"}, {"shop", "web-old"}}};
  };
  auto read = *must(w.client->get(w.ctx(), application_type, w.key));
  auto looked = must(look(w.ctx(), context, read));
  EXPECT_EQ(asked, GetParam().rules != std::string_view("roles: []"));
  kube::Object app{doc::Value(doc::Map{{"status", looked.status}})};
  EXPECT_EQ(conditions_of(app), GetParam().condition);
  std::string shown;
  for (const auto& o : app["status"]["orphanedResources"].items())
    shown += o["kind"].text() + "/" + o["name"].text() + " ";
  EXPECT_EQ(shown, GetParam().shown);
}
#define WARNS(n) "OrphanedResourceWarning: Application has " n " orphaned resources"
INSTANTIATE_TEST_SUITE_P(
    Orphans, OrphanProject,
    testing::ValuesIn(std::to_array<Ignored>({
        {"NotAsked", "roles: []", "", ""},
        {"Shown", "orphanedResources: {}", "", "ConfigMap/lost Deployment/web-old "},
        {"Warns", "orphanedResources: {warn: true}", WARNS("2"), "ConfigMap/lost Deployment/web-old "},
        {"IgnoresAName", "orphanedResources: {warn: true, ignore: [{kind: ConfigMap, name: lo*}]}", WARNS("1"),
         "Deployment/web-old "},
        {"IgnoresAGroup", "orphanedResources: {warn: true, ignore: [{group: apps}]}", WARNS("1"), "ConfigMap/lost "},
        {"NoGroupIsTheCore", "orphanedResources: {warn: true, ignore: [{kind: '*'}]}", WARNS("1"),
         "Deployment/web-old "},
        {"IgnoresAll", "orphanedResources: {warn: true, ignore: [{group: '*', kind: '*'}]}", "", ""},
    })),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::gitops
