// Plugins against a server of the test that answers as Argo CD's documents ask of a plugin, and decisions of another
// controller about clusters.
#include "doc/json.h"
#include "gitops/appset/detail.h"
#include "gitops/testing/sets.h"
#include "net/server.h"

namespace slipway::gitops::appset {
namespace {

// Answers with what it is told to; {BRANCH} is input.parameters.branch.
class FakePlugin {
 public:
  FakePlugin() {
    server_ = must(net::Server::start({}, [this](const Ctx& ctx, net::Request& request) {
      if (request.headers.get_or("authorization", "") != "Bearer strong-password")
        return net::Response::json(403, R"({"message":"forbidden"})");
      if (request.path != "/base/api/v1/getparams.execute" || request.method != "POST")
        return net::Response::text(404, "no");
      auto body = must(request.read_body(ctx));
      asked.lock()->push_back(body);
      auto said = *answer.lock();
      auto parsed = must(doc::parse_json(body));
      return net::Response::json(*status.lock(),
                                 replace_all(said, "{BRANCH}", parsed.str_at({"input", "parameters", "branch"})));
    }));
  }
  std::string address() const { return fmt::format("http://{}/base", server_->address()); }
  Guarded<std::string> answer;
  Guarded<int> status{200};
  Guarded<std::vector<std::string>> asked;

 private:
  std::unique_ptr<net::Server> server_;
};

struct PluginSets : Sets {
  PluginSets() {
    configure(fmt::format("token: $plugin.token, baseUrl: '{}', requestTimeout: '5'", plugin.address()));
    apply(
        "{apiVersion: v1, kind: Secret, metadata: {name: argocd-secret, namespace: argocd}, stringData: {plugin.token: "
        "\"strong-password\\n\"}}");
    apply(
        "{apiVersion: v1, kind: Secret, metadata: {name: another, namespace: argocd}, stringData: {key: "
        "strong-password}}");
  }
  void configure(std::string_view data) {
    apply(fmt::format(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: my-plugin, namespace: argocd}}, data: {{{}}}}}", data));
  }
  // The names, or what is wrong.
  std::string result() {
    auto error = condition(look_once(), "ErrorOccurred");
    return error.starts_with("True") ? error : names();
  }
  FakePlugin plugin;
};

struct Answered {
  const char* name;
  const char* head;
  const char* answer;
  const char* more;  // of the generator
  const char* application;
  const char* want;
};
class Plugin : public testing::TestWithParam<Answered> {};
TEST_P(Plugin, Table) {
  PluginSets s;
  const auto& test = GetParam();
  *s.plugin.answer.lock() = test.answer;
  s.set(
      fmt::format("{}generators: [{{plugin: {{configMapRef: {{name: my-plugin}}{}}}}}]\ntemplate: {{metadata: {{name: "
                  "'{}'}}, spec: {{project: "
                  "default, source: {{repoURL: http://git/c, path: x}}, destination: {{namespace: d}}}}}}",
                  test.head, test.more, test.application));
  auto result = s.result();
  std::string want = test.want;
  if (want.starts_with("error: "))
    EXPECT_TRUE(result.contains(want.substr(7))) << result;
  else
    EXPECT_EQ(result, want);
}
constexpr auto go = "goTemplate: true\ngoTemplateOptions: [missingkey=error]\n";
INSTANTIATE_TEST_SUITE_P(
    Appset, Plugin,
    testing::ValuesIn(std::to_array<Answered>({
        {"Flat", "", R"({"output":{"parameters":[{"k":"a","deep":{"n":1}},{"k":"b","deep":{"n":true}}]}})", "",
         "{{k}}-{{deep.n}}", "a-1 b-true"},
        {"Go", go, R"({"output":{"parameters":[{"k":"a","deep":{"l":["x","y"]}}]}})", "", "{{.k}}-{{index .deep.l 1}}",
         "a-y"},
        {"Input", go, R"({"output":{"parameters":[{"k":"a"}]}})", ", input: {parameters: {one: x, map: {two: y}}}",
         "{{.k}}-{{.generator.input.parameters.one}}-{{index .generator.input.parameters.map \"two\"}}", "a-x-y"},
        {"InputFlat", "",
         R"({"output":{"parameters":[{"k":"a","generator":{"input":{"parameters":{"one":"theirs"}}}}]}})",
         ", input: {parameters: {one: ours}}", "{{k}}-{{generator.input.parameters.one}}", "a-ours"},
        {"Values", go, R"({"output":{"parameters":[{"k":"a","values":{"v":"theirs"}}]}})",
         ", values: {v: '{{.k}}-ours'}", "{{.values.v}}", "a-ours"},
        {"ValuesNameNoValues", go, R"({"output":{"parameters":[{"k":"a"}]}})", ", values: {a: x, b: '{{.values.a}}'}",
         "{{.values.b}}", "error: map has no entry for key"},
        {"None", "", R"({"output":{"parameters":[]}})", "", "{{k}}", ""},
        {"NullIsNone", "", R"({"output":{"parameters":null}})", "", "{{k}}", ""},
        {"NoOutput", "", R"({})", "", "{{k}}", "error: want a list of maps"},
        {"NoList", "", R"({"output":{"parameters":{"k":"a"}}})", "", "{{k}}", "error: want a list of maps"},
        {"NoMap", "", R"({"output":{"parameters":["a"]}})", "", "{{k}}", "error: want a map"},
        {"NoJson", "", R"({"output":)", "", "{{k}}", "error: plugin's answer:1:"},
        {"Nothing", "", "", "", "{{k}}", "error: plugin's answer:1:"},
        {"BadName", "", R"({"output":{"parameters":[{"k":"../../x"}]}})", "", "{{k}}",
         "error: want a name of small letters"},
    })),
    [](const auto& param) { return std::string(param.param.name); });

TEST(Plugins, AskAsDocumented) {
  PluginSets s;
  *s.plugin.answer.lock() = R"({"output":{"parameters":[{"digest":"d-{BRANCH}"}]}})";
  s.set(std::string(go) +
        "generators: [{matrix: {generators: [{list: {elements: [{branch: b1}, {branch: b2}]}}, {plugin: {configMapRef: "
        "{name: my-plugin}, input: {parameters: {branch: '{{.branch}}', n: 1}}, values: {link: "
        "'at-{{.branch}}-{{.digest}}'}}}]}}]" TEMPLATE("{{.values.link}}"));
  EXPECT_EQ(s.result(), "at-b1-d-b1 at-b2-d-b2");
  auto asked = *s.plugin.asked.lock();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0], R"({"applicationSetName":"s","input":{"parameters":{"branch":"b1","n":1}}})");
  // In a merge as well, and without parameters.
  *s.plugin.answer.lock() = R"({"output":{"parameters":[{"k":"a","v":"2"},{"k":"c","v":"3"}]}})";
  s.set(
      "generators: [{merge: {mergeKeys: [k], generators: [{list: {elements: [{k: a, v: '1'}, {k: b, v: '1'}]}}, "
      "{plugin: "
      "{configMapRef: {name: my-plugin}}}]}}]" TEMPLATE("{{k}}-{{v}}"));
  EXPECT_EQ(s.result(), "a-2 b-1");
  EXPECT_EQ(s.plugin.asked.lock()->back(), R"({"applicationSetName":"s","input":{}})");
}

TEST(Plugins, SayWhatIsWrongAndTakeNothingAway) {
  PluginSets s;
  *s.plugin.answer.lock() = R"({"output":{"parameters":[{"k":"a"}]}})";
  s.set("generators: [{plugin: {configMapRef: {name: my-plugin}}}]" TEMPLATE("{{k}}"));
  EXPECT_EQ(s.result(), "a");
  s.configure(fmt::format("token: $another:key, baseUrl: '{}/'", s.plugin.address()));
  EXPECT_EQ(s.result(), "a");
  for (const auto& [data, message] : std::map<std::string, std::string>{
           {"token: $plugin.token", "baseUrl: is missing"},
           {"token: $plugin.token, baseUrl: ftp://x", "want http or https"},
           {"token: plain, baseUrl: http://x", "does not reference a secret key starting with '$'"},
           {"baseUrl: http://x", "token: is missing"},
           {"token: $none:key, baseUrl: http://x", "there is no Secret argocd/none"},
           {"token: $none, baseUrl: http://x", "Secret argocd/argocd-secret has no entry none"},
           {"token: $plugin.token, baseUrl: http://x, requestTimeout: soon", "want a number of seconds"}}) {
    s.person->remove(s.ctx(), {"v1", "ConfigMap"}, {"argocd", "my-plugin"}, {}).value();
    s.configure(data);
    EXPECT_TRUE(s.result().contains(message)) << data << ": " << s.result();
    EXPECT_EQ(s.names(), "a");
  }
  s.configure(fmt::format("token: $another:key, baseUrl: '{}'", s.plugin.address()));
  *s.plugin.status.lock() = 500;
  *s.plugin.answer.lock() = R"({"message":"out of paper"})";
  EXPECT_TRUE(s.result().contains("API error with status code 500: out of paper")) << s.result();
  EXPECT_FALSE(s.result().contains("strong-password"));
  EXPECT_EQ(s.names(), "a");
  must(s.person->remove(s.ctx(), {"v1", "ConfigMap"}, {"argocd", "my-plugin"}, {}));
  EXPECT_TRUE(s.result().contains("there is no ConfigMap argocd/my-plugin")) << s.result();
  EXPECT_EQ(s.names(), "a");
}

struct DecisionSets : Sets {
  DecisionSets() {
    apply(
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: ducks.mallard.io}, "
        "spec: {group: "
        "mallard.io, names: {kind: Duck, plural: ducks, singular: duck, listKind: DuckList}, scope: Namespaced, "
        "versions: [{name: "
        "v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, "
        "x-kubernetes-preserve-unknown-fields: true}}}]}}");
    for (auto name : {"east", "west"})
      apply(
          fmt::format("{{apiVersion: v1, kind: Secret, metadata: {{name: {0}, namespace: argocd, labels: "
                      "{{argocd.argoproj.io/secret-type: "
                      "cluster}}}}, stringData: {{name: {0}, server: 'https://{0}', config: '{{}}'}}}}",
                      name));
    configure("apiVersion: mallard.io/v1beta1, kind: ducks, statusListKey: decisions, matchKey: clusterName");
    duck("quak",
         "{decisions: [{clusterName: east, weight: 3, zone: {a: b}}, {clusterName: gone}, {clusterName: in-cluster}]}");
    duck("other", "{decisions: [{clusterName: west}]}");
    duck("early", "{}");
  }
  void configure(std::string_view data) {
    (void)person->remove(ctx(), {"v1", "ConfigMap"}, {"argocd", "duck"}, {});
    apply(fmt::format("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: duck, namespace: argocd}}, data: {{{}}}}}",
                      data));
  }
  void duck(std::string_view name, std::string_view status) {
    apply(
        fmt::format("{{apiVersion: mallard.io/v1beta1, kind: Duck, metadata: {{name: {0}, namespace: argocd, labels: "
                    "{{duck: {0}}}}}, status: {1}}}",
                    name, status));
  }
  std::string result(std::string_view generator, std::string_view name, std::string_view head = "") {
    set(
        fmt::format("{}generators: [{{clusterDecisionResource: {{{}}}}}]\ntemplate: {{metadata: {{name: '{}'}}, spec: "
                    "{{project: default, source: {{repoURL: http://git/c, path: x}}, destination: {{server: "
                    "'{}', namespace: d}}}}}}",
                    head, generator, name, head.empty() ? "{{server}}" : "{{.server}}"));
    auto error = condition(look_once(), "ErrorOccurred");
    return error.starts_with("True") ? error : names();
  }
};

TEST(Decisions, NameClusters) {
  DecisionSets s;
  EXPECT_EQ(s.result("configMapRef: duck, name: quak", "on-{{name}}"), "on-east on-in-cluster");
  EXPECT_EQ(s.app("on-east")["spec"]["destination"]["server"].text(), "https://east");
  EXPECT_EQ(
      s.result(
          "configMapRef: duck, labelSelector: {matchExpressions: [{key: duck, operator: In, values: [quak, other]}]}",
          "{{clusterName}}"),
      "east in-cluster west");
  EXPECT_EQ(s.result("configMapRef: duck, labelSelector: {matchLabels: {duck: other}}, values: {v: 'x-{{name}}'}",
                     "{{values.v}}"),
            "x-west");
  EXPECT_EQ(s.result("configMapRef: duck, name: early", "{{name}}"), "") << "it has decided for none yet";
  s.duck("quak", "{decisions: [{clusterName: east, weight: 3, zone: {a: b}}]}");
  EXPECT_EQ(s.result("configMapRef: duck, name: quak", "{{name}}-{{weight}}"), "east-3");
  EXPECT_EQ(s.result("configMapRef: duck, name: quak",
                     "{{.name}}-{{.weight}}-{{.zone | replace \"[\" \"-\" | replace \"]\" \"\" | replace \":\" \"\"}}",
                     "goTemplate: true\n"),
            "east-3-map-ab");
}

TEST(Decisions, NestAndWake) {
  DecisionSets s;
  s.set(
      "generators: [{matrix: {generators: [{list: {elements: [{d: quak}, {d: other}]}}, {clusterDecisionResource: "
      "{configMapRef: duck, name: '{{d}}'}}]}}]" TEMPLATE("{{d}}-{{name}}"));
  auto set = s.look_once();
  EXPECT_EQ(s.names(), "other-west quak-east quak-in-cluster") << condition(set, "ErrorOccurred");
  auto spec = must(doc::parse_yaml("{generators: [{clusterDecisionResource: {configMapRef: duck}}]}"));
  EXPECT_EQ(requeue_after(doc::View(spec)), Millis(180'000));
  EXPECT_TRUE(reads_clusters(doc::View(spec)));
}

TEST(Decisions, SayWhatIsWrongAndTakeNothingAway) {
  DecisionSets s;
  s.result("configMapRef: duck, name: quak", "{{name}}");
  struct Wrong {
    const char *data, *generator, *message;
  };
  constexpr auto good = "apiVersion: mallard.io/v1beta1, kind: ducks, statusListKey: decisions, matchKey: clusterName";
  for (const auto& [data, generator, message] : std::vector<Wrong>{
           {good, "configMapRef: none, name: quak", "there is no ConfigMap argocd/none"},
           {good, "configMapRef: duck", "want either name or labelSelector"},
           {good, "configMapRef: duck, name: quak, labelSelector: {matchLabels: {a: b}}",
            "want either name or labelSelector"},
           {good, "configMapRef: duck, name: none", "no Duck found"},
           {"apiVersion: v1, kind: ducks, matchKey: n", "configMapRef: duck, name: quak", "want GROUP/VERSION"},
           {"apiVersion: mallard.io/v1beta1, matchKey: n", "configMapRef: duck, name: quak", "kind: is missing"},
           {"apiVersion: mallard.io/v1beta1, kind: geese, matchKey: n", "configMapRef: duck, name: quak",
            "the cluster knows no geese"},
           {"apiVersion: mallard.io/v1beta1, kind: ducks", "configMapRef: duck, name: quak", "matchKey: is missing"}}) {
    s.configure(data);
    auto result = s.result(generator, "{{name}}");
    EXPECT_TRUE(result.contains(message)) << result;
    EXPECT_EQ(s.names(), "east in-cluster");
  }
  s.configure(good);
  for (auto status : {"{decisions: {a: b}}", "{decisions: [east]}"}) {
    s.duck("quak", status);
    EXPECT_TRUE(s.result("configMapRef: duck, name: quak", "{{name}}").contains("want a ")) << status;
    EXPECT_EQ(s.names(), "east in-cluster");
  }
}

TEST(Answers, AreThoseOfOneGeneration) {
  Answers answers;
  FakeClock clock;
  auto now = clock.now();
  answers.begin(1, false);
  EXPECT_EQ(answers.find("q", now), nullptr);
  answers.keep("q", Answers::Params{doc::Map{{"a", "b"}}}, now + Millis(10));
  answers.keep("r", Answers::Params{}, now + Millis(5));
  EXPECT_EQ(answers.end(), now + Millis(5));
  answers.begin(1, false);
  EXPECT_NE(answers.find("q", now), nullptr);
  EXPECT_EQ(answers.find("q", now + Millis(10)), nullptr);
  EXPECT_EQ(answers.end(), now + Millis(10)) << "r was not asked for any more";
  answers.begin(1, true);
  EXPECT_EQ(answers.find("q", now), nullptr);
  EXPECT_EQ(answers.end(), std::nullopt);
}

}  // namespace
}  // namespace slipway::gitops::appset
