// What argocd-cm says of kinds.
#include "gitops/customizations.h"

#include "doc/json.h"
#include "gitops/actions.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

std::shared_ptr<const Customizations> customizations(std::string_view data) {
  return Customizations::from(kube::Object(doc::Value(doc::Map{{"data", must(doc::parse_yaml(data))}})));
}
kube::Object object(std::string_view yaml) { return kube::Object(must(doc::parse_yaml(yaml))); }

const char* const certificate =
    "{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: c, annotations: {}}, status: {ready: true, "
    "count: 9007199254740993}}";

struct Said {
  const char* name;
  const char* data;
  const char* want;  // status and message; "built in", "no opinion"
  const char* about = certificate;
};
class CustomHealth : public testing::TestWithParam<Said> {};
TEST_P(CustomHealth, Table) {
  auto said = customizations(GetParam().data)->health(Ctx(), object(GetParam().about));
  std::string got = !said    ? "built in"
                    : !*said ? "no opinion"
                             : fmt::format("{} {}", to_string((*said)->health), (*said)->message);
  EXPECT_EQ(got, GetParam().want);
}
#define SPLIT "resource.customizations.health.cert-manager.io_Certificate: "
#define OLD "resource.customizations: |\n  cert-manager.io/Certificate:\n    health.lua: "
INSTANTIATE_TEST_SUITE_P(
    Customizations, CustomHealth,
    testing::ValuesIn(std::to_array<Said>({
        {"None", "{}", "built in"},
        {"NoData", "", "built in"},
        {"OtherKind", "resource.customizations.health.cert-manager.io_Issuer: return nil", "built in"},
        {"OtherGroup", "resource.customizations.health.Certificate: return nil", "built in"},
        {"Core", "resource.customizations.health.Pod: return {status = obj.status.phase}", "Healthy ",
         "{apiVersion: v1, kind: Pod, status: {phase: Healthy}}"},
        {"Split", SPLIT "return {status = 'Degraded', message = obj.metadata.name}", "Degraded c"},
        {"Combined", OLD "return {status = 'Suspended'}", "Suspended "},
        {"SplitBeatsCombined", OLD "return {status = 'Suspended'}\n" SPLIT "return {status = 'Missing'}", "Missing "},
        {"All", "resource.customizations.health.all: return {status = 'Progressing'}", "Progressing "},
        {"Wildcard", "resource.customizations: |\n  '*.io/*': {health.lua: \"return {status = 'Healthy'}\"}",
         "Healthy "},
        {"OwnBeatsWildcard",
         "resource.customizations: |\n  '*/*': {health.lua: \"return nil\"}\n" SPLIT "return {status = 'Missing'}",
         "Missing "},
        {"MostExactWildcard",
         "resource.customizations: |\n  '*/*': {health.lua: \"return nil\"}\n  'cert-*/Cert*': {health.lua: \"return "
         "{status = 'Missing'}\"}\n  '*/Cert*': {health.lua: \"return nil\"}",
         "Missing "},
        {"Nil", SPLIT "return nil", "no opinion"},
        {"Empty", SPLIT "return {}", "no opinion"},
        {"OtherWord", SPLIT "return {status = 'Fine'}",
         "Unknown argocd-cm: resource.customizations.health.cert-manager.io_Certificate: returns the status \"Fine\", "
         "want Healthy, Suspended, Progressing, Missing, Degraded or Unknown"},
        {"NoTable", SPLIT "return 'Healthy'",
         "Unknown argocd-cm: resource.customizations.health.cert-manager.io_Certificate: returns no table with a "
         "status"},
        {"Error", SPLIT "return {status = obj.spec.x}",
         "Unknown argocd-cm: resource.customizations.health.cert-manager.io_Certificate: script:1: attempt to index "
         "field 'spec' (a nil value)"},
        {"Syntax", OLD "return {",
         "Unknown argocd-cm: resource.customizations: cert-manager.io/Certificate: health.lua: is no Lua program: "
         "script:1: unexpected symbol near <eof>"},
        {"Endless", SPLIT "while true do end",
         "Unknown argocd-cm: resource.customizations.health.cert-manager.io_Certificate: takes more than 1s of "
         "processor time, want less"},
        {"NoDebugWithoutOpenLibs", SPLIT "return {status = debug and 'Healthy' or 'Missing'}", "Missing "},
        {"OpenLibs",
         SPLIT
         "return {status = debug and 'Healthy' or 'Missing'}\nresource.customizations.useOpenLibs.cert-manager.io_"
         "Certificate: 'true'",
         "Healthy "},
        {"OpenLibsCombined", OLD "return {status = debug and 'Healthy' or 'Missing'}\n    health.lua.useOpenLibs: true",
         "Healthy "},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Customizations, SayWhatTheyDoNotUnderstand) {
  auto all = customizations(
      "resource.customizations: |\n  a/B: {healthy.lua: x, knownTypeFields: []}\n"
      "resource.customizations.health: x\n"
      "resource.customizations.ignoreResourceUpdates.all: x\n"
      "resource.customizations.useOpenLibs.a_B: maybe\n"
      "resource.exclusions: x\n"
      "url: x\n");
  EXPECT_EQ(join(all->problems(), "\n"),
            "argocd-cm: resource.exclusions: want a list of apiGroups and kinds\n"
            "argocd-cm: resource.customizations: a/B: healthy.lua: this customization is not known\n"
            "argocd-cm: resource.customizations.health: want resource.customizations.<what>.<group>_<Kind>\n"
            "argocd-cm: resource.customizations.useOpenLibs.a_B: got \"maybe\", want true or false");
}

struct Rule {
  const char* name;
  const char* data;
  const char* want;
};
class CustomIgnores : public testing::TestWithParam<Rule> {};
TEST_P(CustomIgnores, Table) {
  std::string got;
  auto all = customizations(GetParam().data);
  for (const auto& rule : all->ignore())
    got += fmt::format("{}/{} {} {} {}{}\n", rule.group, rule.kind, join(rule.pointers, ","), join(rule.paths, ","),
                       rule.managers.size(), rule.wrong.empty() ? "" : " " + rule.place + ": " + rule.wrong);
  EXPECT_EQ(got, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Customizations, CustomIgnores,
    testing::ValuesIn(std::to_array<Rule>({
        {"Split",
         "resource.customizations.ignoreDifferences.apps_Deployment: |\n  jsonPointers: [/a]\n  jqPathExpressions: "
         "[.b]\n  managedFieldsManagers: [m]",
         "apps/Deployment /a .b 1\n"},
        {"All", "resource.customizations.ignoreDifferences.all: 'jqPathExpressions: [.b]'", "*/*  .b 0\n"},
        {"Core", "resource.customizations.ignoreDifferences.Pod: 'jsonPointers: [/a]'", "/Pod /a  0\n"},
        {"CombinedText", "resource.customizations: |\n  '*.a/*':\n    ignoreDifferences: |\n      jsonPointers: [/a]",
         "*.a/* /a  0\n"},
        {"CombinedMap", "resource.customizations: |\n  a/B: {ignoreDifferences: {jsonPointers: [/a]}}", "a/B /a  0\n"},
        {"NotYaml", "resource.customizations.ignoreDifferences.Pod: '{'",
         "/Pod   0 argocd-cm: resource.customizations.ignoreDifferences.Pod: its YAML:2:1: did not find expected node "
         "content while parsing a flow node (line 2)\n"},
        {"NoMap", "resource.customizations.ignoreDifferences.Pod: '[/a]'",
         "/Pod   0 argocd-cm: resource.customizations.ignoreDifferences.Pod: its YAML:1:1: .: want a map, such as "
         "jsonPointers: [...]\n"},
        {"NoPointer", "resource.customizations.ignoreDifferences.Pod: 'jsonPointers: [a]'",
         "/Pod   0 argocd-cm: resource.customizations.ignoreDifferences.Pod: its YAML:1:16: .jsonPointers[0]: want a "
         "JSON pointer, such as /spec/replicas\n"},
        {"CombinedNotYaml", "resource.customizations: '{'",
         "*/*   0 argocd-cm: resource.customizations: resource.customizations:2:1: did not find expected "
         "node content while parsing a flow node (line 2)\n"},
        {"CombinedNoMap", "resource.customizations: text",
         "*/*   0 argocd-cm: resource.customizations: want a map of group/Kind\n"},
    })),
    [](const auto& i) { return i.param.name; });

const char* const with_actions = R"(
resource.customizations.actions.cert-manager.io_Certificate: |
  mergeBuiltinActions: true
  discovery.lua: |
    local actions = {}
    actions["renew"] = {}
    actions["stop"] = {disabled = not obj.status.ready, displayName = "Stop it", iconClass = "fa fa-stop",
                       params = {{name = "why"}}}
    actions["resume"] = {disabled = true}
    return actions
  definitions:
  - name: renew
    action.lua: |
      obj.metadata.annotations.renew = actionParams.when
      return obj
  - name: twice
    action.lua: |
      local copy = {apiVersion = "batch/v1", kind = "Job", metadata = {name = obj.metadata.name .. "-1"}, spec = {}}
      return {{operation = "create", resource = copy}, {operation = "patch", resource = obj}}
  - {name: none, action.lua: 'return {}'}
  - {name: text, action.lua: 'return "x"'}
  - {name: wrong, action.lua: 'return {{operation = "delete", resource = obj}}'}
  - {name: empty, action.lua: 'return {{operation = "patch"}}'}
  - {name: fails, action.lua: 'error("no")'}
)";

TEST(CustomActions, AreDiscovered) {
  auto found = must(customizations(with_actions)->actions(Ctx(), object(certificate)));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->merged);
  std::string got;
  for (const auto& a : found->list)
    got += fmt::format("{}{} {} {} {}\n", a.name, a.disabled ? " disabled" : "", a.display_name, a.icon_class,
                       doc::print_json(a.params));
  EXPECT_EQ(got, "renew   null\nresume disabled   null\nstop Stop it fa fa-stop [{\"name\":\"why\"}]\n");
  EXPECT_FALSE(must(customizations(with_actions)->actions(Ctx(), object("{apiVersion: v1, kind: Pod}"))));
  auto none = must(customizations("resource.customizations.actions.Pod: 'discovery.lua: return {}'")
                       ->actions(Ctx(), object("{apiVersion: v1, kind: Pod}")));
  EXPECT_TRUE(none && none->list.empty() && !none->merged);
}

struct Acted {
  const char* name;
  const char* action;
  const char* want;
};
class ActsByLua : public testing::TestWithParam<Acted> {};
TEST_P(ActsByLua, Table) {
  auto impacts = customizations(with_actions)->act(Ctx(), object(certificate), GetParam().action, {{"when", "now"}});
  std::string got = impacts ? (*impacts ? "" : "not written") : impacts.error().what();
  if (impacts && *impacts)
    for (const auto& impact : **impacts)
      got += (impact.operation == ActionImpact::Operation::create ? "create " : "patch ") +
             doc::print_yaml(impact.object, {.sort_keys = true});
  EXPECT_EQ(got, GetParam().want);
}
#define PLACE "argocd-cm: resource.customizations.actions.cert-manager.io_Certificate: "
INSTANTIATE_TEST_SUITE_P(
    Customizations, ActsByLua,
    testing::ValuesIn(std::to_array<Acted>({
        {"Patch", "renew",
         "patch apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  annotations:\n    renew: now\n  name: "
         "c\nstatus:\n  count: 9007199254740993\n  ready: true\n"},
        {"CreateAndPatch", "twice",
         "create apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: c-1\nspec: []\npatch apiVersion: "
         "cert-manager.io/v1\nkind: Certificate\nmetadata:\n  annotations: {}\n  name: c\nstatus:\n  count: "
         "9007199254740993\n  ready: true\n"},
        {"Nothing", "none", ""},
        {"OtherName", "restart", "not written"},
        {"Text", "text", PLACE "text: action.lua: returns no object and no list of operations"},
        {"Operation", "wrong", PLACE "wrong: action.lua: returns the operation \"delete\", want patch or create"},
        {"NoResource", "empty", PLACE "empty: action.lua: returns an operation without a resource that has a kind"},
        {"Fails", "fails", PLACE "fails: action.lua: script:1: no"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(CustomActions, StandInThePlaceOfBuiltInOnesOrBesideThem) {
  auto deployment = object("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}");
  auto all = [&](std::string_view merge) {
    return customizations(
        fmt::format("resource.customizations.actions.apps_Deployment: |\n  mergeBuiltinActions: {}\n  "
                    "discovery.lua: return {{restart = {{}}, shout = {{}}}}\n  definitions:\n  - {{name: "
                    "shout, action.lua: \"obj.metadata.name = 'WEB' return obj\"}}",
                    merge));
  };
  auto names = [&](const Customizations& of) {
    std::string text;
    for (const auto& action : must(actions_of(Ctx(), of, deployment))) text += action.name + " ";
    return text;
  };
  EXPECT_EQ(names(*all("false")), "restart shout ");
  EXPECT_TRUE(names(*all("true")).starts_with("restart shout ")) << names(*all("true"));
  EXPECT_NE(names(*all("true")).find("scale"), std::string::npos) << names(*all("true"));
  EXPECT_NE(names(*customizations("{}")).find("scale"), std::string::npos);
  auto writes = must(act(Ctx(), *all("false"), deployment, {"shout", {}, "2026-01-02T03:04:05Z", "test"}));
  EXPECT_EQ(writes.at(0).object.str_at({"metadata", "name"}), "WEB");
  EXPECT_TRUE(act(Ctx(), *all("false"), deployment, {"restart", {}, "2026-01-02T03:04:05Z", "test"})
                  .error()
                  .is(Kind::not_found));
  EXPECT_FALSE(must(act(Ctx(), *all("true"), deployment, {"restart", {}, "2026-01-02T03:04:05Z", "test"})).empty());
}

// What a script returns is written: what it creates, what it changes of the object, and of another one.
TEST(CustomActions, AreWritten) {
  World w;
  for (auto name : {"a", "b"}) must(w.person->create(w.ctx(), must(doc::parse_yaml(config_map(name))), {}));
  auto of = customizations(R"(
resource.customizations.actions.ConfigMap: |
  discovery.lua: return {spread = {}}
  definitions:
  - name: spread
    action.lua: |
      obj.data.v = "2"
      local other = {apiVersion = "v1", kind = "ConfigMap", metadata = {name = "b", namespace = "default"}, data = {v = "3"}}
      local made = {apiVersion = "v1", kind = "ConfigMap", metadata = {name = "c", namespace = "default"}}
      return {{operation = "patch", resource = obj}, {operation = "patch", resource = other},
              {operation = "create", resource = made}}
)");
  auto before = *w.live(settings_type, "a", "default");
  for (const auto& write : must(act(w.ctx(), *of, before, {"spread", {}, "", ""})))
    must(write_action(w.ctx(), *w.person, before, write));
  EXPECT_EQ((*w.live(settings_type, "a", "default"))["data"]["v"].text(), "2");
  EXPECT_EQ((*w.live(settings_type, "b", "default"))["data"]["v"].text(), "3");
  EXPECT_TRUE(w.live(settings_type, "c", "default"));
}

TEST(CustomActions, SayWhatIsWrongWithThem) {
  for (auto [data, want] :
       {std::pair{"'{'", "its YAML:2:1: did not find expected node content while parsing a flow node (line 2)"},
        {"'definitions: []'", "discovery.lua: want a script that returns the actions"},
        {"'discovery.lua: return 1'", "discovery.lua: returns no table of actions by their names"},
        {"'discovery.lua: return obj.a.b'", "discovery.lua: script:1: attempt to index field 'a' (a nil value)"}}) {
    auto found = customizations(fmt::format("resource.customizations.actions.Pod: {}", data))
                     ->actions(Ctx(), object("{apiVersion: v1, kind: Pod}"));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().what(), fmt::format("argocd-cm: resource.customizations.actions.Pod: {}", want));
  }
}

// What a script said of a version of an object is not asked again, unless the script reads the clock.
TEST(CustomHealthOfVersions, IsRemembered) {
  auto counts = customizations(
      "{resource.customizations.health.Pod: 'return {status = \"Healthy\", message = "
      "tostring(collectgarbage(\"count\")) "
      ".. obj.metadata.name}'}");
  auto named = [](const char* kind, const char* name, const char* version) {
    return object(fmt::format("{{apiVersion: v1, kind: {}, metadata: {{name: {}, uid: u, resourceVersion: '{}'}}}}",
                              kind, name, version));
  };
  auto ask = [&](const kube::Object& o) { return (**counts->health(Ctx(), o)).message; };
  auto first = ask(named("Pod", "a", "1"));
  EXPECT_EQ(ask(named("Pod", "b", "1")), first) << "the version tells what it is";
  EXPECT_TRUE(ask(named("Pod", "b", "2")).ends_with("b"));
  auto jobs = customizations(
      "{resource.customizations.health.batch_Job: 'os.time() return {status = \"Healthy\", message = "
      "obj.metadata.name}'}");
  auto job = [&](const char* name) {
    return (**jobs->health(Ctx(), object(fmt::format("{{apiVersion: batch/v1, kind: Job, metadata: {{name: {}, uid: u, "
                                                     "resourceVersion: '1'}}}}",
                                                     name))))
        .message;
  };
  EXPECT_EQ(job("a"), "a");
  EXPECT_EQ(job("b"), "b");
}

TEST(Settings, KindsThatAreExcludedAreLeftAlone) {
  World w;
  w.settings(
      "{resource.exclusions: \"- {apiGroups: [''], kinds: [Secret], clusters: ['https://kubernetes*']}\\n\", "
      "resource.inclusions: \"- {apiGroups: ['', coordination.k8s.io], kinds: ['*']}\\n\"}");
  w.commit({{"a.yaml", config_map("a")},
            {"s.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: s}}"},
            {"l.yaml", "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l}}"},
            {"i.yaml", "{apiVersion: batch/v1, kind: Job, metadata: {name: j}}"}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << conditions_of(app);
  EXPECT_EQ(app["status"]["resources"].items().size(), 1U);
  EXPECT_EQ(
      conditions_of(app),
      "ExcludedResourceWarning: Resource batch/Job j is excluded in the settings|ExcludedResourceWarning: Resource "
      "coordination.k8s.io/Lease l is excluded in the settings|ExcludedResourceWarning: Resource /Secret s is "
      "excluded in the settings");
}

TEST(Settings, BuildOptionsAndWhatHasNoEffect) {
  World w;
  w.commit({{"base/patch.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {v: patched}}"},
            {"app/a.yaml", config_map("a")},
            {"app/kustomization.yaml", "resources: [a.yaml]\npatches: [{path: ../base/patch.yaml}]\n"}});
  w.application("syncPolicy: {automated: {}}\nsource: {repoURL: http://git/config, path: app, targetRevision: main}");
  EXPECT_TRUE(conditions_of(w.look_once()).contains("--load-restrictor LoadRestrictionsNone"));
  w.settings(
      "{kustomize.buildOptions: --enable-helm --load-restrictor LoadRestrictionsNone, "
      "application.resourceTrackingMethod: "
      "letters, resource.exclusions: nonsense}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << conditions_of(app);
  EXPECT_EQ(conditions_of(app),
            "CustomizationWarning: argocd-cm: kustomize.buildOptions: --enable-helm has no effect here|"
            "CustomizationWarning: argocd-cm: application.resourceTrackingMethod: got letters, want annotation, "
            "label or annotation+label; annotation is used|CustomizationWarning: argocd-cm: resource.exclusions: want "
            "a list of apiGroups and kinds");
}

}  // namespace
}  // namespace slipway::gitops
