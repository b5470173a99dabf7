#include "doc/json.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

const kube::Type config{"v1", "ConfigMap"}, deployment{"apps/v1", "Deployment"};

constexpr std::string_view web = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec:
      containers:
      - {name: web, image: 'web:1', resources: {limits: {cpu: 1000m, memory: 1024Mi}}, env: [{name: A, value: x}]}
      - {name: side, image: 'side:1'}
status: {}
)";

TEST(Compare, DefaultsQuantitiesAndEmptiesAreNoDifference) {
  World w;
  w.commit({{"web.yaml", std::string(web)},
            {"s.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: s, labels: }, stringData: {k: v}}"},
            {"svc.yaml",
             "{apiVersion: v1, kind: Service, metadata: {name: web, annotations: {}}, spec: {selector: {app: web}, "
             "ports: [{port: 80}]}}"},
            {"r.yaml", "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: []}"}});
  w.application();
  w.look_once();
  w.restart();
  w.client->writes.clear();
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced") << doc::print_yaml(app["status"]["resources"].value());
  EXPECT_EQ(conditions_of(app), "") << "nothing of this was dropped";
  EXPECT_EQ(w.client->writes.size(), 1U);
  EXPECT_TRUE(w.drifts.empty());
}

TEST(Compare, AnUnchangedObjectCostsNoDryRun) {
  World w;
  w.commit({{"web.yaml", std::string(web)}, {"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  w.look_once();
  std::vector<std::string> calls;
  w.client->before = [&](const std::string& what) {
    if (!what.starts_with("get") && !what.starts_with("patch Application")) calls.push_back(what);
    return Result<>{};
  };
  w.look_once();
  EXPECT_TRUE(calls.empty()) << join(calls, ", ");
  w.merge(config, {"shop", "a"}, "{metadata: {labels: {x: y}}}");
  w.look_once();
  EXPECT_TRUE(calls.empty()) << "its managedFields say that nothing of ours changed: " << join(calls, ", ");
  w.application("syncPolicy: {automated: {}}");
  w.merge(config, {"shop", "a"}, "{data: {v: '2'}}");
  w.look_once();
  EXPECT_EQ(join(calls, ", "), "apply ConfigMap shop/a") << "only what changed is asked about";
  // A new controller knows what is in sync from the objects alone, and asks about the rest.
  calls.clear();
  w.restart();
  w.look_once();
  EXPECT_EQ(join(calls, ", "), "apply ConfigMap shop/a, apply Deployment shop/web")
      << "the Deployment's items are for the server to tell";
}

struct Drifted {
  const char* name;
  const char* patch;
  const char* fields;  // "" : no difference
  const char* ignore = "";
};
class Fields : public testing::TestWithParam<Drifted> {};
TEST_P(Fields, Table) {
  World w;
  w.commit({{"web.yaml", std::string(web)}});
  w.application(fmt::format("syncPolicy: {{automated: {{}}}}\nignoreDifferences: [{}]", GetParam().ignore));
  w.look_once();
  must(w.person->patch(w.ctx(), deployment, {"shop", "web"}, kube::PatchType::strategic,
                       must(doc::parse_yaml(GetParam().patch)), {.field_manager = "hpa"}));
  auto app = w.look_once();
  std::vector<std::string> fields;
  for (const auto& f : app["status"]["resources"][0]["differs"].items()) fields.push_back(f.text());
  EXPECT_EQ(join(fields, " "), GetParam().fields);
  EXPECT_EQ(app["status"]["sync"]["status"].text(), *GetParam().fields == 0 ? "Synced" : "OutOfSync");
  // An ignored field also stays as it is when something else is synced.
  if (*GetParam().fields != 0 || *GetParam().ignore == 0) return;
  auto before = w.live(deployment, "web")->copy();
  w.commit({{"web.yaml", replace_all(std::string(web), "side:1", "side:2")}});
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  auto after = *w.live(deployment, "web");
  auto container = [](const doc::Value& object, std::string_view name) {
    for (const auto& one : doc::View(object)["spec"]["template"]["spec"]["containers"].items())
      if (one["name"].text() == name) return one.value();
    return doc::Value();
  };
  EXPECT_EQ(container(after.value(), "side").str_at({"image"}), "side:2");
  EXPECT_EQ(after["spec"]["replicas"].value(), *before.find_path({"spec", "replicas"}));
  EXPECT_EQ(doc::View(container(after.value(), "web"))["env"].value(),
            doc::View(container(before, "web"))["env"].value());
}
INSTANTIATE_TEST_SUITE_P(
    Compare, Fields,
    testing::ValuesIn(std::to_array<Drifted>({
        {"Nothing", "{}", ""},
        {"Ours", "{spec: {replicas: 5}}", ".spec.replicas"},
        {"OursBelow", "{spec: {template: {spec: {containers: [{name: web, env: [{name: A, value: y}]}]}}}}",
         ".spec.template.spec.containers[0].env[0].value"},
        {"AddedByOthers",
         "{metadata: {labels: {team: a}}, spec: {template: {spec: {containers: [{name: web, env: [{name: B, value: "
         "y}]}, {name: injected, image: x}]}}}}",
         ""},
        {"SameQuantity",
         "{spec: {template: {spec: {containers: [{name: web, resources: {limits: {cpu: '1', memory: 1Gi}}}]}}}}", ""},
        {"Status", "{status: {replicas: 7}}", ""},
        {"IgnoredPointer", "{spec: {replicas: 5}}", "",
         "{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}"},
        {"IgnoredByGlob", "{spec: {replicas: 5}}", "", "{group: '*', kind: '*', jsonPointers: [/spec/replicas]}"},
        {"IgnoredByName", "{spec: {replicas: 5}}", "",
         "{group: apps, kind: Deployment, name: web, namespace: shop, jsonPointers: [/spec/replicas]}"},
        {"OtherName", "{spec: {replicas: 5}}", ".spec.replicas",
         "{group: apps, kind: Deployment, name: api, jsonPointers: [/spec/replicas]}"},
        {"OtherGroup", "{spec: {replicas: 5}}", ".spec.replicas", "{kind: Deployment, jsonPointers: [/spec/replicas]}"},
        {"MissingPointerIsFine", "{spec: {replicas: 5}}", ".spec.replicas",
         "{group: apps, kind: Deployment, jsonPointers: [/spec/nothing/here, /spec/template/spec/containers/9]}"},
        {"PointerIntoAList", "{spec: {template: {spec: {containers: [{name: web, env: [{name: A, value: y}]}]}}}}", "",
         "{group: apps, kind: Deployment, jsonPointers: [/spec/template/spec/containers/0/env]}"},
        {"IgnoredManager",
         "{spec: {replicas: 5, template: {spec: {containers: [{name: web, env: [{name: A, value: y}]}]}}}}", "",
         "{group: apps, kind: Deployment, managedFieldsManagers: [hpa]}"},
        {"IgnoredJq", "{spec: {replicas: 5}}", "",
         "{group: apps, kind: Deployment, jqPathExpressions: [.spec.replicas]}"},
        {"JqSelects",
         "{spec: {template: {spec: {containers: [{name: first, image: x}, {name: web, env: [{name: A, value: y}]}]}}}}",
         "",
         "{group: apps, kind: Deployment, jqPathExpressions: ['.spec.template.spec.containers[] | select(.name == "
         "\"web\") | .env[] | select(.name == \"A\")']}"},
        {"JqSelectsAnother", "{spec: {template: {spec: {containers: [{name: web, env: [{name: A, value: y}]}]}}}}",
         ".spec.template.spec.containers[0].env[0].value",
         "{group: apps, kind: Deployment, jqPathExpressions: ['.spec.template.spec.containers[] | select(.name == "
         "\"side\") | .env']}"},
        {"JqWalksOverNothing", "{spec: {replicas: 5}}", ".spec.replicas",
         "{group: apps, kind: Deployment, jqPathExpressions: ['.spec.template.spec.initContainers[].image']}"},
        {"OtherManager", "{spec: {replicas: 5}}", ".spec.replicas",
         "{group: apps, kind: Deployment, managedFieldsManagers: [vpa]}"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Compare, APodHashInAServiceIsTheRollouts) {
  World w;
  w.commit(
      {{"s.yaml",
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: web}, ports: [{port: 80}]}}"}});
  w.application();
  w.look_once();
  w.merge({"v1", "Service"}, {"shop", "s"}, "{spec: {selector: {rollouts-pod-template-hash: abc}}}");
  EXPECT_EQ(w.look_once()["status"]["sync"]["status"].text(), "Synced");
  w.merge({"v1", "Service"}, {"shop", "s"}, "{spec: {selector: {app: other}}}");
  w.look_once();
  EXPECT_EQ((*w.live({"v1", "Service"}, "s"))["spec"]["selector"].value(),
            doc::Value(doc::Map{{"app", "web"}, {"rollouts-pod-template-hash", "abc"}}));
}

TEST(Compare, WhatTheServerRefusesIsShownAtTheObject) {
  World w;
  w.commit({{"web.yaml", std::string(web)}});
  w.application("syncPolicy: {}");
  w.request();
  w.look_once();
  w.commit(
      {{"web.yaml", replace_all(std::string(web), "matchLabels: {app: web}", "matchLabels: {app: web, more: x}")}});
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["resources"][0]["status"].text(), "OutOfSync");
  EXPECT_NE(app["status"]["resources"][0]["message"].text().find("selector"), std::string::npos);
}

TEST(DroppedFields, AreThoseTheServerDoesNotHave) {
  auto dropped = [](std::string_view wanted, std::string_view stored) {
    return join(dropped_fields(must(doc::parse_yaml(wanted)), must(doc::parse_yaml(stored))), " ");
  };
  EXPECT_EQ(dropped("{spec: {replcias: 3, a: 1}}", "{spec: {a: 1, b: 2}}"), ".spec.replcias");
  EXPECT_EQ(dropped("{spec: {a: {}, b: [], c: null}}", "{spec: {}}"), "");
  EXPECT_EQ(
      dropped("{spec: {env: [{name: E, value: ''}], hostNetwork: false, weight: 0}}", "{spec: {env: [{name: E}]}}"),
      "");
  EXPECT_EQ(dropped("{stringData: {a: b}}", "{data: {a: Yg==}}"), "");
  EXPECT_EQ(dropped("{c: [{name: a, x: 1}, {name: b, y: 2}]}", "{c: [{name: a, x: 1}, {name: b}]}"), ".c[1].y");
  EXPECT_EQ(dropped("{c: [{name: a, x: 1}]}", "{c: [{name: b}]}"), "");
}

// What cannot be followed must not be taken for "nothing is ignored".
TEST(Compare, AJqPathThatCannotBeFollowedStopsTheApplication) {
  for (auto [expression, what] :
       {std::pair{".spec.replicas[", "spec.ignoreDifferences[0]: .spec.replicas[: is no jq program: syntax error"},
        {"last(range(1e12))", "spec.ignoreDifferences[0]: last(range(1e12)): takes more than 1s of processor time"},
        {".", "spec.ignoreDifferences[0]: .: names the whole object, want fields of it"}}) {
    World w;
    w.commit({{"a.yaml", config_map("a", "1")}});
    w.application();
    EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
    w.merge(config, {"shop", "a"}, "{data: {v: '7'}}");
    w.application(
        fmt::format("syncPolicy: {{automated: {{selfHeal: true}}}}\nignoreDifferences: [{{kind: ConfigMap, "
                    "jqPathExpressions: ['{}']}}]",
                    expression));
    auto app = w.look_once();
    EXPECT_EQ(app["status"]["sync"]["status"].text(), "Unknown");
    EXPECT_NE(conditions_of(app).find(what), std::string::npos) << conditions_of(app);
    EXPECT_EQ((*w.live(config, "a"))["data"]["v"].text(), "7") << "it may be what was to be left alone";
  }
}

TEST(Compare, WhatAJqPathSaysOfAnObjectIsACondition) {
  World w;
  w.commit({{"a.yaml", config_map("a", "1")}});
  w.application(
      "syncPolicy: {automated: {}}\nignoreDifferences: [{kind: ConfigMap, jqPathExpressions: ['.data.v.x']}]");
  w.look_once();
  for (int i = 0; i < 2; ++i) {  // the second time it is remembered
    auto app = w.look_once();
    EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
    EXPECT_NE(conditions_of(app).find("spec.ignoreDifferences[0]: .data.v.x: names nothing in ConfigMap shop/a: Cannot "
                                      "index string with"),
              std::string::npos)
        << conditions_of(app);
  }
}

TEST(Compare, DifferencesAreIgnoredForAllApplications) {
  World w;
  w.commit({{"a.yaml", config_map("a", "1")}});
  w.application();
  w.look_once();
  w.settings("{resource.customizations.ignoreDifferences.ConfigMap: 'jqPathExpressions: [.data.v]'}");
  w.merge(config, {"shop", "a"}, "{data: {v: '7'}}");
  EXPECT_EQ(w.look_once()["status"]["sync"]["status"].text(), "Synced");
  EXPECT_EQ((*w.live(config, "a"))["data"]["v"].text(), "7");
  w.settings("{resource.customizations.ignoreDifferences.ConfigMap: 'jqPathExpressions: {'}");
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Unknown");
  EXPECT_NE(
      conditions_of(app).find("argocd-cm: resource.customizations.ignoreDifferences.ConfigMap: its YAML:2:1: did"),
      std::string::npos)
      << conditions_of(app);
  w.settings("{resource.customizations.healt.ConfigMap: 'x'}");
  w.look_once();
  app = w.look_once();
  EXPECT_EQ((*w.live(config, "a"))["data"]["v"].text(), "1") << "nothing is ignored any more";
  EXPECT_NE(conditions_of(app).find("CustomizationWarning: argocd-cm: resource.customizations.healt.ConfigMap: the "
                                    "customization healt is not known"),
            std::string::npos)
      << conditions_of(app);
}

TEST(Compare, HealthByAScriptIsTheApplications) {
  World w;
  w.commit({{"a.yaml", config_map("a", "1")}});
  w.application();
  w.settings(
      "{resource.customizations.health.ConfigMap: 'return {status = \"Degraded\", message = \"v is \" .. "
      "obj.data.v}'}");
  w.look_once();
  auto app = w.look_once();
  EXPECT_EQ(app["status"]["health"]["status"].text(), "Degraded");
  EXPECT_EQ(app["status"]["resources"][0]["health"]["message"].text(), "v is 1");
  w.settings("{}");
  EXPECT_EQ(w.look_once()["status"]["health"]["status"].text(), "Healthy");
}

// ServerSideDiff is what is done anyway; IncludeMutationWebhook says whether what webhooks would change counts.
struct WebhookCase {
  const char* name;
  const char* options;
  const char* first;   // what the webhook puts in from the start
  const char* second;  // and what since the sync
  bool differs;
};
class Webhooks : public testing::TestWithParam<WebhookCase> {};
TEST_P(Webhooks, Table) {
  World w;
  std::string value = GetParam().first;
  w.webhook = [&](doc::Value& next) {
    if (!value.empty()) next["data"]["injected"] = value;
  };
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {automated: {}}",
                fmt::format(", annotations: {{argocd.argoproj.io/compare-options: '{}'}}", GetParam().options));
  auto app = w.look_once();
  ASSERT_EQ(app["status"]["sync"]["status"].text(), "Synced") << conditions_of(app);
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["injected"].text(), value);
  value = GetParam().second;
  w.restart();  // what was compared before is not remembered
  app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), GetParam().differs ? "OutOfSync" : "Synced");
  // What Git says differs either way.
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: by-hand}}");
  app = w.look_once();
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "OutOfSync");
  EXPECT_TRUE(doc::print_json(app["status"]["resources"].value()).contains(".data.v"));
}
INSTANTIATE_TEST_SUITE_P(Compare, Webhooks,
                         testing::ValuesIn(std::to_array<WebhookCase>({
                             {"NoneAtAll", "ServerSideDiff=true", "", "", false},
                             {"TheSame", "ServerSideDiff=true,IncludeMutationWebhook=true", "1", "1", false},
                             {"AnotherIsNotCounted", "", "1", "2", false},
                             {"AskedForServerSide", "ServerSideDiff=true", "1", "2", false},
                             {"NorWithout", "ServerSideDiff=false", "1", "2", false},
                             {"CountedWhenAskedFor", "ServerSideDiff=true,IncludeMutationWebhook=true", "1", "2", true},
                             {"ANewOne", "IncludeMutationWebhook=true", "", "1", true},
                             {"ANewOneNotCounted", "IncludeMutationWebhook=false", "", "1", false},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST(Compare, OptionsThatAreNoneAreNamed) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  for (auto [options, wrong] :
       {std::pair{"ServerSideDif=true", "ServerSideDif: no such option, did you mean ServerSideDiff?"},
        {"ServerSideDiff=yes", "ServerSideDiff: got \"yes\", want true or false"}}) {
    w.application("syncPolicy: {automated: {}}",
                  fmt::format(", annotations: {{argocd.argoproj.io/compare-options: '{}'}}", options));
    EXPECT_EQ(conditions_of(w.look_once()),
              fmt::format("InvalidSpecError: .metadata.annotations[argocd.argoproj.io/compare-options]: {}", wrong));
  }
}

}  // namespace
}  // namespace slipway::gitops
