#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "gitops/customizations.h"
#include "gitops/detail/operate.h"
#include "gitops/front.h"
#include "gitops/restricted.h"

namespace slipway::gitops::detail {
namespace {

Compared* resource_of(AppStatus& status, const Task& task) {
  for (auto& r : status.resources)
    if (r.task == &task) return &r;
  return nullptr;
}

bool out_of_sync(const Compared& r) { return !r.extra && r.state != SyncState::synced; }

// An error that the next look may not meet: the operation goes on then.
bool may_pass(const Error& error) { return error.retryable() || error.is(Kind::conflict); }

void now_synced(const Ctx& ctx, Work& work, Compared& r, kube::Object live) {
  if (r.task != nullptr) work.context.comparer.applied(work.app, *r.task, live);
  r.live = std::move(live);
  r.state = SyncState::synced, r.missing = false, r.fields.clear(), r.message.clear(), r.shared_with.clear();
  r.health.reset();
  if (r.task == nullptr || !r.task->ignore_health) r.health = health_of(ctx, work.app, r.live);
}

// Applies what differs from Git although this revision was synced before. Gives what must wait.
Result<Progress> heal(const Ctx& ctx, Work& work) {
  Progress progress;
  auto wait = [&](std::string why, Millis again) {
    if (progress.done() || again < progress.again) progress.again = again;
    progress.waiting = std::move(why);
  };
  bool differs = std::any_of(work.status.resources.begin(), work.status.resources.end(), out_of_sync);
  if (!differs && !work.status.namespace_differs) return progress;
  TRY(progress, ensure_namespace(ctx, work.writes(), work.app));
  if (!progress.done()) return progress;
  work.status.namespace_differs = false;
  for (auto& r : work.status.resources) {
    if (!out_of_sync(r) || r.task == nullptr) continue;
    auto pause = work.context.pacer.ask(work.app.key.str() + "|" + r.task->id());
    if (pause > Millis(0)) {
      wait("healing back-off", pause);
      continue;
    }
    auto refusal = work.project.refusal(r.type, r.key);
    auto applied = refusal.empty() ? apply_task(ctx, work.writes(), work.app, *r.task, r.live)
                                   : Result<kube::Object>(fail(Kind::denied, "{}", refusal));
    if (!applied) {
      if (applied.error().is(Kind::cancelled)) return Fail(std::move(applied).error());
      work.status.conditions.push_back({"SyncError", applied.error().what()});
      wait("an object that could not be healed", Millis(5000));
      continue;
    }
    // Taking over from another deployer changes no field.
    if (r.fields == std::vector<std::string>{".metadata.managedFields"}) {
      now_synced(ctx, work, r, *std::move(applied));
      continue;
    }
    work.happen("Normal", "DriftHealed",
                fmt::format("{} {} {} and was put right", r.type.kind, r.key.str(),
                            r.missing ? "was deleted" : "differed in " + join(r.fields, ", ")));
    LOG(warn, "gitops.drift", {"app", work.app.key.name}, {"object", fmt::format("{} {}", r.type.kind, r.key.str())},
        {"deleted", r.missing});
    if (work.context.drift)
      work.context.drift({work.app.key, r.type, r.key, r.missing, r.fields, work.status.revision(), true});
    now_synced(ctx, work, r, *std::move(applied));
  }
  return progress;
}

constexpr std::string_view application_kind = "Application", application_group = "argoproj.io";
constexpr std::string_view definition_kind = "CustomResourceDefinition";
// Definitions carry no mark of ours, so that no event of theirs says whose they are.
constexpr Millis definition_pause{250};

// Whether this sync brings what defines a kind. A real cluster takes a moment to serve it then.
bool is_defined_here(const Work& work, const kube::Type& type) {
  return std::any_of(work.status.resources.begin(), work.status.resources.end(), [&](const Compared& r) {
    auto spec = r.live["spec"];
    return r.type.kind == definition_kind && r.task != nullptr && spec["group"].text() == type.group() &&
           spec["names"]["kind"].text() == type.kind && !(r.health && r.health->health == Health::degraded);
  });
}

// A child Application that nobody syncs, or that its project does not permit yet: what later waves bring may be what it
// waits for.
bool comes_no_further(const Compared& r) {
  if (r.type.kind != application_kind || r.type.group() != application_group || !r.live) return false;
  auto status = r.live["status"];
  if (!syncs_by_itself(r.live) && status["sync"]["status"].text() != "Synced") return true;
  auto conditions = status["conditions"].items();
  return std::any_of(conditions.begin(), conditions.end(),
                     [](doc::View c) { return c["type"].text() == "InvalidSpecError"; });
}

// One object of a step; why the step must wait for it goes to `progress`.
Result<> advance_object(const Ctx& ctx, Work& work, const Task& task, bool gated, Progress& progress) {
  auto wait = [&](std::string why, Millis again) {
    if (progress.done()) progress = {std::move(why), again};
  };
  auto* r = resource_of(work.status, task);
  if (r == nullptr) return {};
  if (r->state != SyncState::synced) {
    auto applied = apply_task(ctx, work.writes(), work.app, task, r->live);
    if (!applied && applied.error().is(Kind::not_found) && is_defined_here(work, task.type)) {
      auto kind = work.writes().resource(ctx, task.type);
      if (!kind && kind.error().is(Kind::not_found)) {
        wait(fmt::format("the cluster to serve {} of {}", task.type.kind, task.type.api_version), definition_pause);
        return {};
      }
      if (kind) applied = apply_task(ctx, work.writes(), work.app, task, r->live);  // since a moment ago
    }
    if (!applied && may_pass(applied.error())) return Fail(std::move(applied).error());
    auto& result = result_of(work.status.operation, r->type, r->key, task.phase);
    result.status = applied ? "Synced" : "SyncFailed", result.outcome = applied ? "Running" : "Failed";
    result.message = applied ? (r->missing ? "created" : "configured") : applied.error().what();
    if (!applied) return Fail(std::move(applied).error().in(fmt::format("{} {}", task.type.kind, task.key.str())));
    now_synced(ctx, work, *r, *std::move(applied));
  }
  if (!gated || !r->health) return {};
  if (comes_no_further(*r)) return {};
  if (r->health->health == Health::degraded)
    return fail(Kind::invalid, "{} {} is degraded in wave {}: {}", task.type.kind, task.key.name, task.wave,
                r->health->message);
  if (r->health->health != Health::healthy)
    wait(fmt::format("healthy state of {}/{}", task.type.kind, task.key.name),
         task.type.kind == definition_kind ? definition_pause : Progress{}.again);
  return {};
}

// All of the steps that can be taken now.
Result<Progress> advance(const Ctx& ctx, Work& work) {
  auto& op = work.status.operation;
  auto steps = steps_of(work.tasks);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    bool gated = i + 1 < steps.size() && !op.selective();
    Progress progress;
    std::string failed, running;
    for (const auto* task : steps[i].tasks) {
      if (task->hook ? op.selective() || op.without_hooks() : !selected(op, task->type, task->key)) continue;
      if (!task->hook) {
        TRY_OK(advance_object(ctx, work, *task, gated, progress));
        continue;
      }
      TRY(auto state, run_hook(ctx, work, op, *task));
      if (state == HookState::failed && failed.empty())
        failed = fmt::format("{} hook {} failed", to_string(task->phase), task->key.name);
      if (state == HookState::running && running.empty())
        running = fmt::format("completion of hook {}/{}", task->type.kind, task->key.name);
    }
    // One that failed ends the operation when the others of its wave have ended.
    if (!failed.empty() && running.empty()) return fail(Kind::invalid, "{}", failed);
    if (!running.empty() && progress.done()) progress.waiting = running;
    if (!progress.done()) return progress;
  }
  return Progress{};
}

// The hooks of failure run to their end, then the operation has failed with what was wrong first.
Result<std::optional<Millis>> fail_operation(const Ctx& ctx, Work& work) {
  auto& op = work.status.operation;
  bool running = false;
  for (const auto& task : work.tasks) {
    if (!task.hook || task.phase != SyncPhase::sync_fail || op.selective() || op.without_hooks()) continue;
    auto state = run_hook(ctx, work, op, task);
    if (!state && (may_pass(state.error()) || state.error().is(Kind::cancelled))) return Fail(std::move(state).error());
    if (!state) {
      auto& result = result_of(op, task.type, task.key, task.phase);
      result.hook = true, result.outcome = "Failed", result.message = state.error().what();
    }
    running = running || (state && *state == HookState::running);
  }
  if (running) return std::optional(Millis(5000));
  finish(ctx, op, "Failed", op.message);
  work.happen("Warning", work.app.front->end_reason(false),
              fmt::format("Sync operation to {} failed: {}", op.revision().substr(0, 12), op.message));
  LOG(warn, "gitops.sync_failed", {"app", work.app.key.name}, {"revision", op.revision()}, {"error", op.message});
  auto retry = op.sync().present() && doc::View(op.request)["retry"].present()
                   ? retry_from(doc::View(op.request)["retry"])
                   : Result<RetrySpec>(work.app.retry);
  return std::optional(retry ? retry_pause(*retry, op.retries) : work.app.retry.first);
}

bool is_failing(const Operation& op) {
  return std::any_of(op.results.begin(), op.results.end(),
                     [](const TaskResult& r) { return r.hook && r.phase == "SyncFail"; });
}

void remember(Work& work) {
  auto& status = work.status;
  const auto& op = status.operation;
  if (op.selective()) return;
  if (!status.history.empty() && status.history.back().revisions == op.revisions &&
      status.history.back().source == op.source)
    return;
  std::int64_t id = status.history.empty() ? 0 : status.history.back().id + 1;
  status.history.push_back(
      {id, op.revisions, op.finished_at, op.started_at, op.source, doc::View(op.request)["initiatedBy"].value()});
  while (static_cast<std::int64_t>(status.history.size()) > work.app.history_limit)
    status.history.erase(status.history.begin());
}

// What a request cannot have here.
Result<> check_request(const Work& work) {
  auto manifests = work.status.operation.sync()["manifests"];
  return manifests.present()
             ? manifests.wrong("this field of an operation is not supported: change the Application instead")
             : Result<>();
}

// Nothing was written: what would have been.
void list_dry_run(Work& work) {
  auto& op = work.status.operation;
  for (const auto& r : work.status.resources) {
    if (!selected(op, r.type, r.key) || (!r.extra && r.state == SyncState::synced)) continue;
    auto& result = result_of(op, r.type, r.key, r.task != nullptr ? r.task->phase : SyncPhase::sync);
    result.outcome = "Succeeded";
    result.status = r.extra ? (op.sync()["prune"].bool_or(false) ? "Pruned" : "PruneSkipped") : "Synced";
    result.message = r.extra ? "pruned (dry run)" : r.missing ? "created (dry run)" : "configured (dry run)";
  }
}

Result<std::optional<Millis>> run_operation(const Ctx& ctx, Work& work) {
  auto& op = work.status.operation;
  if (is_failing(op)) return fail_operation(ctx, work);
  bool dry_run = op.sync()["dryRun"].bool_or(false);
  auto step = [&]() -> Result<Progress> {
    bool by_hand = !doc::View(op.request)["initiatedBy"]["automated"].bool_or(false);
    auto started = parse_rfc3339(op.started_at);
    auto held =
        work.project.held_back(work.app, ctx.clock->wall(), by_hand, started ? std::optional(*started) : std::nullopt);
    if (!held.empty()) return Progress{held, Millis(30000)};
    if (!dry_run) {
      TRY(auto home, ensure_namespace(ctx, work.writes(), work.app));
      if (!home.done()) return home;
      work.status.namespace_differs = false;
    }
    if (op.results.empty()) TRY_OK(check_all(ctx, work));
    if (dry_run) {
      list_dry_run(work);
      return Progress{};
    }
    TRY(auto progress, advance(ctx, work));
    if (!progress.done()) return progress;
    TRY(auto pruned, prune(ctx, work));
    return pruned.done() && !op.selective() ? await_health(ctx, work) : pruned;
  };
  auto progress = step();
  if (!progress) {
    if (progress.error().is(Kind::cancelled)) return Fail(std::move(progress).error());
    op.message = progress.error().what();
    if (may_pass(progress.error())) return std::optional(Millis(1000));
    return fail_operation(ctx, work);
  }
  if (!progress->done()) {
    op.message = "waiting for " + progress->waiting;
    return std::optional(progress->again);
  }
  for (auto& result : op.results)
    if (!result.hook && result.outcome == "Running") result.outcome = "Succeeded";
  finish(ctx, op, "Succeeded", dry_run ? "successfully synced (dry run)" : "successfully synced (all tasks run)");
  if (!dry_run) remember(work);
  if (!dry_run)
    work.happen("Normal", work.app.front->end_reason(true),
                fmt::format("Sync operation to {} succeeded", op.revision().substr(0, 12)));
  LOG(info, "gitops.synced", {"app", work.app.key.name}, {"revision", op.revision()});
  return std::optional<Millis>();
}

// From here on writes are made as whom the project says; what is there is still read by ourselves.
Result<> act_as(const Ctx& ctx, Work& work) {
  if (work.app.front != &argo_front()) return {};
  TRY(auto user, work.project.acting_user(ctx, work.context.home(), work.app));
  if (user.empty()) return {};
  if (!work.context.as_user) return fail(Kind::denied, "nobody can be impersonated here, and {} is to sync this", user);
  TRY(auto client, work.context.as_user(user));
  work.writer = writes_through(work.context.client, std::move(client));
  return {};
}

}  // namespace

bool selected(const Operation& op, const kube::Type& type, const kube::Key& key) {
  if (!op.selective()) return true;
  for (const auto& want : op.sync()["resources"].items()) {
    auto ns = want["namespace"].text();
    if (want["group"].text() == type.group() && want["kind"].text() == type.kind && want["name"].text() == key.name &&
        (ns.empty() || ns == key.ns))
      return true;
  }
  return false;
}

TaskResult& result_of(Operation& op, const kube::Type& type, const kube::Key& key, SyncPhase phase) {
  for (auto& result : op.results)
    if (result.type == type && result.key == key && result.phase == to_string(phase)) return result;
  return op.results.emplace_back(TaskResult{type, key, std::string(to_string(phase)), false, "", "", ""});
}

Result<> record(const Ctx& ctx, Work& work, Recorded what) {
  bool started = what == Recorded::start;
  const auto& front = *work.app.front;
  auto before = front.status_from(work.application).inventory;
  if (what == Recorded::inventory && before == work.status.inventory) return {};
  auto saved = work.status;
  saved.inventory.insert(saved.inventory.end(), before.begin(), before.end());
  std::sort(saved.inventory.begin(), saved.inventory.end());
  saved.inventory.erase(std::unique(saved.inventory.begin(), saved.inventory.end()), saved.inventory.end());
  doc::List patch;
  if (started) {
    // A version that is not the current one is refused as a conflict.
    patch.emplace_back(doc::Map{
        {"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", work.application.resource_version()}});
  }
  patch.emplace_back(doc::Map{{"op", "add"},
                              {"path", "/status"},
                              {"value", front.to_doc(saved, work.application, rfc3339(ctx.clock->wall()))}});
  auto written = work.context.home().patch(
      ctx, work.application.type(), work.application.key(), kube::PatchType::json, std::move(patch),
      {.field_manager = std::string(status_manager), .subresource = front.status_subresource()});
  if (!written) return Fail(std::move(written).error());
  work.versions.insert(written->resource_version());
  return {};
}

Result<std::optional<Millis>> operate(const Ctx& ctx, Work& work) {
  TRY(auto decision, decide(ctx, work));
  if (decision.plan == Plan::wait) return std::optional(decision.wait);
  if (decision.plan == Plan::nothing) return std::optional<Millis>();
  if (decision.started) {
    if (auto asked = check_request(work); !asked) {
      finish(ctx, work.status.operation, "Error", asked.error().what());
      return std::optional<Millis>();
    }
  }
  if (auto acting = act_as(ctx, work); !acting) {
    if (may_pass(acting.error()) || acting.error().is(Kind::cancelled)) return Fail(std::move(acting).error());
    if (decision.plan == Plan::operate)
      finish(ctx, work.status.operation, "Error", acting.error().what());
    else
      work.status.conditions.push_back({"SyncError", acting.error().what()});
    return std::optional<Millis>();
  }
  // What is about to happen is on disk before the first object is: a crash in between leaves nothing unaccounted for,
  // and nothing runs twice.
  TRY_OK(record(ctx, work, decision.started ? Recorded::start : Recorded::inventory));
  if (decision.plan == Plan::operate) return run_operation(ctx, work);
  TRY(auto progress, heal(ctx, work));
  if (progress.done() && work.app.prune) {
    TRY(progress, prune(ctx, work));
  }
  return progress.done() ? std::optional<Millis>() : std::optional(progress.again);
}

}  // namespace slipway::gitops::detail
