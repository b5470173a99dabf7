// Rendering from bare repositories, and what a commit costs that changes nothing of it.
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

Application app_of(std::string_view source) {
  auto text = fmt::format(
      "{{metadata: {{name: shop, namespace: argocd}}, spec: {{source: {{repoURL: http://git/config, {}}}}}}}", source);
  return must(application_from(kube::Object(must(doc::parse_yaml(text)))));
}
std::string names(const Rendered& rendered) {
  std::string text;
  for (const auto& object : must(rendered.objects->list())) text += object.str_at({"metadata", "name"}) + " ";
  return text;
}
const std::map<std::string, std::optional<std::string>> monorepo{
    {"base/kustomization.yaml", "resources: [web.yaml]\n"},
    {"base/web.yaml", config_map("web")},
    {"overlays/dev/kustomization.yaml", "resources: [../../base]\nnamePrefix: dev-\n"},
    {"overlays/prod/kustomization.yaml", "resources: [../../base]\nnamePrefix: prod-\n"},
    {"plain/a.yaml", config_map("a")},
    {"plain/sub/b.yaml", config_map("b")},
    {"docs/readme.md", "hello"}};

struct Moves {
  const char* name;
  const char* source;
  const char* file;  // changed by the second commit; "-file" deletes
  bool renders;
};
class Reads : public testing::TestWithParam<Moves> {};
TEST_P(Reads, OnlyWhatWasReadIsRenderedAgain) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", monorepo);
  auto app = app_of(GetParam().source);
  auto first = must(renderer.render(Ctx(), app));
  EXPECT_EQ(must(renderer.render(Ctx(), app)), first) << "the same commit";
  std::string file = GetParam().file;
  auto second = file.starts_with('-') ? repositories.commit("http://git/config", {{file.substr(1), std::nullopt}})
                                      : repositories.commit("http://git/config", {{file, config_map("changed")}});
  auto next = renderer.render(Ctx(), app);
  if (!next) {  // what was read is gone
    EXPECT_TRUE(GetParam().renders) << next.error().what();
    return;
  }
  EXPECT_EQ((*next)->revisions, Revisions{second});
  EXPECT_EQ((*next)->objects != first->objects, GetParam().renders);
  EXPECT_EQ((*next)->types, first->types);
}
INSTANTIATE_TEST_SUITE_P(Source, Reads,
                         testing::ValuesIn(std::to_array<Moves>({
                             {"OverlayElsewhere", "path: overlays/dev", "docs/readme.md", false},
                             {"OtherOverlay", "path: overlays/dev", "overlays/prod/new.yaml", false},
                             {"ItsBase", "path: overlays/dev", "base/web.yaml", true},
                             {"ItsOverlay", "path: overlays/dev", "overlays/dev/kustomization.yaml", true},
                             {"BaseGone", "path: overlays/dev", "-base/web.yaml", true},
                             {"PlainElsewhere", "path: plain", "base/web.yaml", false},
                             {"PlainNewFile", "path: plain", "plain/c.yaml", true},
                             {"PlainFileGone", "path: plain", "-plain/a.yaml", true},
                             {"PlainBelow", "path: plain, directory: {recurse: true}", "plain/sub/c.yaml", true},
                             {"PlainBecomesAKustomization", "path: plain", "plain/kustomization.yaml", true},
                         })),
                         [](const auto& i) { return i.param.name; });

// Who is to look again when the branch moves.
std::string moved(Renderer& renderer) {
  std::vector<std::string> names;
  for (const auto& key : renderer.moved(Ctx(), "http://git/config")) names.push_back(key.name);
  return join(names, " ");
}

TEST(Source, AMoveConcernsWhoReadWhatItChanged) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", monorepo);
  std::map<std::string, Application> apps{
      {"dev", app_of("path: overlays/dev")}, {"plain", app_of("path: plain")}, {"prod", app_of("path: overlays/prod")}};
  auto render = [&](const std::string& name) { (void)renderer.render(Ctx(), apps.at(name)); };
  for (auto& [name, app] : apps) {
    app.key.name = name;
    render(name);
  }
  struct {
    const char *file, *content, *concerned;
  } steps[] = {{"docs/readme.md", "other", ""},
               {"overlays/dev/kustomization.yaml", "resources: [../../base]\nnamePrefix: d-\n", "dev"},
               {"base/web.yaml", nullptr, "dev prod"},
               {"docs/readme.md", "once more", "dev prod"},  // neither can be rendered: every commit may mend it
               {"base/web.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: s}}", "dev prod"},
               {"plain/sub/c.yaml", "x: 1", "plain"}};
  for (const auto& step : steps) {
    auto content = step.content == nullptr ? std::nullopt : std::optional<std::string>(step.content);
    repositories.commit("http://git/config", {{step.file, content}});
    auto concerned = moved(renderer);
    EXPECT_EQ(concerned, step.concerned) << step.file;
    EXPECT_EQ(moved(renderer), concerned) << "until they have looked";
    for (auto name : split(concerned, ' '))
      if (!name.empty()) render(std::string(name));
  }
  renderer.forget({"argocd", "dev"});
  repositories.commit("http://git/config", {{"base/web.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: t}}"}});
  EXPECT_EQ(moved(renderer), "prod");
}

TEST(Source, AMoveSeenByOneRenderIsToldToTheOthers) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", monorepo);
  auto dev = app_of("path: overlays/dev"), prod = app_of("path: overlays/prod");
  dev.key.name = "dev", prod.key.name = "prod";
  must(renderer.render(Ctx(), dev));
  must(renderer.render(Ctx(), prod));
  repositories.commit("http://git/config", {{"base/web.yaml", config_map("changed")}});
  EXPECT_EQ(names(*must(renderer.render(Ctx(), dev))), "dev-changed ");
  EXPECT_EQ(moved(renderer), "prod");
}

TEST(Source, WhoCannotReadTheRepositoryIsConcernedByEveryMove) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", monorepo);
  must(renderer.render(Ctx(), app_of("path: plain")));
  repositories.gone = true;
  EXPECT_EQ(moved(renderer), "shop");
  repositories.gone = false;
  EXPECT_EQ(moved(renderer), "");
}

// A commit on main that makes this file a link, in place of what stands there.
void put_link(TestRepositories& repositories, const std::string& path, const std::string& to) {
  auto repository = must(repositories.open(Ctx(), "http://git/config"));
  auto tip = *must(repository.resolve("main"));
  auto tree = must(repository.write_tree(must(repository.tree_of(tip)), {{path, to, 0120000}}));
  auto commit =
      must(repository.write_commit(tree, {tip}, {"a", "a@b", WallTime(std::chrono::seconds(1'790'000'000))}, "link"));
  must(repository.update_ref("refs/heads/main", commit, std::nullopt, "test"));
}

TEST(Source, LinksAreNeverTakenForUnchanged) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", {{"real/a.yaml", config_map("a")}, {"other", "x"}});
  put_link(repositories, "app/a.yaml", "../real/a.yaml");
  auto app = app_of("path: app");
  EXPECT_EQ(names(*must(renderer.render(Ctx(), app))), "a ");
  repositories.commit("http://git/config", {{"real/a.yaml", config_map("moved")}});
  EXPECT_EQ(names(*must(renderer.render(Ctx(), app))), "moved ");
}

TEST(Source, OptionsOfTheApplicationCount) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", monorepo);
  struct {
    std::string_view source, names;
  } cases[] = {{"path: plain", "a "},
               {"path: plain, directory: {recurse: true}", "a b "},
               {"path: plain, directory: {recurse: true, exclude: 'a.yaml'}", "b "},
               {"path: plain, directory: {recurse: true, include: 'sub/*'}", "b "},
               {"path: overlays/dev", "dev-web "},
               {"path: overlays/dev, kustomize: {namePrefix: x-, nameSuffix: -y}", "x-web-y "},
               {"path: overlays/prod", "prod-web "}};
  for (const auto& c : cases) EXPECT_EQ(names(*must(renderer.render(Ctx(), app_of(c.source)))), c.names) << c.source;
}

// A ConfigMap in Jsonnet with the name that the expression gives.
std::string jsonnet_map(std::string_view name) {
  return fmt::format("{{apiVersion: 'v1', kind: 'ConfigMap', metadata: {{name: {}}}}}", name);
}

struct PlainCase {
  const char* name;
  const char* source;
  std::map<std::string, std::optional<std::string>> files;
  const char* want;  // names, or "error: part of it"
};
class Plain : public testing::TestWithParam<PlainCase> {};
TEST_P(Plain, FoldersAreReadAsArgoCdReadsThem) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  auto files = GetParam().files;
  files[files.contains("app/x.jsonnet") || files.contains("app/sub/x.jsonnet") ? "z/a.yaml" : "a.yaml"] =
      config_map("a");
  repositories.commit("http://git/config", files);
  auto rendered = renderer.render(Ctx(), app_of(GetParam().source));
  std::string want = GetParam().want;
  if (want.starts_with("error: "))
    EXPECT_TRUE(!rendered && rendered.error().what().contains(want.substr(7)))
        << (rendered ? names(**rendered) : rendered.error().what());
  else
    EXPECT_EQ(rendered ? names(**rendered) : rendered.error().what(), want);
}
INSTANTIATE_TEST_SUITE_P(
    Source, Plain,
    testing::ValuesIn(std::vector<PlainCase>{
        {"ValuesBesideManifests", "path: .", {{"values.yaml", "foo: bar\n"}, {"list.yaml", "- 1\n"}}, "a "},
        {"Broken", "path: .", {{"notes.yaml", "a: [\n"}}, "error: notes.yaml"},
        {"BrokenManifest", "path: .", {{"bad.yaml", "apiVersion: v1\nkind: X\nmetadata: [\n"}}, "error: bad.yaml"},
        {"BrokenAfterAManifest", "path: .", {{"bad.yaml", config_map("b") + "---\nfoo: bar\n"}}, "error: bad.yaml"},
        {"Skipped", "path: .", {{"s.yaml", "# +argocd:skip-file-rendering\n" + config_map("s")}}, "a "},
        {"JsonIsStrict",
         "path: .",
         {{"b.json", R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"},})"}},
         "error: b.json:1:"},
        {"JsonThatIsNoManifest", "path: .", {{"tsconfig.json", "{\"a\": 1, // as tools have it\n}"}}, "a "},
        {"StarTakesSlashes",
         "path: ., directory: {recurse: true, include: '*.yaml'}",
         {{"sub/b.yaml", config_map("b")}, {"sub/c.yml", config_map("c")}},
         "a b "},
        {"DirectoryBesideAKustomization",
         "path: ., directory: {exclude: 'kustomization.yaml'}",
         {{"kustomization.yaml", "resources: []\n"}},
         "a "},
        {"Chart", "path: .", {{"Chart.yaml", "name: c\nversion: 1.0.0\n"}}, "error: is a Helm chart"},
        {"Jsonnet", "path: .", {{"x.jsonnet", jsonnet_map("'x' + 1")}, {"y.libsonnet", "no program"}}, "a x1 "},
        {"JsonnetList",
         "path: .",
         {{"x.jsonnet", "[" + jsonnet_map("'x'") + ", null, " + jsonnet_map("'y'") + "]"}},
         "a x y "},
        {"JsonnetNull", "path: .", {{"x.jsonnet", "if false then {}"}}, "a "},
        {"JsonnetListOfKind",
         "path: .",
         {{"x.jsonnet", "{apiVersion: 'v1', kind: 'List', items: [" + jsonnet_map("'x'") + "]}"}},
         "a x "},
        {"JsonnetBelow",
         "path: ., directory: {recurse: true, include: 'sub/*'}",
         {{"sub/x.jsonnet", jsonnet_map("'x'")}, {"other/y.jsonnet", "}"}},
         "x "},
        {"JsonnetBelowNotAsked", "path: .", {{"sub/x.jsonnet", "}"}}, "a "},
        {"JsonnetLeftOut", "path: ., directory: {exclude: '*.jsonnet'}", {{"x.jsonnet", "}"}}, "a "},
        {"JsonnetSkipped", "path: .", {{"x.jsonnet", "// +argocd:skip-file-rendering\n}"}}, "a "},
        {"JsonnetNoObject",
         "path: .",
         {{"x.jsonnet", "{a: 1}"}},
         "error: x.jsonnet: gives a map that is none, want an object with apiVersion and kind, or a list of them"},
        {"JsonnetEmptyObject", "path: .", {{"x.jsonnet", "{}"}}, "error: x.jsonnet: gives a map that is none"},
        {"JsonnetNoObjectInAList",
         "path: .",
         {{"x.jsonnet", "[null, 'x']"}},
         "error: x.jsonnet: [1]: gives a plain value, want an object with apiVersion and kind"},
        {"JsonnetNoObjectInItems",
         "path: .",
         {{"x.jsonnet", "[{apiVersion: 'v1', kind: 'List', items: [{a: 1}]}]"}},
         "error: x.jsonnet: [0]: want an object with apiVersion and kind"},
        {"JsonnetListInAList", "path: .", {{"x.jsonnet", "[[]]"}}, "error: x.jsonnet: [0]: gives a list in a list"},
        {"JsonnetSyntax", "path: app", {{"app/x.jsonnet", "{\n  a: }"}}, "error: app/x.jsonnet:2:6: unexpected: \"}\""},
        {"JsonnetFails",
         "path: app",
         {{"app/x.jsonnet", "local k = import 'k/k.libsonnet';\nk.f(1)"},
          {"app/k/k.libsonnet", "{ f(x):: assert x > 1 : 'too few'; x }"}},
         "error: app/x.jsonnet:2:1: app/k/k.libsonnet:1:10: too few"},
        {"JsonnetEndless",
         "path: .",
         {{"x.jsonnet", std::string(100000, '[')}},
         "error: x.jsonnet: ends its interpreter"},
        {"JsonnetVariables",
         "path: ., directory: {jsonnet: {extVars: [{name: a, value: one}, {name: b, value: '1 + 1', code: true}], "
         "tlas: [{name: c, value: '[$ARGOCD_APP_NAME]'}, {name: d, value: \"'${ARGOCD_APP_NAMESPACE}$$'\", code: "
         "true}]}}",
         {{"x.jsonnet", "function(c, d, e='e') " + jsonnet_map("std.join('-', [std.extVar('a'), '%d' % "
                                                               "std.extVar('b'), c, d, e])")}},
         "a one-2-[shop]-$-e "},
        {"JsonnetVariableMissing",
         "path: .",
         {{"x.jsonnet", jsonnet_map("std.extVar('a')")}},
         "error: x.jsonnet:1:56: undefined external variable: a"},
        {"JsonnetYoungerThanOurs",
         "path: .",
         {{"x.jsonnet", jsonnet_map("std.trim(' x ')")}},
         "error: x.jsonnet:1:56: field does not exist: trim (std.trim is younger than the libjsonnet 0.18"},
        {"JsonnetArgumentUnknown",
         "path: ., directory: {jsonnet: {tlas: [{name: a}]}}",
         {{"x.jsonnet", "function() []"}},
         "error: x.jsonnet: function has no parameter a"},
        {"JsonnetImports",
         "path: app",
         {{"app/x.jsonnet", jsonnet_map("(import '../lib/n.libsonnet') + (import 'n.json').n + importstr 'n.txt'")},
          {"app/n.json", "{\"n\": \"b\"}"},
          {"app/n.txt", "c"},
          {"lib/n.libsonnet", "import 'deep/n.libsonnet'"},
          {"lib/deep/n.libsonnet", "'a' + import 'beside.libsonnet'"},
          {"lib/deep/beside.libsonnet", "'d'"}},
         "adbc "},
        {"JsonnetLibraries",
         "path: app, directory: {jsonnet: {libs: [vendor, lib]}}",
         {{"app/x.jsonnet", jsonnet_map("std.join('-', [import 'a', import 'b', import 'c', import 'deep/d'])")},
          {"app/a", "'beside'"},
          {"lib/a", "'lib'"},
          {"lib/b", "'lib'"},
          {"vendor/b", "'vendor'"},
          {"vendor/c", "import 'b'"},
          {"vendor/deep/d", "import 'a'"}},
         "beside-lib-vendor-lib "},
        {"JsonnetLibraryIsTheRoot",
         "path: app, directory: {jsonnet: {libs: [/]}}",
         {{"app/x.jsonnet", jsonnet_map("import 'v/n'")}, {"v/n", "'n'"}},
         "n "},
        {"JsonnetFolderIsSearchedLast",
         "path: app, directory: {recurse: true, jsonnet: {tlas: [{name: a, value: import 'n', code: true}]}}",
         {{"app/sub/x.jsonnet", "function(a) " + jsonnet_map("a + import 'n'")}, {"app/n", "'n'"}},
         "nn "},
        {"JsonnetImportMissing",
         "path: app, directory: {jsonnet: {libs: [vendor]}}",
         {{"app/x.jsonnet", "import 'k.libsonnet'"}},
         "error: app/x.jsonnet:1:1: couldn't open import \"k.libsonnet\": there is no such file in app, vendor"},
        {"JsonnetImportOfAFolder",
         "path: app",
         {{"app/x.jsonnet", "import 'k'"}, {"app/k/n", "1"}},
         "error: there is no such file in app"},
        {"JsonnetImportOutside",
         "path: app",
         {{"app/x.jsonnet", "importstr '../../../../etc/passwd'"}},
         "error: app/x.jsonnet:1:1: couldn't open import \"../../../../etc/passwd\": leaves the repository"},
        {"JsonnetImportAbsolute",
         "path: .",
         {{"x.jsonnet", "importstr '/etc/passwd'"}},
         "error: \"/etc/passwd\": is an absolute path, want one from the importing file or from a library"},
        {"RefWithAPath", "path: ., ref: values", {}, "a "},
    }),
    [](const auto& i) { return i.param.name; });

TEST(Source, JsonnetHasReadWhatItImportedAndWhatItLookedFor) {
  struct {
    const char *file, *content;
    bool renders;
  } steps[] = {
      {"docs/readme.md", "other", false},
      {"vendor/unused.libsonnet", "1", false},
      {"vendor/k.libsonnet", "'changed'", true},
      {"lib/k.libsonnet", "'of the library that is asked first'", true},
      {"vendor/k.libsonnet", "'hidden now'", false},
      {"app/k.libsonnet", "'beside'", true},
      {"app/k.libsonnet", nullptr, true},
      {"lib/k.libsonnet", nullptr, true},
      {"app/.argocd-source.yaml", "directory: {jsonnet: {libs: [vendor, lib], extVars: [{name: v, value: w}]}}", true}};
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", {{"app/x.jsonnet", jsonnet_map("(import 'k.libsonnet') + std.extVar('v')")},
                                            {"vendor/k.libsonnet", "'first'"}});
  auto app = app_of("path: app, directory: {jsonnet: {libs: [vendor, lib], extVars: [{name: v, value: '!'}]}}");
  auto objects = must(renderer.render(Ctx(), app))->objects;
  for (const auto& step : steps) {
    auto content = step.content == nullptr ? std::nullopt : std::optional<std::string>(step.content);
    repositories.commit("http://git/config", {{step.file, content}});
    EXPECT_EQ(!renderer.moved(Ctx(), "http://git/config").empty(), step.renders) << step.file;
    auto next = must(renderer.render(Ctx(), app));
    EXPECT_EQ(next->objects != objects, step.renders) << step.file;
    objects = next->objects;
  }
  EXPECT_EQ(names(*must(renderer.render(Ctx(), app))), "hidden noww ");
}

TEST(Source, JsonnetFollowsLinksWithinTheRepository) {
  struct {
    std::string file, link, to, want;
  } cases[] = {
      {"x.jsonnet", "vendor", "lib/deep", "name "},
      {"x.jsonnet", "vendor/k.libsonnet", "../lib/deep/k.libsonnet", "name "},
      // Beside the link, as Argo CD has it, not beside what it leads to.
      {"n.libsonnet", "app/x.jsonnet", "../lib/x.jsonnet", "name "},
      {"x.jsonnet", "vendor", "../lib", "app/x.jsonnet:1:56: couldn't open import \"k.libsonnet\": vendor"},
      {"x.jsonnet", "vendor/k.libsonnet", "/etc/passwd",
       "vendor/k.libsonnet: the link 'vendor/k.libsonnet' leaves the repository"},
      {"n.libsonnet", "app/x.jsonnet", "../../x.jsonnet",
       "app/x.jsonnet: the link 'app/x.jsonnet' leaves the repository"},
  };
  for (const auto& c : cases) {
    TestRepositories repositories;
    Renderer renderer(repositories);
    repositories.commit("http://git/config",
                        {{"app/" + c.file, c.file == "x.jsonnet" ? jsonnet_map("import 'k.libsonnet'") : "'name'"},
                         {"lib/x.jsonnet", jsonnet_map("import 'n.libsonnet'")},
                         {"lib/deep/k.libsonnet", "import 'n.libsonnet'"},
                         {"lib/deep/n.libsonnet", "'name'"},
                         {"vendor/n.libsonnet", "'name'"}});
    put_link(repositories, c.link, c.to);
    auto rendered = renderer.render(Ctx(), app_of("path: app, directory: {jsonnet: {libs: [vendor]}}"));
    auto said = rendered ? names(**rendered) : rendered.error().what();
    EXPECT_TRUE(said.contains(c.want)) << c.link << " to " << c.to << ": " << said;
  }
}

TEST(Source, JsonnetThatNamesTheRevisionIsRenderedAtEach) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  auto first = repositories.commit("http://git/config", {{"x.jsonnet", "function(r) " + jsonnet_map("r")}});
  auto app = app_of("path: ., directory: {jsonnet: {tlas: [{name: r, value: $ARGOCD_APP_REVISION_SHORT}]}}");
  EXPECT_EQ(names(*must(renderer.render(Ctx(), app))), first.substr(0, 7) + " ");
  auto second = repositories.commit("http://git/config", {{"sub/readme.md", "x"}});
  EXPECT_EQ(names(*must(renderer.render(Ctx(), app))), second.substr(0, 7) + " ");
}

TEST(Source, WhatTheBuildEnvironmentSaysIsRenderedAnew) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", {{"x.jsonnet", "function(n) " + jsonnet_map("n")}});
  auto app = app_of("path: ., directory: {jsonnet: {tlas: [{name: n, value: $ARGOCD_APP_NAMESPACE}]}}");
  app.ns = "one";
  EXPECT_EQ(names(*must(renderer.render(Ctx(), app))), "one ");
  app.ns = "two";
  EXPECT_EQ(names(*must(renderer.render(Ctx(), app))), "two ");
}

TEST(Source, OverridesOfTheRepositoryCount) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit(
      "http://git/config",
      {{"app/kustomization.yaml", "resources: [d.yaml]\n"},
       {"app/d.yaml",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {containers: "
        "[{name: c, image: 'web:1'}]}}}}"},
       {"app/.argocd-source.yaml", "kustomize: {images: ['web:2'], namePrefix: all-}\nrepoURL: elsewhere\n"}});
  auto app = app_of("path: app");
  auto image = [&] {
    auto rendered = must(renderer.render(Ctx(), app));
    auto object = must(rendered->objects->list()).at(0);
    return object.str_at({"metadata", "name"}) + " " +
           doc::View(object)["spec"]["template"]["spec"]["containers"][std::size_t{0}]["image"].text();
  };
  EXPECT_EQ(image(), "all-d web:2");
  repositories.commit("http://git/config", {{"app/.argocd-source-shop.yaml", "kustomize: {images: ['web:3']}\n"}});
  EXPECT_EQ(image(), "all-d web:3") << "the Application's own wins, a commit of it alone is seen";
  repositories.commit("http://git/config", {{"app/.argocd-source-shop.yaml", "- 1\n"}});
  EXPECT_TRUE(renderer.render(Ctx(), app).error().what().contains("want a map of fields of a source"));
}

TEST(Source, RangesOfVersionsNameTheNewestTag) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  auto one = repositories.commit("http://git/config", {{"a.yaml", config_map("a", "1")}});
  auto two = repositories.commit("http://git/config", {{"a.yaml", config_map("a", "2")}});
  auto three = repositories.commit("http://git/config", {{"a.yaml", config_map("a", "3")}});
  auto repository = must(repositories.open(Ctx(), "http://git/config"));
  for (auto& [tag, commit] :
       {std::pair("v0.0.1", one), std::pair("v0.0.10", two), std::pair("v1.0.0-rc.1", three), std::pair("junk", three)})
    must(repository.update_ref(fmt::format("refs/tags/{}", tag), commit, git::Oid(git::zero_oid), "tag"));
  for (auto& [revision, want] : {std::pair("v0.0.*", two), std::pair("^0.0.1", one), std::pair("0.x", two),
                                 std::pair("*", two), std::pair(">=0.0.1 <0.0.5", one), std::pair("v0.0.1", one),
                                 std::pair(">=1.0.0-0", three), std::pair("main", three), std::pair("junk", three)}) {
    auto rendered = renderer.render(Ctx(), app_of(fmt::format("path: ., targetRevision: '{}'", revision)));
    EXPECT_EQ(rendered ? (*rendered)->revisions.at(0) : rendered.error().what(), want) << revision;
  }
  EXPECT_TRUE(
      renderer.render(Ctx(), app_of("path: ., targetRevision: '^7'")).error().what().contains("no revision ^7"));
  // A newer tag in the range moves it.
  auto app = app_of("path: ., targetRevision: '0.*'");
  (void)renderer.render(Ctx(), app);
  must(repository.update_ref("refs/tags/v0.1.0", three, git::Oid(git::zero_oid), "tag"));
  EXPECT_EQ(renderer.moved(Ctx(), "http://git/config"), std::vector{app.key});
}

TEST(Source, ForgettingRendersAnew) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", monorepo);
  auto app = app_of("path: plain");
  auto first = must(renderer.render(Ctx(), app));
  renderer.forget(app.key);
  EXPECT_NE(must(renderer.render(Ctx(), app))->objects, first->objects);
}

struct Override {
  const char* name;
  const char* block;
  const char* where;  // a path into the Deployment, dots
  const char* want;
};
class Kustomize : public testing::TestWithParam<Override> {};
TEST_P(Kustomize, BlockOfTheApplication) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config",
                      {{"kustomization.yaml", "resources: [d.yaml]\nimages: [{name: web, newTag: '1'}]\n"},
                       {"d.yaml",
                        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 1, selector: "
                        "{matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, "
                        "image: 'web:0'}, {name: p, image: 'reg:5000/proxy@sha256:" +
                            std::string(64, 'a') + "'}]}}}}"}});
  auto rendered = must(renderer.render(Ctx(), app_of(fmt::format("path: ., kustomize: {}", GetParam().block))));
  EXPECT_EQ(rendered->types, std::vector<std::string>{"Kustomize"});
  auto objects = must(rendered->objects->list());
  doc::View view(objects.front());
  for (auto step : split(GetParam().where, '.')) {
    auto index = to_int(step);
    view = index ? view[static_cast<std::size_t>(*index)] : view[step];
  }
  EXPECT_EQ(view.text(), GetParam().want) << doc::print_yaml(objects.front());
}
#define CONTAINER(n) "spec.template.spec.containers." #n ".image"
INSTANTIATE_TEST_SUITE_P(
    Source, Kustomize,
    testing::ValuesIn(std::to_array<Override>({
        {"NoImages", "{}", CONTAINER(0), "web:1"},
        {"Tag", "{images: ['web:2']}", CONTAINER(0), "web:2"},
        {"NewName", "{images: ['web=reg:5000/shop/web:2']}", CONTAINER(0), "reg:5000/shop/web:2"},
        {"Digest", "{images: ['web@sha256:bb']}", CONTAINER(0), "web@sha256:bb"},
        {"TagAndDigest", "{images: ['web=x/web:3@sha256:bb']}", CONTAINER(0), "x/web:3@sha256:bb"},
        {"RegistryPort", "{images: ['reg:5000/proxy:9']}", CONTAINER(1), "reg:5000/proxy:9"},
        {"NameOnly", "{images: ['web=other']}", CONTAINER(0), "other:0"},
        {"KeepsTheTag", "{images: ['web=other:*']}", CONTAINER(0), "other:1"},
        {"Environment", "{images: ['web=$ARGOCD_APP_NAME/${ARGOCD_APP_PROJECT_NAME}:$$2']}", CONTAINER(0),
         "shop/default:$2"},
        {"EnvironmentOfLabels", "{commonLabels: {team: $ARGOCD_APP_NAME}}", "spec.selector.matchLabels.team", "shop"},
        {"AnnotationsAsTheyAre", "{commonAnnotations: {n: $ARGOCD_APP_NAME}}", "metadata.annotations.n",
         "$ARGOCD_APP_NAME"},
        {"AnnotationsWhenAsked", "{commonAnnotations: {n: $ARGOCD_APP_NAME}, commonAnnotationsEnvsubst: true}",
         "metadata.annotations.n", "shop"},
        {"ReplicasAsText", "{replicas: [{name: d, count: '0'}]}", "spec.replicas", "0"},
        {"MissingComponents", "{components: [nowhere], ignoreMissingComponents: true}", "metadata.name", "d"},
        {"Replicas", "{replicas: [{name: d, count: 4}]}", "spec.replicas", "4"},
        {"Labels", "{commonLabels: {team: x}}", "spec.selector.matchLabels.team", "x"},
        {"LabelsWithoutSelector", "{commonLabels: {team: x}, labelWithoutSelector: true}",
         "spec.selector.matchLabels.team", ""},
        {"LabelsWithoutSelectorOnTop", "{commonLabels: {team: x}, labelWithoutSelector: true}", "metadata.labels.team",
         "x"},
        {"LabelsInTemplates", "{commonLabels: {team: x}, labelWithoutSelector: true, labelIncludeTemplates: true}",
         "spec.template.metadata.labels.team", "x"},
        {"Annotations", "{commonAnnotations: {n: v}}", "metadata.annotations.n", "v"},
        {"Namespace", "{namespace: other}", "metadata.namespace", "other"},
        {"Patch",
         "{patches: [{target: {kind: Deployment}, patch: '[{\"op\": \"replace\", \"path\": "
         "\"/spec/replicas\", \"value\": 9}]'}]}",
         "spec.replicas", "9"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Source, AKustomizeBlockNeedsAKustomization) {
  TestRepositories repositories;
  Renderer renderer(repositories);
  repositories.commit("http://git/config", monorepo);
  auto rendered = renderer.render(Ctx(), app_of("path: plain, kustomize: {namePrefix: x-}"));
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().what(),
            "http://git/config: plain: has no kustomization for the Application's kustomize block");
}

}  // namespace
}  // namespace slipway::gitops
