#include "engine/conductor.h"

#include <thread>

#include "base/log.h"
#include "engine/attempts.h"
#include "engine/concurrency.h"
#include "engine/environments.h"
#include "engine/git_policy.h"
#include "engine/notices.h"
#include "engine/promotions.h"
#include "engine/pull_requests.h"
#include "engine/recorder.h"
#include "engine/registry_settings.h"
#include "engine/retention.h"
#include "engine/running_runs.h"
#include "engine/runs.h"
#include "engine/wake.h"
#include "engine/workflows.h"
#include "kube/controller.h"
#include "kube/events.h"
#include "preview/preview.h"
#include "rollout/rollout.h"
#include "verify/analysis_run.h"

namespace slipway::engine {
namespace {

using Keys = std::function<std::vector<kube::Key>(const kube::Event&)>;
using Step = std::function<Result<std::optional<Millis>>(const Ctx&, House&, const std::string&)>;

kube::Source of(std::string_view name) { return {kind(name), {}, {.ns = home}}; }
kube::Source of(std::string_view name, Keys keys) { return {kind(name), std::move(keys), {.ns = home}}; }

// The key that a label names.
Keys by_label(std::string label) {
  return [label](const kube::Event& event) -> std::vector<kube::Key> {
    auto name = event.object.label(label);
    return name.empty() ? std::vector<kube::Key>() : std::vector<kube::Key>{{home, name}};
  };
}

// Every object of a kind: what happened concerns them all (there are few).
Keys every(House& house, std::string_view name) {
  return [&house, name](const kube::Event&) {
    std::vector<kube::Key> keys;
    auto objects = all(Ctx{}.within(Millis(5000)), *house.client, name);
    if (objects)
      for (const auto& object : *objects) keys.push_back(object.key());
    return keys;
  };
}

// Releases that are not decided yet: a workload moved, and one of them may be its.
Keys open_releases(House& house) {
  return [&house](const kube::Event&) {
    std::vector<kube::Key> keys;
    auto objects = all(Ctx{}.within(Millis(5000)), *house.client, "Release");
    if (objects)
      for (const auto& object : *objects)
        if (!is_final(phase_of(object))) keys.push_back(object.key());
    return keys;
  };
}

// Promotions that a window holds back: a Pipeline may have other windows now.
Keys held_promotions(House& house) {
  return [&house](const kube::Event&) {
    std::vector<kube::Key> keys;
    auto objects = all(Ctx{}.within(Millis(5000)), *house.client, "Promotion");
    if (objects)
      for (const auto& object : *objects)
        if (object["status"]["heldBack"].bool_or(false)) keys.push_back(object.key());
    return keys;
  };
}

// Pull requests whose base moved.
Keys requests_of(House& house) {
  return [&house](const kube::Event& event) {
    std::vector<kube::Key> keys;
    if (event.object["spec"]["pullRequest"].num_or(0) > 0) {
      keys.push_back({home, event.object.label("slipway.dev/pull-request")});
      return keys;
    }
    auto objects = all(Ctx{}.within(Millis(5000)), *house.client, "PullRequest",
                       "slipway.dev/repository=" + event.object.label("slipway.dev/repository"));
    if (objects)
      for (const auto& object : *objects)
        if (object["status"]["state"].str_or("open") == "open") keys.push_back(object.key());
    return keys;
  };
}

// Runs that wait for, or are replaced by, the one that came or ended.
Keys same_concurrency(House& house) {
  return [&house](const kube::Event& event) {
    std::vector<kube::Key> keys;
    auto label = event.object.label(std::string(concurrency_label));
    bool moved = is_final(phase_of(event.object)) || event.object["status"]["phase"].text().empty() ||
                 event.type == kube::Event::Type::deleted;
    if (label.empty() || !moved) return keys;
    auto objects =
        all(Ctx{}.within(Millis(5000)), *house.client, "WorkflowRun", fmt::format("{}={}", concurrency_label, label));
    if (objects)
      for (const auto& object : *objects)
        if (object.name() != event.object.name() && !is_final(phase_of(object))) keys.push_back(object.key());
    return keys;
  };
}

// Runs in which a job waits, when the rules of its environment change.
Keys runs_that_wait(House& house) {
  return [&house](const kube::Event& event) {
    std::vector<kube::Key> keys;
    house.decisions->all();
    auto objects = all(Ctx{}.within(Millis(5000)), *house.client, "WorkflowRun",
                       "slipway.dev/repository=" + event.object.label("slipway.dev/repository"));
    if (objects)
      for (const auto& object : *objects)
        if (object["status"]["waitsForPeople"].bool_or(false)) keys.push_back(object.key());
    return keys;
  };
}

// A run that is executed hears at once that it shall end, or that a manual job was started.
Result<std::optional<Millis>> hear_people(const Ctx& ctx, House& house, const std::string& run_name) {
  TRY(auto run, find(ctx, *house.client, "WorkflowRun", run_name));
  if (!run || is_final(phase_of(*run))) return std::optional<Millis>();
  if (auto why = asked_to_end(*run); !why.empty()) house.running->cancel(run_name, why);
  if (!started_by_hand(*run).empty()) house.decisions->all();
  return std::optional<Millis>();
}

struct Stage {
  std::string name;
  std::vector<kube::Source> sources;
  Step step;
  std::size_t workers = 1;
};

Step plain(Result<> (*step)(const Ctx&, House&, const std::string&)) {
  return [step](const Ctx& ctx, House& house, const std::string& name) -> Result<std::optional<Millis>> {
    TRY_OK(step(ctx, house, name));
    return std::optional<Millis>();
  };
}

// What a Release is judged by.
const std::vector<kube::Type> judged{{"argoproj.io/v1alpha1", "Rollout"},
                                     {"apps/v1", "Deployment"},
                                     {"apps/v1", "StatefulSet"},
                                     {"apps/v1", "DaemonSet"},
                                     {"batch/v1", "CronJob"},
                                     {"batch/v1", "Job"},
                                     {"argoproj.io/v1alpha1", "Application"}};

std::vector<kube::Source> what_releases_hear(House& house) {
  std::vector<kube::Source> sources{of("Release")};
  for (const auto& type : judged) sources.push_back({type, open_releases(house), {}});
  return sources;
}

// The path. Each line: what is watched, and the step that makes the next object of it.
std::vector<Stage> the_path(House& house) {
  return {
      {"intake",
       {of("PullRequest"), of("WorkflowRun", by_label("slipway.dev/pull-request")), of("Change", requests_of(house))},
       look_at_pull_request},
      {"ci-start", {of("Change")}, plain(start_runs)},
      {"ci-run",
       {of("WorkflowRun"), of("WorkflowRun", same_concurrency(house)), of("Approval", by_label("slipway.dev/run")),
        of("Environment", runs_that_wait(house))},
       execute_run,
       house.settings.parallel_runs},
      {"ci-people", {of("WorkflowRun")}, hear_people},
      {"ci-review", {of("Approval")}, plain(take_approval)},
      {"ci-workflows", {of("Change")}, plain(follow_default_branch)},
      {"ci-timers", {of("Workflow")}, look_at_timers},
      {"ci-after", {of("WorkflowRun")}, plain(follow_run)},
      {"ci-pass", {of("WorkflowRun")}, plain(pass_artifacts)},
      {"promote-plan",
       {of("Pipeline"), of("Artifact", every(house, "Pipeline")), of("Release", every(house, "Pipeline")),
        of("Promotion", every(house, "Pipeline")), of("PullRequest", every(house, "Pipeline"))},
       plan_promotions},
      {"promote", {of("Promotion"), of("Pipeline", held_promotions(house))}, execute_promotion},
      // gitops and rollout run by their own controllers: Git is the interface between promote and them.
      {"verify", what_releases_hear(house), look_at_release, 2},
      {"notify", {of("Notice")}, deliver, 2},
      {"notify-check", {of("Notifier")}, look_at_notifier},
  };
}

Result<> run_stage(const Ctx& ctx, House& house, const Stage& stage) {
  kube::ControllerOptions options{.name = stage.name, .sources = stage.sources, .workers = stage.workers};
  return kube::run_controller(ctx, *house.client, options,
                              [&](const Ctx& inner, const kube::Key& key) -> Result<kube::Reconciled> {
                                TRY(auto again, stage.step(inner, house, key.name));
                                return kube::Reconciled{again};
                              });
}

verify::AnalysisOptions analysis(House& house) {
  verify::AnalysisOptions options;
  options.client = house.api->client("slipway-verify");
  options.providers.traffic = [&house](const std::string& ns, const std::string& service,
                                       const std::string& hash) -> Result<verify::Traffic> {
    verify::Traffic traffic;
    for (const auto& stats : house.gateway->stats()) {
      if (stats.ns != ns || stats.service != service || (!hash.empty() && stats.pod_hash != hash)) continue;
      traffic.requests += stats.requests;
      traffic.errors += stats.errors_5xx + stats.failures;
    }
    return traffic;
  };
  return options;
}

rollout::RolloutOptions rollouts(const Ctx& ctx, House& house) {
  rollout::RolloutOptions options;
  options.client = house.api->client("slipway-rollout");
  // As Argo Rollouts does: what happened is an Event that `kubectl describe` shows.
  options.event = [ctx, client = options.client](const kube::Object& object, const std::string& reason,
                                                 const std::string& message) {
    auto bad = reason.find("Abort") != std::string::npos || reason.find("Failed") != std::string::npos ||
               reason.find("Error") != std::string::npos;
    kube::record_event(ctx, *client, object, {bad ? "Warning" : "Normal", reason, message, "rollouts-controller"});
  };
  return options;
}

void watch_previews(const Ctx& ctx, House& house) {
  while (sleep(ctx, Millis(60000)))
    if (auto swept = preview::sweep(ctx, *house.client, preview::Sweep::expired); !swept)
      LOG(warn, "preview.sweep_failed", {"error", swept.error().what()});
}

// Not at once after a start, when there is better to do.
void forget(const Ctx& ctx, House& house) {
  for (auto wait = std::chrono::minutes(10); sleep(ctx, wait); wait = std::chrono::hours(1))
    if (auto swept = forget_the_past(ctx, house); !swept)
      LOG(warn, "retention.failed", {"error", swept.error().what()});
}

void tidy(const Ctx& ctx, House& house) {
  for (auto wait = std::chrono::minutes(12); sleep(ctx, wait); wait = std::chrono::hours(1))
    if (auto tidied = tidy_registry(ctx, house); !tidied)
      LOG(warn, "registry.tidy_failed", {"error", tidied.error().what()});
}

void watch_pushes(const Ctx& ctx, House& house) {
  while (sleep(ctx, Millis(1000))) (void)catch_up(ctx, house);  // an error: again
}

}  // namespace

Result<> conduct(const Ctx& ctx, House& house, const std::function<void()>& ready) {
  ChildStop stop(ctx.stop);
  auto inner = ctx.with_stop(stop.token());
  if (auto swept = preview::sweep(inner, *house.client, preview::Sweep::orphans); !swept)
    return Fail(std::move(swept).error());
  TRY_OK_IN("recover", recover_changes(inner, house));
  TRY_OK(keep_all_workflows(inner, house));
  auto stages = the_path(house);
  std::vector<std::jthread> threads;
  auto start = [&](std::string name, std::function<Result<>()> run) {
    threads.emplace_back([&stop, name, run = std::move(run)] {
      auto ended = run();
      if (ended || ended.error().is(Kind::cancelled)) return;
      LOG(error, "conductor.stopped", {"controller", name}, {"error", ended.error().what()});
      stop.request_stop();
    });
  };
  cluster::ControllerSettings settings{.service_cidr = house.settings.service_cidr,
                                       .ca_pem = house.pki.ca.certificate_pem,
                                       .usage = [&house](const Ctx& asking, const std::string& ns) {
                                         return house.node->usage(asking, ns, Millis(5000));
                                       }};
  auto workloads = house.api->client("system:controller");
  start("workloads", [&] { return cluster::run_workload_controllers(inner, *workloads, settings); });
  start("node", [&] { return house.node->run(inner); });
  start("gateway", [&] { return house.gateway->run(inner); });
  start("gitops", [&] { return house.gitops->run(inner); });
  start("flux", [&] { return house.flux->run(inner); });
  start("appset", [&] { return house.appsets->run(inner); });
  start("rollout", [&] { return rollout::run_rollout_controller(inner, rollouts(inner, house)); });
  start("analysis", [&] { return verify::run_analysis_controller(inner, analysis(house)); });
  for (const auto& stage : stages) start(stage.name, [&] { return run_stage(inner, house, stage); });
  threads.emplace_back([&] { watch_previews(inner, house); });
  threads.emplace_back([&] { watch_pushes(inner, house); });
  threads.emplace_back([&] { forget(inner, house); });
  threads.emplace_back([&] { tidy(inner, house); });
  ready();
  (void)sleep(inner, std::chrono::hours(24 * 365 * 10));
  stop.request_stop();
  threads.clear();
  return ctx.alive();
}

}  // namespace slipway::engine
