// ApplicationSets against the embedded API and bare repositories.
#include "gitops/appset/controller.h"

#include <thread>

#include "base/guarded.h"
#include "doc/json.h"
#include "gitops/testing/sets.h"
#include "net/server.h"

namespace slipway::gitops::appset {
namespace {

doc::Map params_of(std::string_view yaml) { return *must(doc::parse_yaml(yaml)).if_map(); }

TEST(AppsetTemplate, BothWays) {
  doc::Value plain_spec(doc::Map{}), go_spec(doc::Map{{"goTemplate", true}}),
      strict(doc::Map{{"goTemplate", true}, {"goTemplateOptions", doc::List{"missingkey=error"}}}),
      wrong(doc::Map{{"goTemplate", true}, {"goTemplateOptions", doc::List{"missingkey=never"}}});
  auto plain = must(Renderer::from(doc::View(plain_spec))), go = must(Renderer::from(doc::View(go_spec)));
  auto params = params_of("{name: web, path.basename: shop, path: {basename: shop}, n: 3}");
  EXPECT_EQ(must(plain.text("{{name}}-{{ path.basename }}-{{none}}-{{", params)), "web-shop-{{none}}-{{");
  EXPECT_EQ(must(go.text("{{.name | upper}}-{{.path.basename}}-{{.none}}-{{ normalize \"A_b\" }}", params)),
            "WEB-shop-<no value>-a-b");
  EXPECT_EQ(must(go.text("{{ slugify 10 true \"Feature/Add a button!\" }} {{ .name | slugify }}", params)),
            "feature web");
  auto missing = must(Renderer::from(doc::View(strict))).text("{{.none}}", params);
  EXPECT_EQ(missing.error().what(),
            "failed to execute go template {{.none}}: template: :1:2: executing \"\" at <.none>: map has no entry for "
            "key \"none\"");
  EXPECT_FALSE(Renderer::from(doc::View(wrong)));
  EXPECT_EQ(
      doc::print_json(must(plain.document(must(doc::parse_yaml("{'{{name}}': [{a: '{{name}}!', b: 1}]}")), params))),
      R"({"web":[{"a":"web!","b":1}]})");
}

constexpr std::string_view two = "generators: [{list: {elements: [{name: a, env: dev}, {name: b, env: prod}]}}]";

TEST(Appset, ListBecomesApplicationsAndFollowsIt) {
  Sets s;
  s.set(two);
  auto set = s.look_once();
  EXPECT_EQ(s.names(), "a b");
  EXPECT_EQ(condition(set, "ErrorOccurred"), "False All applications have been generated successfully");
  EXPECT_EQ(condition(set, "ParametersGenerated"), "True Successfully generated parameters for all Applications");
  EXPECT_EQ(condition(set, "ResourcesUpToDate"), "True All applications have been generated successfully");
  EXPECT_EQ(set["status"]["resources"][1]["name"].text(), "b");
  EXPECT_EQ(set["status"]["resourcesCount"].num_or(0), 2);
  auto a = s.app("a");
  EXPECT_EQ(a["spec"]["destination"]["namespace"].text(), "a");
  EXPECT_EQ(a.label("env"), "dev");
  EXPECT_EQ(a.controller()->uid, set.uid());
  EXPECT_EQ(a["metadata"]["finalizers"][0].text(), "resources-finalizer.argocd.argoproj.io");
  // Nothing changed: nothing is written.
  s.client->writes.clear();
  s.look_once();
  EXPECT_TRUE(s.client->writes.empty()) << s.client->writes.front();
  // What others may set stays, what they may not does not.
  s.merge("a",
          "{metadata: {annotations: {argocd.argoproj.io/refresh: normal, x: y}}, operation: {sync: {}}, status: {sync: "
          "{status: Synced}}, spec: {project: other}}");
  s.set("generators: [{list: {elements: [{name: a, env: test}, {name: c, env: dev}]}}]");
  set = s.look_once();
  EXPECT_EQ(s.names(), "a c");
  a = s.app("a");
  EXPECT_EQ(a.label("env"), "test");
  EXPECT_EQ(a.annotation("argocd.argoproj.io/refresh"), "normal");
  EXPECT_EQ(a.annotation("x"), "");
  EXPECT_EQ(a["spec"]["project"].text(), "default");
  EXPECT_TRUE(a["operation"].exists());
  EXPECT_EQ(set["status"]["resources"][0]["status"].text(), "Synced");
}

struct Generated {
  const char* name;
  const char* spec;
  const char* want;  // names, or "error: part of the message"
};
class Generators : public testing::TestWithParam<Generated> {};
TEST_P(Generators, Table) {
  Sets s;
  s.repositories.commit(
      "http://git/apps",
      {{"apps/one/config.json", R"({"name": "one", "env": "dev", "deep": {"x": 1}})"},
       {"apps/two/config.json", R"([{"name": "two", "env": "dev"}, {"name": "two-b", "env": "prod"}])"},
       {"apps/old/readme", "x"},
       {"apps/.hidden/a", "x"},
       {"broken/config.json", "{"},
       {"top.yaml", "name: top"}});
  s.apply(
      "{apiVersion: v1, kind: Secret, metadata: {name: c1, namespace: argocd, labels: {argocd.argoproj.io/secret-type: "
      "cluster, tier: prod}}, stringData: {name: East_1, server: 'https://east', config: '{}'}}");
  s.apply(
      "{apiVersion: v1, kind: Secret, metadata: {name: other, namespace: argocd}, stringData: {name: no, server: x}}");
  auto spec = [&](int number, std::string_view state) {
    s.apply(fmt::format(
        "{{apiVersion: slipway.dev/v1, kind: PullRequest, metadata: {{name: r{0}, namespace: argocd}}, spec: {{number: "
        "{0}, "
        "repository: web, base: main, head: 0123456789abcdef0123456789abcdef0123456{0}, title: t, author: ada}}}}",
        number));
    must(s.person->patch(s.ctx(), {"slipway.dev/v1", "PullRequest"}, {"argocd", fmt::format("r{}", number)},
                         kube::PatchType::merge, doc::Map{{"status", doc::Map{{"state", state}}}},
                         {.subresource = "status"}));
  };
  spec(7, "open"), spec(8, "merged");
  s.set(GetParam().spec);
  expect(s, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Appset, Generators,
    testing::ValuesIn(std::to_array<Generated>({
        {"ListValues", "generators: [{list: {elements: [{n: a, values: {v: x}}]}}]" TEMPLATE("{{n}}-{{values.v}}"),
         "a-x"},
        {"ListGo", GO "generators: [{list: {elements: [{n: {m: [a, b]}}]}}]" TEMPLATE("{{index .n.m 1}}"), "b"},
        {"ListNested", "generators: [{list: {elements: [{n: {m: 1}}]}}]" TEMPLATE("x"),
         "error: maps and lists are for goTemplate"},
        {"Directories",
         "generators: [{git: {repoURL: http://git/apps, revision: main, directories: [{path: 'apps/*'}, {path: "
         "apps/old, exclude: true}]}}]" TEMPLATE("{{path.basename}}-{{path[0]}}"),
         "one-apps two-apps"},
        {"DirectoriesGo",
         GO "generators: [{git: {repoURL: http://git/apps, directories: [{path: 'apps/*'}], values: {v: "
            "'{{.path.basename}}x'}}}]" TEMPLATE("{{.path.basename}}-{{index .path.segments 0}}-{{.values.v}}"),
         "old-apps-oldx one-apps-onex two-apps-twox"},
        {"DirectoryPrefix",
         GO "generators: [{git: {repoURL: http://git/apps, pathParamPrefix: my, directories: [{path: "
            "apps/one}]}}]" TEMPLATE("{{.my.path.basename}}"),
         "one"},
        {"Files",
         "generators: [{git: {repoURL: http://git/apps, files: [{path: 'apps/**/config.json'}]}}]" TEMPLATE(
             "{{name}}-{{env}}-{{path.basename}}"),
         "one-dev-one two-b-prod-two two-dev-two"},
        {"FilesGo",
         GO "generators: [{git: {repoURL: http://git/apps, files: [{path: apps/one/config.json}]}}]" TEMPLATE(
             "{{.name}}-{{.deep.x}}-{{.path.filenameNormalized}}"),
         "one-1-config.json"},
        {"FilesFlat",
         "generators: [{git: {repoURL: http://git/apps, files: [{path: apps/one/config.json}]}}]" TEMPLATE(
             "{{name}}{{deep.x}}"),
         "one1"},
        {"FilesBroken", "generators: [{git: {repoURL: http://git/apps, files: [{path: broken/*.json}]}}]" TEMPLATE("x"),
         "error: broken/config.json:"},
        {"NoRepository", "generators: [{git: {repoURL: http://git/none, directories: [{path: '*'}]}}]" TEMPLATE("x"),
         "error: no such repository"},
        {"NoRevision",
         "generators: [{git: {repoURL: http://git/apps, revision: v9, directories: [{path: '*'}]}}]" TEMPLATE("x"),
         "error: no revision v9"},
        {"Clusters", "generators: [{clusters: {values: {r: '{{name}}-r'}}}]" TEMPLATE("{{nameNormalized}}"),
         "east-1 in-cluster"},
        {"ClustersSelected",
         "generators: [{clusters: {selector: {matchLabels: {tier: prod}}}}]" TEMPLATE(
             "{{nameNormalized}}-{{metadata.labels.tier}}"),
         "east-1-prod"},
        {"ClustersGo",
         GO "generators: [{clusters: {selector: {matchLabels: {tier: prod}}}}]" TEMPLATE(
             "{{.nameNormalized}}-{{.metadata.labels.tier}}"),
         "east-1-prod"},
        {"Matrix",
         "generators: [{matrix: {generators: [{list: {elements: [{n: a}, {n: b}]}}, {list: {elements: [{m: '1-{{n}}'}, "
         "{m: '2'}]}}]}}]" TEMPLATE("{{n}}-{{m}}"),
         "a-1-a a-2 b-1-b b-2"},
        {"MatrixFeedsGit",
         GO "generators: [{matrix: {generators: [{list: {elements: [{d: one}]}}, {git: {repoURL: http://git/apps, "
            "files: [{path: 'apps/{{.d}}/*.json'}]}}]}}]" TEMPLATE("{{.d}}-{{.env}}"),
         "one-dev"},
        {"MatrixElements",
         GO "generators: [{matrix: {generators: [{list: {elements: [{l: [{x: p}, {x: q}]}]}}, {list: {elementsYaml: "
            "'{{ .l | toJson }}'}}]}}]" TEMPLATE("{{.x}}"),
         "p q"},
        {"MatrixThree", "generators: [{matrix: {generators: [{list: {}}, {list: {}}, {list: {}}]}}]" TEMPLATE("x"),
         "error: holds 3 generators, want two"},
        {"MatrixDuplicate",
         "generators: [{matrix: {generators: [{list: {elements: [{n: a}]}}, {list: {elements: [{n: b}]}}]}}]" TEMPLATE(
             "x"),
         "error: found duplicate key n with different value"},
        {"Merge",
         "generators: [{merge: {mergeKeys: [n], generators: [{list: {elements: [{n: a, v: '1'}, {n: b, v: '2'}]}}, "
         "{list: {elements: [{n: b, v: '3'}, {n: c, v: '4'}]}}]}}]" TEMPLATE("{{n}}-{{v}}"),
         "a-1 b-3"},
        {"MergeGo",
         GO "generators: [{merge: {mergeKeys: [n], generators: [{list: {elements: [{n: a, v: {x: p, y: q}}]}}, {list: "
            "{elements: [{n: a, v: {y: r}}]}}]}}]" TEMPLATE("{{.n}}-{{.v.x}}-{{.v.y}}"),
         "a-p-r"},
        {"MergeTwice",
         "generators: [{merge: {mergeKeys: [n], generators: [{list: {elements: [{n: a}]}}, {list: {elements: [{n: a}, "
         "{n: a}]}}]}}]" TEMPLATE("x"),
         "error: not unique by the given mergeKeys"},
        {"Nested",
         "generators: [{matrix: {generators: [{merge: {mergeKeys: [n], generators: [{list: {elements: [{n: a}]}}, "
         "{list: {elements: [{n: a, v: '1'}]}}]}}, {list: {elements: [{m: x}]}}]}}]" TEMPLATE("{{n}}{{v}}{{m}}"),
         "a1x"},
        {"Selector",
         "generators: [{list: {elements: [{name: a, env: dev}, {name: b, env: prod}]}, selector: {matchLabels: {env: "
         "prod}}}]" TEMPLATE("{{name}}"),
         "b"},
        {"PullRequests",
         GO "generators: [{pullRequest: {slipway: {repo: web}}}]" TEMPLATE(
             "pr-{{.number}}-{{.head_short_sha}}-{{.author}}"),
         "pr-7-01234567-ada"},
        {"PullRequestFilter",
         "generators: [{pullRequest: {slipway: {repo: web}, filters: [{targetBranchMatch: ^rel}]}}]" TEMPLATE("x"), ""},
        {"NoToken",
         "generators: [{pullRequest: {github: {owner: o, repo: r, tokenRef: {secretName: none, key: t}}}}]" TEMPLATE(
             "x"),
         "error: there is no Secret argocd/none"},
        {"Empty", "generators: [{}]" TEMPLATE("x"), "error: want one of list"},
        {"OwnTemplate",
         "generators: [{list: {elements: [{n: a}], template: {metadata: {name: 'own-{{n}}'}}}}]" TEMPLATE("x"),
         "own-a"},
        {"TemplateOfGo",
         "generators: [{list: {elements: [{n: a}], template: {metadata: {}, spec: {project: '', destination: {}, "
         "sources: [], source: null}}}}]" TEMPLATE("go-{{n}}"),
         "go-a"},
        {"Patch",
         GO "generators: [{list: {elements: [{n: a, env: q}]}}]\ntemplatePatch: |\n  metadata: {name: "
            "'{{.n}}-patched'}\n  {{- if eq .env \"q\" }}\n  spec: {project: quick}\n  {{- end }}" TEMPLATE("{{.n}}"),
         "a-patched"},
        {"MatrixValues",
         GO "generators: [{matrix: {generators: [{list: {elements: [{team: red}]}}, {clusters: {values: {r: "
            "'{{.team}}-{{.nameNormalized}}'}}}]}}]" TEMPLATE("{{.values.r}}"),
         "red-east-1 red-in-cluster"},
        {"Duplicate", "generators: [{list: {elements: [{n: a}, {n: b}]}}]" TEMPLATE("same"),
         "error: contains applications with duplicate name: same"},
        {"BadName", "generators: [{list: {elements: [{n: A_b}]}}]" TEMPLATE("{{n}}"),
         "error: want a name of small letters"},
        {"GoError", GO "generators: [{list: {elements: [{n: a}]}}]" TEMPLATE("{{.m}}"),
         "error: map has no entry for key \"m\""},
    })),
    [](const auto& param) { return std::string(param.param.name); });

// The most dangerous thing such a controller can do.
TEST(Appset, GeneratorThatFailsDeletesNothing) {
  Sets s;
  s.repositories.commit("http://git/apps", {{"apps/one/a", "x"}, {"apps/two/a", "x"}});
  s.set(
      "generators: [{git: {repoURL: http://git/apps, directories: [{path: 'apps/*'}]}}, {list: {elements: [{name: "
      "l}]}}]" TEMPLATE("{{path.basename}}{{name}}"));
  auto before = s.look_once();
  // Parameters of one generator are not the other's; what is left of a name is no name.
  EXPECT_NE(condition(before, "ErrorOccurred").find("want a name"), std::string::npos);
  s.set(
      "generators: [{git: {repoURL: http://git/apps, directories: [{path: 'apps/*'}]}}]" TEMPLATE("{{path.basename}}"));
  s.look_once();
  EXPECT_EQ(s.names(), "one two");
  s.repositories.gone = true;
  auto set = s.look_once();
  EXPECT_EQ(s.names(), "one two");
  EXPECT_EQ(condition(set, "ParametersGenerated").substr(0, 5), "False");
  EXPECT_EQ(set["status"]["resources"].items().size(), 2U);
  s.repositories.gone = false;
  s.set("generators: [{git: {repoURL: http://git/apps, directories: [{path: 'apps/*'}]}}, {scmProvider: {}}]" TEMPLATE(
      "{{path.basename}}"));
  s.look_once();
  EXPECT_EQ(s.names(), "one two");
}

struct PolicyCase {
  const char* name;
  const char* policy;
  const char* want;  // names after b went from the list and c came; project of a
};
class SetPolicies : public testing::TestWithParam<PolicyCase> {};
TEST_P(SetPolicies, Table) {
  Sets s;
  auto with = [&](std::string_view elements, std::string_view project) {
    s.set(
        fmt::format("syncPolicy: {{{}}}\ngenerators: [{{list: {{elements: [{}]}}}}]\ntemplate: {{metadata: {{name: "
                    "'{{{{n}}}}'}}, spec: {{project: {}, source: {{repoURL: http://git/c, path: x}}, destination: "
                    "{{namespace: d}}}}}}",
                    GetParam().policy, elements, project));
    s.look_once();
  };
  with("{n: a}, {n: b}", "p1");
  with("{n: a}, {n: c}", "p2");
  EXPECT_EQ(fmt::format("{} {}", s.names(), s.app("a")["spec"]["project"].text()), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Appset, SetPolicies,
                         testing::ValuesIn(std::to_array<PolicyCase>({
                             {"Sync", "applicationsSync: sync", "a c p2"},
                             {"CreateOnly", "applicationsSync: create-only", "a b c p1"},
                             {"CreateUpdate", "applicationsSync: create-update", "a b c p2"},
                             {"CreateDelete", "applicationsSync: create-delete", "a c p1"},
                         })),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Appset, DeletionByPolicy) {
  Sets s;
  s.set("syncPolicy: {applicationsSync: create-update, preserveResourcesOnDeletion: true}\n" + std::string(two));
  s.look_once();
  EXPECT_FALSE(s.app("a")["metadata"]["finalizers"].present()) << "its objects stay when it goes";
  must(s.person->remove(s.ctx(), set_type, s.key, {}));
  s.look_once();
  EXPECT_FALSE(must(s.person->get(s.ctx(), set_type, s.key)));
  EXPECT_EQ(s.names(), "a b");
  EXPECT_FALSE(s.app("a").controller());
}

// A typing error in a generator takes no fleet away.
TEST(Appset, DeletesWithinItsBudget) {
  Sets s;
  auto with = [&](std::string_view elements, std::string_view approved) {
    s.set(fmt::format("generators: [{{list: {{elements: [{}]}}}}]", elements) + TEMPLATE("{{n}}"),
          fmt::format(", annotations: {{slipway.dev/delete-budget: '1', slipway.dev/deletion-approved: '{}'}}",
                      approved));
    return s.look_once();
  };
  with("{n: a}, {n: b}, {n: c}", "");
  with("{n: a}, {n: b}", "");
  EXPECT_EQ(s.names(), "a b");
  auto set = with("{n: e}", rfc3339(s.clock.wall() - Millis(60000)));
  EXPECT_EQ(s.names(), "a b e");
  EXPECT_EQ(condition(set, "ErrorOccurred"),
            "True waiting for approval to delete 2 Applications, more than the delete budget of 1: annotate the "
            "ApplicationSet with slipway.dev/deletion-approved");
  set = with("{n: e}", rfc3339(s.clock.wall() + Millis(1000)));
  EXPECT_EQ(s.names(), "e");
  EXPECT_EQ(condition(set, "ErrorOccurred").substr(0, 5), "False");
  EXPECT_NE(condition(with("{n: f}, {n: e}", ""), "ErrorOccurred").substr(0, 4), "True");
}

TEST(Appset, DifferencesIgnoredByJq) {
  Sets s;
  s.set("ignoreApplicationDifferences: [{jqPathExpressions: ['.spec.source | .targetRevision, .kustomize?']}]\n" +
        std::string(two));
  s.look_once();
  s.merge("a", "{spec: {project: p, source: {targetRevision: fix, kustomize: {namePrefix: x-}}}}");
  s.look_once();
  auto app = s.app("a");
  EXPECT_EQ(app["spec"]["source"]["targetRevision"].text(), "fix");
  EXPECT_EQ(app["spec"]["source"]["kustomize"]["namePrefix"].text(), "x-") << "what only the Application has as well";
  EXPECT_EQ(app["spec"]["project"].text(), "default");
}

TEST(Appset, IgnoredDifferencesAndPreservedFields) {
  Sets s;
  s.set(
      "ignoreApplicationDifferences: [{jsonPointers: [/spec/source/targetRevision]}, {name: b, jsonPointers: "
      "[/spec/project]}]\n"
      "preservedFields: {annotations: [mine], labels: [kept]}\n" +
      std::string(two));
  s.look_once();
  for (auto name : {"a", "b"})
    s.merge(name,
            "{metadata: {annotations: {mine: x, other: y}, labels: {kept: z}}, spec: {project: p, source: "
            "{targetRevision: fix}}}");
  s.look_once();
  EXPECT_EQ(s.app("a")["spec"]["source"]["targetRevision"].text(), "fix");
  EXPECT_EQ(s.app("a")["spec"]["project"].text(), "default");
  EXPECT_EQ(s.app("b")["spec"]["project"].text(), "p");
  EXPECT_EQ(s.app("a").annotation("mine"), "x");
  EXPECT_EQ(s.app("a").annotation("other"), "");
  EXPECT_EQ(s.app("a").label("kept"), "z");
}

TEST(Appset, AnotherSetsApplicationIsNotTaken) {
  Sets s;
  s.set(two);
  s.look_once();
  s.apply(
      "{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: t, namespace: argocd}, spec: "
      "{generators: [{list: "
      "{elements: [{n: a}]}}], template: {metadata: {name: a}, spec: {project: q, source: {repoURL: http://git/c}, "
      "destination: {namespace: d}}}}}");
  s.key.name = "t";
  auto set = s.look_once();
  EXPECT_NE(condition(set, "ErrorOccurred").find("belongs to ApplicationSet s already"), std::string::npos);
  EXPECT_EQ(s.app("a")["spec"]["project"].text(), "default");
}

// dev first, then prod one at a time, each after it is healthy.
TEST(Appset, RollingSyncGoesStepByStep) {
  Sets s;
  s.set(
      "strategy: {type: RollingSync, rollingSync: {steps: [{matchExpressions: [{key: env, operator: In, values: "
      "[dev]}]}, "
      "{matchExpressions: [{key: env, operator: In, values: [prod]}], maxUpdate: 50%}]}}\n"
      "generators: [{list: {elements: [{name: a, env: dev}, {name: b, env: prod}, {name: c, env: prod}, {name: d, env: "
      "other}]}}]");
  auto operations = [&] {
    std::string all;
    for (auto name : {"a", "b", "c", "d"})
      if (s.app(name)["operation"].present()) all += name;
    return all;
  };
  auto statuses = [&](const kube::Object& set) {
    std::vector<std::string> all;
    for (const auto& e : set["status"]["applicationStatus"].items())
      all.push_back(e["application"].text() + "=" + e["status"].text() + e["step"].text());
    return join(all, " ");
  };
  auto synced = [&](std::string_view name) {
    s.merge(std::string(name),
            "{operation: null, status: {sync: {status: Synced, revision: r1}, health: {status: Healthy}, "
            "operationState: {phase: Succeeded, startedAt: '2099-01-01T00:00:00Z'}}}");
  };
  s.look_once();
  for (auto name : {"a", "b", "c", "d"})
    s.merge(name, "{status: {sync: {status: OutOfSync, revision: r1}, health: {status: Healthy}}}");
  auto set = s.look_once();
  EXPECT_FALSE(s.app("a")["spec"]["syncPolicy"]["automated"]["enabled"].bool_or(true));
  EXPECT_EQ(operations(), "a");
  EXPECT_EQ(s.app("a")["operation"]["initiatedBy"]["username"].text(), "applicationset-controller");
  EXPECT_TRUE(s.app("a")["operation"]["sync"]["prune"].bool_or(false));
  EXPECT_EQ(condition(set, "RolloutProgressing").substr(0, 4), "True");
  set = s.look_once();
  EXPECT_EQ(operations(), "a") << "prod waits for dev";
  synced("a");
  s.look_once();
  set = s.look_once();
  EXPECT_EQ(operations(), "b") << statuses(set);
  synced("b");
  s.look_once();
  set = s.look_once();
  EXPECT_EQ(operations(), "c") << statuses(set);
  synced("c");
  s.look_once();
  set = s.look_once();
  EXPECT_EQ(statuses(set), "a=Healthy1 b=Healthy2 c=Healthy2 d=Waiting-1");
  EXPECT_EQ(condition(set, "RolloutProgressing").substr(0, 5), "False");
  EXPECT_EQ(operations(), "");
  // A new revision starts again with dev.
  for (auto name : {"a", "b", "c"}) s.merge(name, "{status: {sync: {status: OutOfSync, revision: r2}}}");
  set = s.look_once();
  EXPECT_EQ(operations(), "a") << statuses(set);
}

// As GitHub's API answers.
TEST(Appset, PullRequestsOfAForge) {
  Sets s;
  auto server = must(net::Server::start({}, [](const Ctx&, net::Request& request) {
    if (request.headers.get_or("authorization", "") != "Bearer t0ken") return net::Response::json(401, "{}");
    EXPECT_EQ(request.raw_path.substr(0, request.raw_path.find('?')), "/api/v3/repos/o/r/pulls");
    return net::Response::json(200, R"([{"number":3,"title":"t","user":{"login":"ada"},"labels":[{"name":"preview"}],
      "head":{"ref":"feature/Big_One","sha":"0123456789abcdef0123456789abcdef01234567"},"base":{"ref":"main"}},
      {"number":4,"labels":[],"head":{"ref":"x","sha":"f"},"base":{"ref":"main"}}])");
  }));
  s.apply("{apiVersion: v1, kind: Secret, metadata: {name: tok, namespace: argocd}, stringData: {t: t0ken}}");
  s.set(
      fmt::format("goTemplate: true\ngenerators: [{{pullRequest: {{github: {{api: 'http://{}', owner: o, repo: r, "
                  "labels: [preview], tokenRef: "
                  "{{secretName: tok, key: t}}}}}}}}]"
                  "\ntemplate: {{metadata: {{name: '{{{{.branch_slug | replace \"_\" "
                  "\"-\"}}}}-{{{{.number}}}}-{{{{index .labels 0}}}}-{{{{.head_short_sha_7}}}}'}}, spec: "
                  "{{project: default, source: {{repoURL: http://git/c, path: x}}, destination: {{namespace: d}}}}}}",
                  server->address()));
  auto set = s.look_once();
  EXPECT_EQ(s.names(), "feature-big-one-3-preview-0123456") << condition(set, "ErrorOccurred");
}

TEST(Appset, ControllerFollowsCommitsAndSecrets) {
  Sets s;
  Ctx ctx = Ctx().within(Millis(30000));
  s.repositories.commit("http://git/apps", {{"apps/one/a", "x"}});
  Controller controller(s.api.client("slipway-appset"), s.repositories);
  std::jthread thread([&](std::stop_token stop) { (void)controller.run(Ctx().with_stop(std::move(stop))); });
  s.set(
      "goTemplate: true\ngenerators: [{git: {repoURL: http://git/apps, directories: [{path: 'apps/*'}]}}, {clusters: "
      "{}}]" TEMPLATE("{{if .path}}{{.path.basename}}{{else}}on-{{.nameNormalized}}{{end}}"));
  auto there = [&](const std::string& name) {
    must(kube::await(ctx, *s.person, application_type, {"argocd", name},
                     [](const kube::Object& o) { return static_cast<bool>(o); }));
  };
  there("one"), there("on-in-cluster");
  s.repositories.commit("http://git/apps", {{"apps/two/a", "x"}});
  controller.repository_changed("http://git/apps.git");
  there("two");
  s.apply(
      "{apiVersion: v1, kind: Secret, metadata: {name: c1, namespace: argocd, labels: {argocd.argoproj.io/secret-type: "
      "cluster}}, "
      "stringData: {name: east, server: 'https://east'}}");
  there("on-east");
  // What somebody deletes comes back.
  must(s.person->patch(ctx, application_type, {"argocd", "two"}, kube::PatchType::merge,
                       must(doc::parse_yaml("{metadata: {finalizers: null}}")), {}));
  must(s.person->remove(ctx, application_type, {"argocd", "two"}, {}));
  there("two");
}

}  // namespace
}  // namespace slipway::gitops::appset
