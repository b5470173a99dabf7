#include "path/crds.h"

#include "base/testing/golden.h"
#include "doc/yaml.h"
#include "kube/validate.h"

namespace slipway::path {
namespace {

// Of apiVersion and kind.
using Schemas = std::map<std::pair<std::string, std::string>, std::shared_ptr<const kube::Schema>>;

const Schemas& schemas() {
  static const Schemas all = [] {
    Schemas out;
    for (const auto& text : builtin_crds()) {
      auto crd = must(doc::parse_yaml(text));
      doc::View spec = doc::View(crd)["spec"];
      for (const auto& version : spec["versions"].items()) {
        auto name = spec["group"].text() + "/" + version["name"].text();
        out[{name, spec["names"]["kind"].text()}] =
            must(kube::schema_of_crd(version["schema"]["openAPIV3Schema"].value()));
      }
    }
    return out;
  }();
  return all;
}

// What `kubectl apply` would be told, one a line.
std::string complaints(doc::Value object) {
  auto it = schemas().find({object.str_at({"apiVersion"}), object.str_at({"kind"})});
  if (it == schemas().end()) return "no such kind\n";
  auto checked = kube::check(object, *it->second);
  std::sort(checked.unknown.begin(), checked.unknown.end());
  std::string out;
  for (const auto& field : checked.unknown) out += "unknown " + field + "\n";
  for (const auto& p : checked.problems)
    out += p.field + ": " + (p.what == kube::Problem::What::required ? "required" : p.message) + "\n";
  return out;
}

class CompleteSamples : public testing::TestWithParam<const char*> {};
TEST_P(CompleteSamples, AreTakenWholly) {
  auto file = fs::path(SLIPWAY_TESTDATA) / "crds" / GetParam();
  std::size_t count = 0;
  for (const auto& object : must(doc::parse_yaml_all(must(read_file(file))))) {
    EXPECT_EQ(complaints(object), "") << object.str_at({"kind"}) << " " << object.str_at({"metadata", "name"});
    ++count;
  }
  EXPECT_GT(count, 2u);
}
INSTANTIATE_TEST_SUITE_P(Crds, CompleteSamples,
                         testing::Values("argo-cd.yaml", "argo-rollouts.yaml", "flux.yaml", "slipway.yaml"),
                         [](const auto& i) {
                           auto name = std::string(i.param);
                           std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

struct Misspelt {
  const char *name, *kind, *spec, *complaints;
};
class Misspellings : public testing::TestWithParam<Misspelt> {};
TEST_P(Misspellings, AreNamed) {
  const std::map<std::string, std::string> groups{{"Kustomization", "kustomize.toolkit.fluxcd.io/v1"},
                                                  {"GitRepository", "source.toolkit.fluxcd.io/v1"},
                                                  {"OCIRepository", "source.toolkit.fluxcd.io/v1beta2"},
                                                  {"Bucket", "source.toolkit.fluxcd.io/v1"},
                                                  {"HelmRepository", "source.toolkit.fluxcd.io/v1"},
                                                  {"HelmChart", "source.toolkit.fluxcd.io/v1"},
                                                  {"HelmRelease", "helm.toolkit.fluxcd.io/v2"},
                                                  {"Pipeline", "slipway.dev/v1"},
                                                  {"Approval", "slipway.dev/v1"},
                                                  {"Notifier", "slipway.dev/v1"}};
  auto group = groups.find(GetParam().kind);
  auto text =
      fmt::format("apiVersion: {}\nkind: {}\nmetadata: {{name: a}}\nspec: {}\n",
                  group == groups.end() ? "argoproj.io/v1alpha1" : group->second, GetParam().kind, GetParam().spec);
  EXPECT_EQ(complaints(must(doc::parse_yaml(text))), GetParam().complaints);
}
const Misspelt misspelt[] = {
    {"SelfHeal", "Application", "{project: a, destination: {}, syncPolicy: {automated: {selfheal: true}}}",
     "unknown spec.syncPolicy.automated.selfheal\n"},
    {"Recurse", "Application", "{project: a, destination: {}, source: {repoURL: b, directory: {recursive: true}}}",
     "unknown spec.source.directory.recursive\n"},
    {"Kustomise", "Application", "{project: a, destination: {}, sources: [{repoURL: b, kustomise: {}}]}",
     "unknown spec.sources[0].kustomise\n"},
    {"Values", "Application", "{project: a, destination: {}, source: {repoURL: b, helm: {valueFile: [c]}}}",
     "unknown spec.source.helm.valueFile\n"},
    {"Lost", "Application", "{source: {repoURL: a}, destinations: {}}",
     "unknown spec.destinations\nspec.destination: required\n"},
    {"Type", "Application",
     "{project: a, destination: {}, source: {repoURL: b, targetRevision: 1}, syncPolicy: {automated: {prune: 'yes'}, "
     "retry: {limit: many}}}",
     "spec.source.targetRevision: want a string, got an integer\nspec.syncPolicy.automated.prune: want a boolean, got "
     "a string\nspec.syncPolicy.retry.limit: want an integer, got a string\n"},
    {"Project", "AppProject", "{sourceRepo: ['*'], roles: [{name: a, policy: []}], syncWindows: [{timezone: UTC}]}",
     "unknown spec.roles[0].policy\nunknown spec.sourceRepo\nunknown spec.syncWindows[0].timezone\n"},
    {"Generator", "ApplicationSet", "{generator: [], template: {metadata: {}, spec: {project: a, destination: {}}}}",
     "unknown spec.generator\nspec.generators: required\n"},
    {"InGenerators", "ApplicationSet",
     "{generators: [{lists: {}}, {git: {repoURL: a, revision: b, directory: []}}, {matrix: {generators: [{cluster: "
     "{}}]}}, {clusters: {template: {spec: {source: {chart: c, paths: d}}}}}], template: {metadata: {names: a}, spec: "
     "{project: a, destination: {}, sync: {}}}}",
     "unknown spec.generators[0].lists\nunknown spec.generators[1].git.directory\nunknown "
     "spec.generators[2].matrix.generators[0].cluster\nunknown "
     "spec.generators[3].clusters.template.spec.source.paths\nunknown spec.template.metadata.names\nunknown "
     "spec.template.spec.sync\n"},
    {"AppSync", "ApplicationSet",
     "{generators: [], syncPolicy: {applicationsSync: never}, template: {metadata: {}, spec: {project: a, destination: "
     "{}}}}",
     "spec.syncPolicy.applicationsSync: Unsupported value: \"never\": supported values: \"create-only\", "
     "\"create-update\", \"create-delete\", \"sync\"\n"},
    {"Steps", "Rollout",
     "{strategy: {canary: {steps: [{setweight: 5}, {pause: {durations: 5}}], traffic: {}}, bluegreen: {}}, templates: "
     "{}}",
     "unknown spec.strategy.bluegreen\nunknown spec.strategy.canary.steps[0].setweight\nunknown "
     "spec.strategy.canary.steps[1].pause.durations\nunknown spec.strategy.canary.traffic\nunknown spec.templates\n"},
    {"Metric", "AnalysisTemplate", "{metrics: [{name: a, sucessCondition: b, provider: {prometeus: {}}}]}",
     "unknown spec.metrics[0].provider.prometeus\nunknown spec.metrics[0].sucessCondition\n"},
    {"ClusterMetric", "ClusterAnalysisTemplate", "{metric: []}", "unknown spec.metric\n"},
    {"Run", "AnalysisRun", "{terminated: true}", "unknown spec.terminated\n"},
    {"Trial", "Experiment", "{template: []}", "unknown spec.template\nspec.templates: required\n"},
    {"Prune", "Kustomization",
     "{interval: 10 minutes, purne: true, sourceRef: {kind: Git, name: a}, healthCheck: [], postBuild: {subst: {}}}",
     "unknown spec.healthCheck\nunknown spec.postBuild.subst\nunknown spec.purne\nspec.interval: Invalid value: \"10 "
     "minutes\": should match '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$'\nspec.sourceRef.kind: Unsupported value: \"Git\": "
     "supported values: \"OCIRepository\", \"GitRepository\", \"Bucket\", \"ExternalArtifact\"\nspec.prune: "
     "required\n"},
    {"Branch", "GitRepository", "{url: a, interval: 1m, branch: main, ref: {brunch: main}}",
     "unknown spec.branch\nunknown spec.ref.brunch\n"},
    {"Layer", "OCIRepository", "{url: a, interval: 1m, layer: {}}", "unknown spec.layer\n"},
    {"Name", "Bucket", "{bucket: a, endpoint: b, interval: 1m}", "unknown spec.bucket\nspec.bucketName: required\n"},
    {"Url", "HelmRepository", "{uri: a}", "unknown spec.uri\nspec.url: required\n"},
    {"Chart", "HelmChart", "{chart: a, interval: 1m, sourceRef: {kind: Bucket, name: a}, values: {}}",
     "unknown spec.values\n"},
    {"Install", "HelmRelease", "{interval: 1m, install: {crd: Skip}}", "unknown spec.install.crd\n"},
    {"Environments", "Pipeline",
     "{service: [], environments: [{name: a, approver: [b], windows: [{kind: deny, schedule: c}]}]}",
     "unknown spec.environments[0].approver\nunknown spec.service\nspec.environments[0].windows[0].duration: "
     "required\n"},
    {"Decision", "Approval", "{run: a, decided: approved}", "unknown spec.decided\nspec.decision: required\n"},
    {"Events", "Notifier", "{type: slack, event: [a]}", "unknown spec.event\n"}};
INSTANTIATE_TEST_SUITE_P(Crds, Misspellings, testing::ValuesIn(misspelt),
                         [](const auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace slipway::path
