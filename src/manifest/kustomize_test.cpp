#include "manifest/kustomize.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "manifest/testing/tree.h"

namespace slipway::manifest {
namespace {

// The corpus: what kustomize 5.5 printed, or that it refused. The number of cases that agree may only grow.
TEST(Kustomize, SLOW_AgreesWithTheCorpus) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  std::map<std::string, std::pair<int, int>> by_status;
  int agreed = 0;
  std::string failed;
  for (const auto& name : must(list_dir(*root / "kustomize/cases"))) {
    auto folder = *root / "kustomize/cases" / name;
    auto meta = must(doc::parse_json(must(read_file(folder / "meta.json"))));
    auto status = meta.str_at({"status"});
    KustomizeOptions options;
    if (must(read_file(folder / "meta.json")).find("LoadRestrictionsNone") != std::string::npos) {
      options.load_restrictor = KustomizeOptions::LoadRestrictor::none;
    }
    auto got = built(folder / "input", meta.str_at({"target"}), options);
    auto want = read_file(folder / "expected.yaml");
    // What 5.5 refuses and later ones do is in a table of its own.
    if (status == "newer-than-5.5" && !want) continue;
    bool same = want ? got == *want : got.starts_with("error: ");
    if (!same && want && status != "agree" && !got.starts_with("error: ")) {
      // The expectation was written by hand there: compared as data.
      auto a = doc::parse_yaml_all(got), b = doc::parse_yaml_all(*want);
      same = a && b && *a == *b;
    }
    auto& [passed, all] = by_status[status];
    ++all;
    if (same) {
      ++passed, ++agreed;
    } else {
      failed += fmt::format("{} {}{}\n", status, name, got.starts_with("error: ") ? "\n    " + got : "");
    }
    if (const char* keep = std::getenv("SLIPWAY_KEEP"); keep != nullptr && !same) {
      (void)make_dirs(keep);
      (void)write_file(fs::path(keep) / (name + ".got"), got);
      (void)write_file(fs::path(keep) / (name + ".want"), want ? *want : "(an error)");
    }
  }
  for (const auto& [status, counts] : by_status)
    std::printf("%-20s %d of %d\n", status.c_str(), counts.first, counts.second);
  if (std::getenv("SLIPWAY_KEEP") != nullptr) std::printf("%s", failed.c_str());
  auto floor_file = fs::path(SLIPWAY_TESTDATA) / "kustomize-floor.txt";
  auto floor = read_file(floor_file);
  EXPECT_GE(agreed, floor ? to_int(trim(*floor)).value_or(0) : 0) << "fewer cases agree than did:\n" << failed;
  if (std::getenv("SLIPWAY_UPDATE") != nullptr) (void)write_file(floor_file, fmt::format("{}\n", agreed));
}

constexpr std::string_view config_map =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: \"1\"\n";

struct Case {
  const char* name;
  std::string kustomization, want;
};
class KustomizeErrors : public testing::TestWithParam<Case> {};
TEST_P(KustomizeErrors, NamePlaceAndRemedy) {
  Tree tree;
  tree.file("app/kustomization.yaml", GetParam().kustomization)
      .file("app/cm.yaml", config_map)
      .file("other/cm.yaml", config_map);
  tree.file("app/broken.yaml", "a: [\n").file("app/nameless.yaml", "kind: ConfigMap\nmetadata: {}\n");
  EXPECT_EQ(tree.build("app"), "error: " + GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, KustomizeErrors,
    testing::Values(
        Case{"UnknownField", "resources: [cm.yaml]\nnamePrefx: a-\n",
             "app/kustomization.yaml:2:1: unknown field \"namePrefx\", did you mean \"namePrefix\"?"},
        Case{"UnknownNested", "resources: [cm.yaml]\nimages:\n- name: a\n  newTagg: b\n",
             "app/kustomization.yaml:4:3: images[0]: unknown field \"newTagg\", did you mean \"newTag\"?"},
        Case{"NumberForTag", "images:\n- name: a\n  newTag: 1.0\n",
             "app/kustomization.yaml:3:11: images[0].newTag: want a string, got a number: put it in quotes"},
        Case{"MissingFile", "resources:\n- gone.yaml\n", "app/kustomization.yaml:2:1: app/gone.yaml: no such file"},
        Case{"Outside", "resources: [../../etc]\n",
             "app/kustomization.yaml:1:12: app: '../../etc' is outside the repository"},
        Case{"NotBelow", "resources: [../other/cm.yaml]\n",
             "app/kustomization.yaml:1:12: security; file 'other/cm.yaml' is not in or below 'app'"},
        Case{"Remote", "resources: ['https://example.com/x.yaml']\n",
             "app/kustomization.yaml:1:12: app: 'https://example.com/x.yaml' is remote: builds read the repository "
             "only"},
        Case{"Cycle", "resources: [../app]\n",
             "app/kustomization.yaml:1:12: cycle detected: 'app' contains 'app', which is being built"},
        Case{"Twice", "resources: [cm.yaml, ./cm.yaml]\n",
             "app/cm.yaml:1:1: may not add an object with an id that is there already: "
             "ConfigMap.v1.[noGrp]/settings.[noNs]"},
        Case{"BrokenYaml", "resources: [broken.yaml]\n",
             "app/broken.yaml:2:1: did not find expected node content while parsing a flow node (line 2)"},
        Case{"Nameless", "resources: [nameless.yaml]\n", "app/nameless.yaml:1:1: missing metadata.name in ConfigMap"},
        Case{"Helm", "helmCharts:\n- name: x\n",
             "app/kustomization.yaml:2:1: helmCharts: charts within a kustomization are not rendered: render the chart "
             "by itself, or commit its output"},
        Case{"Empty", "kind: Kustomization\n", "app/kustomization.yaml: the kustomization is empty"},
        Case{"NoTarget", "resources: [cm.yaml]\npatches:\n- patch: |-\n    - op: remove\n      path: /data\n",
             "app/kustomization.yaml:3:10: a JSON patch needs a target"},
        Case{"PatchTestFails",
             "resources: [cm.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: '[{op: test, path: /data/a, value: "
             "x}]'\n",
             "app/kustomization.yaml:4:10: ConfigMap.v1.[noGrp]/settings.[noNs]: operation 1 (test /data/a): test "
             "failed: '/data/a' is \"1\", want \"x\""}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(Kustomize, NoKustomizationThere) {
  Tree tree;
  tree.file("a/x.yaml", config_map);
  EXPECT_EQ(tree.build("a"), "error: a: no kustomization.yaml, kustomization.yml or Kustomization there");
}

TEST(Kustomize, HashesNamesAndFixesReferences) {
  Tree tree;
  tree.file("base/kustomization.yaml",
            "resources: [pod.yaml]\nconfigMapGenerator:\n- name: settings\n  literals: [a=1]\n");
  tree.file("base/pod.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: web\n    image: web:1\n "
            "   envFrom:\n"
            "    - configMapRef: {name: settings}\n");
  tree.file("prod/kustomization.yaml",
            "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\nimages:\n- name: web\n  newTag: '2'\n  digest: "
            "sha256:aa\n"
            "configMapGenerator:\n- name: settings\n  behavior: merge\n  literals: [b=2]\n");
  EXPECT_EQ(
      tree.build("prod"),
      "apiVersion: v1\ndata:\n  a: \"1\"\n  b: \"2\"\nkind: ConfigMap\nmetadata:\n  name: prod-settings-7gdc49gk6d\n  "
      "namespace: shop\n---\n"
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: prod-web\n  namespace: shop\nspec:\n  containers:\n  - envFrom:\n"
      "    - configMapRef:\n        name: prod-settings-7gdc49gk6d\n    image: web:2@sha256:aa\n    name: web\n");
}

TEST(Kustomize, OverridesAreLaidOverTheRoot) {
  Tree tree;
  tree.file("app/kustomization.yaml", "resources: [cm.yaml]\nnamePrefix: a-\n").file("app/cm.yaml", config_map);
  KustomizeOptions options;
  options.overrides["namePrefix"] = "b-";
  options.overrides["commonAnnotations"]["x"] = "y";
  EXPECT_EQ(tree.build("app", options),
            "apiVersion: v1\ndata:\n  a: \"1\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    x: \"y\"\n  name: "
            "b-settings\n");
}

TEST(Kustomize, ACommitIsBuiltWithoutCheckout) {
  Tree tree;
  auto repository = must(git::Repository::init(tree.path() / "repo.git"));
  auto git_tree = must(
      repository.write_tree("", {{"base/kustomization.yaml", "resources: [cm.yaml]\n"},
                                 {"base/cm.yaml", std::string(config_map)},
                                 {"prod/kustomization.yaml", "resources: [../base, link.yaml]\nnameSuffix: -prod\n"},
                                 {"prod/link.yaml", "real.yaml", 0120000},
                                 {"prod/real.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"},
                                 {"prod/escape.yaml", "../../../etc/passwd", 0120000},
                                 {"bad/kustomization.yaml", "resources: [../prod/escape.yaml]\n"}}));
  auto commit = must(repository.write_commit(git_tree, {}, {"a", "a@example.com", {}}, "first"));
  GitSource source(repository, commit);
  RecordingSource recording(source);
  EXPECT_EQ(print_objects(must(kustomize_build(Ctx{}, recording, "prod"))),
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n---\napiVersion: v1\ndata:\n  a: \"1\"\nkind: "
            "ConfigMap\n"
            "metadata:\n  name: settings-prod\n");
  EXPECT_TRUE(recording.paths().contains("base/cm.yaml"));
  EXPECT_TRUE(recording.paths().contains("prod/kustomization.yml")) << "what is not there is remembered too";
  KustomizeOptions anywhere{.load_restrictor = KustomizeOptions::LoadRestrictor::none};
  EXPECT_EQ(kustomize_build(Ctx{}, source, "bad", anywhere).error().what(),
            "bad/kustomization.yaml:1:12: prod/escape.yaml: the link 'prod/escape.yaml' leaves the repository");
}

TEST(Kustomize, LinksOnDiskStayWithinTheRoot) {
  Tree tree;
  tree.file("app/kustomization.yaml", "resources: [link.yaml]\n");
  fs::create_symlink("/etc/hostname", tree.path() / "app/link.yaml");
  EXPECT_EQ(tree.build("app"), "error: app/kustomization.yaml:1:12: app/link.yaml: no such file");
}

}  // namespace
}  // namespace slipway::manifest
