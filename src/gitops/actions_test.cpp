#include "gitops/actions.h"

#include <algorithm>
#include <iostream>

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"
#include "gitops/actions/table.h"

namespace slipway::gitops {
namespace {

kube::Object object_of(std::string_view yaml) { return kube::Object(must(doc::parse_yaml(std::string(yaml)))); }

// "restart, pause, (resume), scale[replicas]"
std::string offered(const kube::Object& object) {
  std::vector<std::string> all;
  for (const auto& action : actions_of(object)) {
    auto text =
        action.parameters.empty() ? action.name : fmt::format("{}[{}]", action.name, join(action.parameters, " "));
    all.push_back(action.disabled ? "(" + text + ")" : text);
  }
  return join(all, ", ");
}

struct Offer {
  const char* name;
  const char* object;
  const char* want;
};
class ActionOffers : public testing::TestWithParam<Offer> {};
TEST_P(ActionOffers, Table) { EXPECT_EQ(offered(object_of(GetParam().object)), GetParam().want); }
#define ROLLOUT "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: r}, "
INSTANTIATE_TEST_SUITE_P(
    Actions, ActionOffers,
    testing::ValuesIn(std::to_array<Offer>({
        {"NoKind", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}", ""},
        {"Deployment", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}",
         "restart, pause, (resume), scale[replicas]"},
        {"DeploymentPaused", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {paused: true}}",
         "restart, (pause), resume, scale[replicas]"},
        {"RolloutHealthy",
         ROLLOUT "spec: {strategy: {canary: {steps: [{pause: {}}]}}}, status: {currentPodHash: a, stableRS: a, "
                 "currentStepIndex: 1}}",
         "restart, (resume), (abort), (retry), (promote-full), pause, (skip-current-step)"},
        {"RolloutWaits",
         ROLLOUT "spec: {strategy: {canary: {steps: [{pause: {}}]}}}, status: {currentPodHash: b, stableRS: a, "
                 "currentStepIndex: 0, pauseConditions: [{reason: CanaryPauseStep}]}}",
         "restart, resume, abort, (retry), promote-full, pause, skip-current-step"},
        {"RolloutAborted", ROLLOUT "status: {currentPodHash: b, stableRS: a, abort: true}}",
         "restart, (resume), (abort), retry, promote-full, pause, (skip-current-step)"},
        {"JobDone",
         "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, status: {conditions: [{type: Complete, status: "
         "'True'}]}}",
         "(suspend), (resume), (terminate)"},
        {"AnalysisRunning", "{apiVersion: argoproj.io/v1alpha1, kind: AnalysisRun, status: {phase: Running}}",
         "terminate"},
        {"OddTypes", "{apiVersion: apps/v1, kind: Deployment, metadata: 7, spec: [1]}",
         "restart, pause, (resume), scale[replicas]"},
    })),
    [](const auto& i) { return i.param.name; });

// What is written, without what was there: "patch {..}", "create {..}".
std::string done(const kube::Object& object, const ActionCall& call) {
  auto writes = act(object, call);
  if (!writes) return "error: " + writes.error().what();
  std::string out;
  for (const auto& write : *writes)
    out += (write.create ? "create " : "patch ") +
           doc::print_json(write.create ? write.object : doc::make_merge_patch(object.value(), write.object)) + "\n";
  return out;
}

struct Deed {
  const char* name;
  const char* object;
  const char* action;
  std::map<std::string, std::string> parameters;
  std::string want;
};
class ActionDeeds : public testing::TestWithParam<Deed> {};
TEST_P(ActionDeeds, Table) {
  ActionCall call{GetParam().action, GetParam().parameters, "2026-07-25T17:20:00Z", "Slipway"};
  EXPECT_EQ(done(object_of(GetParam().object), call), GetParam().want);
}
#define DEPLOYMENT "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 1}}"
INSTANTIATE_TEST_SUITE_P(
    Actions, ActionDeeds,
    testing::ValuesIn(std::vector<Deed>{
        {"Scale", DEPLOYMENT, "scale", {{"replicas", "3"}}, "patch {\"spec\":{\"replicas\":3}}\n"},
        {"ScaleByAWord", DEPLOYMENT, "scale", {{"replicas", "many"}}, "error: invalid number: many"},
        {"ScaleBelowNothing", DEPLOYMENT, "scale", {{"replicas", "-1"}}, "error: invalid number: -1"},
        {"ScaleToWhat", DEPLOYMENT, "scale", {}, "error: scale wants the parameter replicas"},
        {"NoSuchParameter", DEPLOYMENT, "restart", {{"x", "y"}}, "error: restart has no parameter x"},
        {"NoSuchAction",
         DEPLOYMENT,
         "fly",
         {},
         "error: a Deployment has no action fly; there are: restart, pause, resume, scale"},
        {"NoActions",
         "{apiVersion: v1, kind: Secret, metadata: {name: s}}",
         "restart",
         {},
         "error: a Secret has no actions"},
        {"Reconcile",
         "{apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {name: g}}",
         "reconcile",
         {},
         "patch {\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"By Slipway at: "
         "2026-07-25T17:20:00\"}}}\n"},
        {"ResumeOfAnOldRollout",
         ROLLOUT "spec: {paused: true}, status: {}}",
         "resume",
         {},
         "patch {\"spec\":{\"paused\":false}}\n"},
        {"PausedReplicas",
         "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s}}",
         "paused-replicas",
         {{"replicas", "2"}},
         "patch {\"metadata\":{\"annotations\":{\"autoscaling.keda.sh/paused-replicas\":\"2\"}}}\n"},
        {"OddStatus", ROLLOUT "status: 7}", "skip-current-step", {}, "patch {\"status\":{\"currentStepIndex\":0}}\n"},
    }),
    [](const auto& i) { return i.param.name; });

TEST(ActionsTable, CanBeRead) { EXPECT_EQ(join(actions::problems_of(actions::written_actions()), "\n"), ""); }

TEST(ActionsTable, WhatIsWrongIsNamedWithItsLine) {
  auto problems = actions::problems_of("[g/A]\nrun : use nothing\nstop\ngo if .x= : .spec\n[g/B]\n");
  EXPECT_EQ(join(problems, "\n"),
            "line 2: there is no function nothing\n"
            "line 3: want NAME [if ...] : CHANGE\n"
            "line 4: cannot read .x=\n"
            "line 4: .spec changes nothing\n"
            "line 5: no action");
}

// Nothing, null, {} and [] are one for Argo CD's comparison as well: its scripts cannot tell them apart.
doc::Value without_nothing(const doc::Value& value) {
  if (const auto* list = value.if_list()) {
    doc::List kept;
    for (const auto& one : *list) kept.push_back(without_nothing(one));
    return kept;
  }
  const auto* map = value.if_map();
  if (map == nullptr) return value;
  doc::Map kept;
  for (const auto& [key, one] : *map) {
    auto inner = without_nothing(one);
    bool none =
        inner.is_null() || (inner.is_map() && inner.if_map()->empty()) || (inner.is_list() && inner.if_list()->empty());
    if (!none) kept.set(key, std::move(inner));
  }
  return kept;
}

// Theirs were read from a cluster later on: what the server and the kind's controller write is not compared unless the
// action writes it.
doc::Value comparable(const doc::Value& object, bool with_status) {
  auto copy = without_nothing(object);
  if (!with_status) copy.map().erase("status");
  if (auto* meta = copy["metadata"].if_map())
    for (auto key : {"creationTimestamp", "generation", "resourceVersion", "selfLink", "uid"}) meta->erase(key);
  return copy;
}

struct Tally {
  int all = 0, same = 0;
  std::string wrong;
  void count(bool agrees, const std::string& what) {
    ++all, same += agrees;
    if (!agrees) wrong += what + "\n";
  }
};

// Their clock stands at the beginning of the calendar; the names of what is made are theirs.
ActionCall their_call(const doc::View& one) {
  ActionCall call{one["action"].text(), {}, "0001-01-01T00:00:00Z", "Argo CD"};
  for (const auto& [name, value] : one["parameters"].members()) call.parameters[name] = value.text();
  return call;
}

// The lists of theirs say "create" or "patch" of each object; else it is the one that is changed.
doc::List expected_objects(const std::vector<doc::Value>& documents) {
  const auto* list = documents.front().if_list();
  if (list == nullptr) return {documents.front()};
  doc::List objects;
  for (const auto& one : *list) {
    const auto* object = one.find("unstructuredObj");
    objects.push_back(object == nullptr ? one : *object);
  }
  return objects;
}

void check_offer(const fs::path& folder, const doc::View& one, Tally& tally) {
  auto name = (folder / one["inputPath"].text()).native();
  auto found = actions_of(object_of(must(read_file(name))));
  bool same = found.size() == one["result"].items().size();
  std::string got;
  for (const auto& action : found) got += fmt::format(" {}{}", action.name, action.disabled ? " (disabled)" : "");
  for (const auto& want : one["result"].items()) {
    auto at = std::find_if(found.begin(), found.end(), [&](const auto& a) { return a.name == want["name"].text(); });
    same = same && at != found.end() && at->disabled == want["disabled"].bool_or(false) &&
           at->parameters.size() == want["params"].items().size();
  }
  tally.count(same, fmt::format("{}: offers{}", name, got));
}

void check_deed(const fs::path& folder, const doc::View& one, Tally& tally) {
  auto name = (folder / one["inputPath"].text()).native();
  auto call = their_call(one);
  auto before = object_of(must(read_file(name)));
  auto writes = act(before, call);
  auto what = fmt::format("{}: {}", name, call.name);
  if (auto message = one["expectedErrorMessage"].text(); !message.empty())
    return tally.count(!writes && writes.error().what().contains(message), what + " had to fail: " + message);
  auto want = expected_objects(must(doc::parse_yaml_all(must(read_file(folder / one["expectedOutputPath"].text())))));
  bool same = writes && writes->size() == want.size();
  for (std::size_t i = 0; same && i < want.size(); ++i) {
    const auto& write = (*writes)[i];
    bool status = write.object.find("status") != nullptr && *write.object.find("status") != before["status"].value();
    auto left = comparable(write.object, status), right = comparable(want[i], status);
    same = left == right;
    if (!same)
      what += "\n" + doc::unified_diff(doc::print_yaml(right, {.sort_keys = true}),
                                       doc::print_yaml(left, {.sort_keys = true}), "want", "got");
  }
  tally.count(same, what);
}

// given, when, expect: only what is expected is looked at.
void check_scenario(const doc::View& one, Tally& tally) {
  kube::Object given(one["given"].value());
  auto writes = act(given, their_call(one["when"]));
  bool same = writes && writes->size() == 1 &&
              doc::merge_patch(writes->front().object, one["expect"].value()) == writes->front().object;
  tally.count(same, "scenario: " + doc::print_json(one["given"].value()));
}

// The cases of Argo CD's own actions: what is offered, and what is done.
TEST(Actions, ArgosCasesAgree) {
  auto corpus = corpora();
  if (!corpus || !path_exists(*corpus / "argo-health")) GTEST_SKIP() << "no corpora/argo-health beside the project";
  Tally offers, deeds;
  for (const auto& entry : fs::recursive_directory_iterator(*corpus / "argo-health")) {
    auto file = entry.path().filename();
    if (file != "action_test.yaml" && file != "actions_test.yaml") continue;
    auto document = must(doc::parse_yaml(must(read_file(entry.path()))));
    doc::View tests(document);
    for (const auto& one : tests["discoveryTests"].items()) check_offer(entry.path().parent_path(), one, offers);
    for (const auto& one : tests["actionTests"].items()) check_deed(entry.path().parent_path(), one, deeds);
    for (const auto& one : tests["tests"].items()) check_scenario(one, deeds);
  }
  std::cout << fmt::format("argo actions: {} of {} offers and {} of {} deeds agree\n", offers.same, offers.all,
                           deeds.same, deeds.all);
  EXPECT_EQ(offers.wrong, "");
  EXPECT_EQ(deeds.wrong, "");
  EXPECT_GT(deeds.all, 40);
}

// Objects before and after, of kinds whose cases do not say by which action.
TEST(Actions, ArgosPairsAgree) {
  auto corpus = corpora();
  if (!corpus || !path_exists(*corpus / "argo-health")) GTEST_SKIP() << "no corpora/argo-health beside the project";
  struct Pair {
    const char *folder, *before, *action, *after;
  };
  const char *rollout = "argoproj.io/Rollout/actions/testdata/",
             *cluster = "postgresql.cnpg.io/Cluster/actions/testdata/",
             *pipeline = "numaplane.numaproj.io/PipelineRollout/actions/testdata/PipelineRollout/",
             *vertex = "numaflow.numaproj.io/MonoVertex/actions/testdata/", *cron = "batch/CronJob/actions/testdata/",
             *oci = "source.toolkit.fluxcd.io/OCIRepository/actions/testdata/",
             *run = "argoproj.io/AnalysisRun/actions/testdata/";
  Tally tally;
  for (auto [folder, before, action, after] : std::to_array<Pair>({
           {rollout, "rollout_not_restarted", "restart", "rollout_restarted"},
           {rollout, "has_pause_condition_rollout", "resume", "no_pause_condition_rollout"},
           {rollout, "pre_v0.6_paused_rollout", "resume", "pre_v0.6_not_paused_rollout"},
           {rollout, "has_pause_condition_rollout", "abort", "has_pause_condition_rollout_aborted"},
           {rollout, "v0.9_aborted_rollout", "retry", "retried_rollout"},
           {rollout, "aborted_rollout", "promote-full", "promote-full_rollout"},
           {rollout, "v0.9_aborted_rollout", "promote-full", "v0.9_promote-full_rollout"},
           {rollout, "rollout-step1", "skip-current-step", "rollout-step1-after-skip-current-step"},
           {rollout, "pre_v0.6_not_paused_rollout", "pause", "pre_v0.6_paused_rollout"},
           {cluster, "cluster_healthy", "restart", "cluster_restart"},
           {cluster, "cluster_healthy", "reload", "cluster_reload"},
           {cluster, "cluster_healthy", "promote", "cluster_promoting"},
           {pipeline, "rollout", "pause", "rollout-paused"},
           {pipeline, "rollout-paused", "unpause-gradual", "rollout-running-gradual"},
           {pipeline, "rollout-paused", "unpause-fast", "rollout-running-fast"},
           {pipeline, "rollout-in-ppnd", "allow-data-loss", "rollout-allowing-data-loss"},
           {pipeline, "rollout-allowing-data-loss", "disallow-data-loss", "rollout-disallowing-data-loss"},
           {pipeline, "rollout-enable-force-promote", "enable-force-promote", "rollout-disable-force-promote"},
           {pipeline, "rollout-disable-force-promote", "disable-force-promote", "rollout-enable-force-promote"},
           {vertex, "monovertex", "pause", "monovertex-paused"},
           {vertex, "monovertex-paused", "unpause-gradual", "monovertex-unpause-gradual"},
           {vertex, "monovertex-paused", "unpause-fast", "monovertex-unpause-fast"},
           {cron, "cronjob", "create-job", "job"},
           {cron, "cronjob", "suspend", "cronjob-suspended"},
           {cron, "cronjob-suspended", "resume", "cronjob-resumed"},
           {oci, "initial_ocirepository", "reconcile", "reconciled_ocirepository"},
           {oci, "initial_ocirepository", "suspend", "suspended_ocirepository"},
           {oci, "suspended_ocirepository", "resume", "resumed_ocirepository"},
           {run, "runningAnalysisRun", "terminate", "runningAnalysisRun_terminated"},
       })) {
    doc::Value one = doc::Map{{"inputPath", fmt::format("{}{}.yaml", folder, before)},
                              {"expectedOutputPath", fmt::format("{}{}.yaml", folder, after)},
                              {"action", action}};
    check_deed(*corpus / "argo-health", doc::View(one), tally);
  }
  EXPECT_EQ(tally.wrong, "");
}

}  // namespace
}  // namespace slipway::gitops
