#include "gitops/tasks.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/yaml.h"

namespace slipway::gitops {
namespace {

struct Planned {
  std::vector<Task> tasks;
  std::vector<std::string> warnings;
};
Planned plan(std::string_view yaml) {
  Planned planned;
  planned.tasks = tasks_of(must(doc::parse_yaml_all(yaml)), {}, planned.warnings);
  return planned;
}
// "PreSync/0 Job a | Sync/0 ConfigMap b, Deployment c"
std::string show(const std::vector<Step>& steps) {
  std::vector<std::string> parts;
  for (const auto& step : steps) {
    std::vector<std::string> tasks;
    for (const auto* task : step.tasks)
      tasks.push_back(fmt::format("{} {}{}", task->type.kind, task->key.name, task->hook ? "!" : ""));
    parts.push_back(fmt::format("{}/{} {}", to_string(step.phase), step.wave, join(tasks, ", ")));
  }
  return join(parts, " | ");
}
std::string object(std::string_view kind, std::string_view name, std::string_view annotations = "",
                   std::string_view ns = "shop", std::string_view rest = "") {
  return fmt::format("---\napiVersion: v1\nkind: {}\nmetadata: {{name: {}, namespace: {}, annotations: {{{}}}}}\n{}\n",
                     kind, name, ns, annotations, rest);
}
constexpr std::string_view wave = "argocd.argoproj.io/sync-wave: '{}'";

TEST(Tasks, WavesKindsAndNamesGiveTheOrder) {
  auto w = [](int n) { return fmt::format(fmt::runtime(wave), n); };
  auto planned = plan(object("Ingress", "i") + object("Deployment", "b") + object("Deployment", "a") +
                      object("ConfigMap", "z") + object("Widget", "w") + object("Secret", "late", w(5)) +
                      object("Service", "early", w(-1)) + object("Job", "j"));
  EXPECT_EQ(show(steps_of(planned.tasks)),
            "Sync/-1 Service early | Sync/0 ConfigMap z, Deployment a, Deployment b, Job j, Ingress i, Widget w | "
            "Sync/5 Secret late");
}

TEST(Tasks, HooksTakeTheirPhases) {
  auto planned = plan(object("Job", "pre", "argocd.argoproj.io/hook: PreSync") +
                      object("Job", "both", "argocd.argoproj.io/hook: 'PreSync,PostSync'") +
                      object("Job", "during", "argocd.argoproj.io/hook: Sync") +
                      object("Job", "fail", "argocd.argoproj.io/hook: SyncFail") +
                      object("Job", "skip", "argocd.argoproj.io/hook: Skip") +
                      object("Job", "h", "helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '-5'") +
                      object("Job", "argo-wins", "helm.sh/hook: pre-install, argocd.argoproj.io/hook: PostSync") +
                      object("Job", "test", "helm.sh/hook: test") + object("ConfigMap", "c") +
                      object("CustomResourceDefinition", "d", "helm.sh/hook: crd-install"));
  EXPECT_EQ(show(steps_of(planned.tasks)),
            "PreSync/-5 Job h! | PreSync/0 Job both!, Job pre! | Sync/0 ConfigMap c, CustomResourceDefinition d, Job "
            "during! | PostSync/0 Job argo-wins!, Job both!");
  EXPECT_EQ(planned.warnings.size(), 0U);
  EXPECT_EQ(std::count_if(planned.tasks.begin(), planned.tasks.end(),
                          [](const Task& t) { return t.phase == SyncPhase::sync_fail; }),
            1);
}

TEST(Tasks, HooksThatWouldNeverRunAreToldOf) {
  auto planned = plan(object("Job", "typo", "argocd.argoproj.io/hook: PreSyn") +
                      object("Job", "ok", "argocd.argoproj.io/hook: 'PreSync,Postdelete'"));
  EXPECT_EQ(join(planned.warnings, "\n"),
            "Job shop/typo: hook PreSyn is unknown and never run, want PreSync, Sync, PostSync, SyncFail, PreDelete, "
            "PostDelete or Skip\n"
            "Job shop/ok: hook Postdelete is unknown and never run, want PreSync, Sync, PostSync, SyncFail, PreDelete, "
            "PostDelete or Skip");
  EXPECT_EQ(show(steps_of(planned.tasks)), "PreSync/0 Job ok!");
}

TEST(Tasks, HooksOfDeletionHaveStepsOfTheirOwn) {
  auto planned = plan(object("Job", "del", "argocd.argoproj.io/hook: PreDelete") +
                      object("Job", "last", "argocd.argoproj.io/hook: PreDelete, argocd.argoproj.io/sync-wave: '2'") +
                      object("Job", "hdel", "helm.sh/hook: 'pre-delete,post-delete'") +
                      object("Secret", "s", "argocd.argoproj.io/hook: 'PreSync,PreDelete'") + object("ConfigMap", "c"));
  EXPECT_EQ(planned.warnings.size(), 0U);
  EXPECT_EQ(show(steps_of(planned.tasks)), "PreSync/0 Secret s! | Sync/0 ConfigMap c");
  EXPECT_EQ(show(deletion_steps(planned.tasks, SyncPhase::pre_delete)),
            "PreDelete/0 Secret s!, Job del!, Job hdel! | PreDelete/2 Job last!");
  EXPECT_EQ(show(deletion_steps(planned.tasks, SyncPhase::post_delete)), "PostDelete/0 Job hdel!");
}

TEST(Tasks, NamespacesAndDefinitionsArePulledUp) {
  auto planned = plan(object("Namespace", "shop", "argocd.argoproj.io/sync-wave: '3'", "''") +
                      object("Job", "pre", "argocd.argoproj.io/hook: PreSync") + object("ConfigMap", "c") +
                      object("CustomResourceDefinition", "w", "argocd.argoproj.io/sync-wave: '9'", "''",
                             "spec: {group: x.io, names: {kind: Widget}}") +
                      "---\n{apiVersion: x.io/v1, kind: Widget, metadata: {name: one, namespace: other, annotations: "
                      "{argocd.argoproj.io/sync-wave: '2'}}}\n" +
                      object("Namespace", "unused", "argocd.argoproj.io/sync-wave: '7'", "''"));
  EXPECT_EQ(show(steps_of(planned.tasks)),
            "PreSync/0 Namespace shop, Job pre! | Sync/0 ConfigMap c | Sync/2 CustomResourceDefinition w, Widget one | "
            "Sync/7 Namespace unused");
}

struct WaveCase {
  const char* name;
  const char* annotations;
  int want;
};
class Waves : public testing::TestWithParam<WaveCase> {};
TEST_P(Waves, Table) {
  EXPECT_EQ(plan(object("ConfigMap", "c", GetParam().annotations)).tasks.at(0).wave, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Tasks, Waves,
                         testing::ValuesIn(std::to_array<WaveCase>({
                             {"None", "", 0},
                             {"Positive", "argocd.argoproj.io/sync-wave: '7'", 7},
                             {"Negative", "argocd.argoproj.io/sync-wave: '-7'", -7},
                             {"NoInteger", "argocd.argoproj.io/sync-wave: soon", 0},
                             {"NoIntegerFallsToHelm", "argocd.argoproj.io/sync-wave: soon, helm.sh/hook-weight: '4'",
                              4},
                             {"ArgoBeatsHelm", "argocd.argoproj.io/sync-wave: '1', helm.sh/hook-weight: '4'", 1},
                             {"TooLarge", "argocd.argoproj.io/sync-wave: '99999999999'", 0},
                         })),
                         [](const auto& i) { return i.param.name; });

struct PolicyCase {
  const char* name;
  const char* annotations;
  const char* want;
};
class Policies : public testing::TestWithParam<PolicyCase> {};
TEST_P(Policies, Table) {
  std::string got;
  auto planned = plan(object("Job", "j", GetParam().annotations));
  for (auto policy : planned.tasks.at(0).delete_policies) got += "bsf"[static_cast<int>(policy)];
  EXPECT_EQ(got, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Tasks, Policies,
    testing::ValuesIn(std::to_array<PolicyCase>({
        {"Default", "argocd.argoproj.io/hook: Sync", "b"},
        {"DefaultOfDeletion", "argocd.argoproj.io/hook: PreDelete", "s"},
        {"OfDeletion", "argocd.argoproj.io/hook: PostDelete, argocd.argoproj.io/hook-delete-policy: HookFailed", "f"},
        {"Two", "argocd.argoproj.io/hook: Sync, argocd.argoproj.io/hook-delete-policy: 'HookSucceeded, HookFailed'",
         "sf"},
        {"UnknownIsDefault", "argocd.argoproj.io/hook: Sync, argocd.argoproj.io/hook-delete-policy: Never", "b"},
        {"Helm", "helm.sh/hook: pre-install, helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'", "bs"},
        {"HelmsIsNotRead", "argocd.argoproj.io/hook: Sync, helm.sh/hook-delete-policy: hook-succeeded", "b"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Tasks, KindsHaveArgosOrder) {
  EXPECT_LT(kind_rank("Namespace"), kind_rank("Secret"));
  EXPECT_LT(kind_rank("CustomResourceDefinition"), kind_rank("Deployment"));
  EXPECT_LT(kind_rank("Deployment"), kind_rank("Job"));
  EXPECT_LT(kind_rank("APIService"), kind_rank("Widget"));
  EXPECT_EQ(kind_rank("Widget"), kind_rank("Gadget"));
}

}  // namespace
}  // namespace slipway::gitops
