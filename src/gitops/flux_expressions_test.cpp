// What a Kustomization says in CEL: of the health of kinds, and of what it depends on.
#include "gitops/flux/expressions.h"
#include "gitops/testing/flux_world.h"

namespace slipway::gitops {
namespace {

// A definition, and one object of it in the namespace "shop".
void commit_widget(FluxWorld& w) {
  w.commit(
      {{"crd.yaml",
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.x.io}, spec: "
        "{group: x.io, scope: Namespaced, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true, "
        "storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, "
        "x-kubernetes-preserve-unknown-fields: true}}}]}}"},
       {"w.yaml", "{apiVersion: x.io/v1, kind: Widget, metadata: {name: w}, spec: {size: 3}}"}});
}
void set_status(FluxWorld& w, std::string_view status) {
  w.merge({"x.io/v1", "Widget"}, {"shop", "w"}, fmt::format("{{status: {}}}", status), "status");
}

TEST(FluxExpressions, SayWhatIsHealthy) {
  FluxWorld w;
  commit_widget(w);
  w.kustomization(
      "wait: true\ntimeout: 2m\nretryInterval: 30s\nhealthCheckExprs:\n- apiVersion: x.io/v1beta1\n  kind: Widget\n"
      "  inProgress: status.phase == 'Building'\n  failed: status.phase == 'Broken'\n"
      "  current: status.conditions.exists(c, c.type == 'Synced' && c.status == 'True')");
  auto ks = w.look_flux();
  EXPECT_EQ(ready(ks), "Ready=Unknown Progressing: Reconciliation in progress");
  EXPECT_EQ(condition(ks, "Reconciling"),
            "Reconciling=True Progressing: waiting for health: [Widget/shop/w is Unknown: "
            ".spec.healthCheckExprs[0].inProgress:1:1: no such name: \"status\"]");
  set_status(w, "{phase: Building}");
  EXPECT_EQ(condition(w.look_alone(), "Reconciling"),
            "Reconciling=True Progressing: waiting for health: [Widget/shop/w is Progressing]");
  set_status(w, "{phase: Made, conditions: [{type: Synced, status: 'False'}]}");
  EXPECT_EQ(condition(w.look_alone(), "Reconciling"),
            "Reconciling=True Progressing: waiting for health: [Widget/shop/w is Progressing]");
  set_status(w, "{conditions: [{type: Synced, status: 'True'}], observedGeneration: 7}");
  EXPECT_TRUE(ready(w.look_alone()).starts_with("Ready=Unknown")) << "the status is of another generation";
  set_status(w, "{observedGeneration: null}");
  ks = w.look_alone();
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks);
  EXPECT_EQ(condition(ks, "Healthy"), "Healthy=True Succeeded: Health check passed");
  set_status(w, "{phase: Broken}");
  EXPECT_EQ(ready(w.look_alone()),
            "Ready=False HealthCheckFailed: health check failed: .spec.healthCheckExprs[0].failed");
}

TEST(FluxExpressions, NamedObjectsAreAskedAsWell) {
  FluxWorld w;
  commit_widget(w);
  w.kustomization(
      "timeout: 2m\nhealthChecks: [{apiVersion: x.io/v1, kind: Widget, name: w, namespace: shop}]\n"
      "healthCheckExprs: [{apiVersion: x.io/v1, kind: Widget, failed: has(status.why), current: status.ok}]");
  w.look_flux();
  set_status(w, "{why: no wood}");
  EXPECT_EQ(ready(w.look_alone()),
            "Ready=False HealthCheckFailed: health check failed: Widget/shop/w is Degraded: "
            ".spec.healthCheckExprs[0].failed");
}

// group, kind, expressions of an object {a: 1, status: {n: 2}}, its health.
struct Asked {
  std::string name, exprs, health;
};
class HealthExpressions : public testing::TestWithParam<Asked> {};
TEST_P(HealthExpressions, Say) {
  auto spec = must(doc::parse_yaml(fmt::format("healthCheckExprs: {}", GetParam().exprs)));
  kube::Object object(must(doc::parse_yaml(
      "{apiVersion: x.io/v1, kind: Widget, metadata: {name: w, generation: 2}, data: {a: 1}, status: {n: 2, "
      "observedGeneration: 2, list: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]}}")));
  auto rule = flux::health_rule(doc::View(spec), flux::new_allowance());
  std::string got = "none";
  if (!rule)
    got = "error: " + rule.error().what();
  else if (auto said = *rule ? (*rule)(object) : std::nullopt)
    got = fmt::format("{}: {}", to_string((*said)->health), (*said)->message);
  EXPECT_EQ(got.substr(0, GetParam().health.size()), GetParam().health) << got;
}
INSTANTIATE_TEST_SUITE_P(
    Table, HealthExpressions,
    testing::ValuesIn(std::to_array<Asked>(
        {{"None", "[]", "none"},
         {"AnotherGroup", "[{apiVersion: y.io/v1, kind: Widget, current: 'true'}]", "none"},
         {"AnotherKind", "[{apiVersion: x.io/v1, kind: Wheel, current: 'true'}]", "none"},
         {"AnyVersion", "[{apiVersion: x.io/v9, kind: Widget, current: data.a == 1}]", "Healthy"},
         {"AnyKind", "[{apiVersion: x.io/v1, current: kind == 'Widget'}]", "Healthy"},
         {"TheKindBeforeItsGroup",
          "[{apiVersion: x.io/v1, current: 'true'}, {apiVersion: x.io/v1, kind: Widget, failed: 'true', current: "
          "'true'}]",
          "Degraded: .healthCheckExprs[1].failed"},
         {"InOrder", "[{apiVersion: x.io/v1, inProgress: 'true', failed: 'true', current: 'true'}]",
          "Progressing: .healthCheckExprs[0].inProgress"},
         {"NoneHolds", "[{apiVersion: x.io/v1, failed: 'false', current: 'false'}]",
          "Progressing: .healthCheckExprs[0].current is false"},
         {"NoBool", "[{apiVersion: x.io/v1, current: status.n}]",
          "Unknown: .healthCheckExprs[0].current:1:8: the result is int, want bool"},
         {"NoSuchField", "[{apiVersion: x.io/v1, current: status.m == 1}]",
          "Unknown: .healthCheckExprs[0].current:1:8: no such key: m"},
         {"NoCurrent", "[{apiVersion: x.io/v1, failed: 'true'}]",
          "error: .healthCheckExprs[0].current: missing, want a CEL expression"},
         {"NoApiVersion", "[{current: 'true'}]", "error: .healthCheckExprs[0].apiVersion: missing"},
         {"Twice", "[{apiVersion: x.io/v1, current: 'true'}, {apiVersion: x.io/v2, current: 'true'}]",
          "error: .healthCheckExprs[1]: expressions for all kinds of \"x.io\" are there already"},
         {"Grammar", "[{apiVersion: x.io/v1, current: 'status.n =='}]", "error: .healthCheckExprs[0].current:1:12: "},
         {"Function", "[{apiVersion: x.io/v1, current: 'siez(status) > 1'}]",
          "error: .healthCheckExprs[0].current:1:1: unknown function \"siez\", did you mean \"size\"?"},
         {"Large",
          "[{apiVersion: x.io/v1, failed: '" + std::string(60'000, ' ') + "false', current: '" +
              std::string(60'000, ' ') + "true'}]",
          "error: .healthCheckExprs[0].current: the expressions have more than 100000 bytes together"},
         {"Endless",
          "[{apiVersion: x.io/v1, current: 'status.list.all(a, status.list.all(b, status.list.all(c, "
          "status.list.all(d, status.list.all(e, status.list.all(f, status.list.all(g, true)))))))'}]",
          "Unknown: .healthCheckExprs[0].current:1:"}})),
    [](const auto& i) { return i.param.name; });

TEST(FluxExpressions, OfOneLookShareWhatTheyMayUse) {
  auto spec = must(doc::parse_yaml("healthCheckExprs: [{apiVersion: v1, current: 'data.l.all(a, a == 1)'}]"));
  auto rule = must(flux::health_rule(doc::View(spec), flux::new_allowance(1'000)));
  kube::Object object(must(doc::parse_yaml("{apiVersion: v1, kind: A, data: {l: [1, 1, 1, 1, 1, 1, 1, 1]}}")));
  int good = 0;
  while (good < 1'000 && (*rule(object))->health == Health::healthy) ++good;
  EXPECT_GT(good, 10);
  EXPECT_LT(good, 200);
  EXPECT_TRUE((*rule(object))->message.ends_with("the expression needs more steps than it may take"))
      << (*rule(object))->message;
}

TEST(FluxExpressions, SayWhetherADependencyIsReady) {
  FluxWorld w;
  w.commit({{"base/a.yaml", config_map("a")}, {"app/b.yaml", config_map("b")}});
  w.kustomization("path: base", "base");
  w.kustomization(
      "path: app\ndependsOn:\n- name: base\n  readyExpr: >\n    dep.metadata.labels.version == "
      "self.metadata.labels.version &&\n    dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')");
  auto ks = w.look_flux();
  EXPECT_EQ(ready(ks),
            "Ready=False DependencyNotReady: dependency 'flux-system/base' cannot be said to be ready: "
            ".spec.dependsOn[0].readyExpr:1:14: no such key: labels");
  EXPECT_EQ(condition(ks, "Stalled"), "");
  w.merge(flux::kustomization_type, {"flux-system", "base"}, "{metadata: {labels: {version: '1'}}}");
  w.merge(flux::kustomization_type, w.ks, "{metadata: {labels: {version: '2'}}}");
  w.look_alone("base");
  EXPECT_EQ(ready(w.look_alone()),
            "Ready=False DependencyNotReady: dependency 'flux-system/base' is not ready according to readyExpr eval");
  EXPECT_FALSE(w.has("b"));
  w.merge(flux::kustomization_type, {"flux-system", "base"}, "{metadata: {labels: {version: '2'}}}");
  ks = w.look_alone();
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks);
  EXPECT_TRUE(w.has("b"));
}

TEST(FluxExpressions, ReplaceWhatIsAskedOtherwise) {
  FluxWorld w;
  w.commit({{"base/a.yaml", config_map("a")}, {"app/b.yaml", config_map("b")}});
  w.kustomization("path: base", "base");
  w.kustomization("path: app\ndependsOn: [{name: base, readyExpr: '!has(dep.status.lastAppliedRevision)'}]");
  auto ks = w.look_flux();
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks) << ": it never was looked at, and has no status";
}

struct Stalled {
  std::string name, spec, want;
};
class ExpressionsRefused : public testing::TestWithParam<Stalled> {};
TEST_P(ExpressionsRefused, Stall) {
  FluxWorld w;
  w.commit({{"a.yaml", config_map("a")}});
  w.kustomization(GetParam().spec);
  auto ks = w.look_flux();
  EXPECT_EQ(condition(ks, "Stalled"), "Stalled=True InvalidCELExpression: " + GetParam().want);
  EXPECT_EQ(ready(ks), "Ready=False InvalidCELExpression: " + GetParam().want);
  EXPECT_EQ(condition(ks, "Reconciling"), "");
  EXPECT_FALSE(w.has("a"));
}
INSTANTIATE_TEST_SUITE_P(Table, ExpressionsRefused,
                         testing::ValuesIn(std::to_array<Stalled>(
                             {{"Health", "healthCheckExprs: [{apiVersion: v1, kind: X, current: 'stat us'}]",
                               ".spec.healthCheckExprs[0].current:1:6: got \"us\", want an operator or the end"},
                              {"Ready", "dependsOn: [{name: a}, {name: b, readyExpr: 'de.status.ready'}]",
                               ".spec.dependsOn[1].readyExpr:1:1: undeclared name \"de\", did you mean \"dep\"?"},
                              {"Deep", "dependsOn: [{name: b, readyExpr: '" + std::string(5'000, '(') + "'}]",
                               ".spec.dependsOn[0].readyExpr:1:251: nested deeper than 250 levels"}})),
                         [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::gitops
