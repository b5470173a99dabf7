#include "gitops/detail/operate.h"

#include <algorithm>

#include "base/log.h"

namespace slipway::gitops::detail {
namespace {

Compared* resource_of(AppStatus& status, const Task& task) {
  for (auto& r : status.resources)
    if (r.task == &task) return &r;
  return nullptr;
}

bool out_of_sync(const Compared& r) { return !r.extra && r.state != SyncState::synced; }

// The inventory is on disk before the first object is: a crash in between leaves nothing unaccounted for.
Result<> save_inventory(const Ctx& ctx, const SyncContext& context, const kube::Object& application, const AppStatus& status) {
  auto before = status_from(application).inventory;
  if (before == status.inventory) return {};
  auto all = status.inventory;
  all.insert(all.end(), before.begin(), before.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  auto saved = status;
  saved.inventory = std::move(all);
  auto full = to_doc(saved, application, rfc3339(ctx.clock->wall()));
  doc::Map patch{{"status", doc::Map{{"inventory", *full.find("inventory")}}}};
  auto r = context.client.patch(ctx, application.type(), application.key(), kube::PatchType::merge, std::move(patch), {});
  return r ? Result<>{} : Result<>(Fail(std::move(r).error()));
}

void report(const SyncContext& context, const Application& app, const AppStatus& status, const Compared& r, bool healed) {
  LOG(warn, "gitops.drift", {"app", app.key.name}, {"object", fmt::format("{} {}", r.type.kind, r.key.str())}, {"deleted", r.missing}, {"healed", healed});
  if (context.drift) context.drift({app.key, r.type, r.key, r.missing, r.fields, status.revision, healed});
}

// Applies what differs from Git although this revision was synced before. Gives when to try again what must wait.
Result<std::optional<Millis>> heal(const Ctx& ctx, const SyncContext& context, const Application& app, AppStatus& status) {
  std::optional<Millis> again;
  for (auto& r : status.resources) {
    if (!out_of_sync(r) || r.task == nullptr) continue;
    auto pause = context.pacer.ask(app.key.str() + "|" + r.task->id());
    if (pause > Millis(0)) {
      again = again ? std::min(*again, pause) : pause;
      continue;
    }
    auto applied = apply_task(ctx, context.client, app, *r.task, r.live);
    if (!applied) {
      if (applied.error().is(Kind::cancelled)) return Fail(std::move(applied).error());
      status.conditions.push_back({"SyncError", applied.error().what()});
      again = Millis(5000);
      continue;
    }
    report(context, app, status, r, true);
    r.state = SyncState::synced, r.missing = false, r.live = *applied, r.health = health_of(*applied), r.fields.clear();
  }
  return again;
}

void finish(const Ctx& ctx, Operation& op, std::string phase, std::string message) {
  op.phase = std::move(phase), op.message = std::move(message);
  op.finished_at = rfc3339(ctx.clock->wall());
}

// All of the steps that can be taken now. done: the operation has come to its end, well or not.
struct Progress {
  bool done = false;
  std::string waiting;
};
Result<Progress> advance(const Ctx& ctx, const SyncContext& context, const Application& app, const std::vector<Task>& tasks, AppStatus& status) {
  auto steps = steps_of(tasks);
  auto& op = status.operation;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    bool gated = i + 1 < steps.size();
    std::string waiting;
    for (const auto* task : steps[i].tasks) {
      if (task->hook) {
        TRY(auto state, run_hook(ctx, context, app, *task, op));
        if (state == HookState::failed) return fail(Kind::invalid, "{} hook {} failed", to_string(task->phase), task->key.name);
        if (state == HookState::running && waiting.empty()) waiting = fmt::format("completion of hook {}/{}", task->type.kind, task->key.name);
        continue;
      }
      auto* r = resource_of(status, *task);
      if (r == nullptr) continue;
      if (r->state != SyncState::synced) {
        TRY(r->live, apply_task(ctx, context.client, app, *task, r->live));
        r->state = SyncState::synced, r->missing = false, r->fields.clear(), r->message.clear();
        if (!task->ignore_health) r->health = health_of(r->live);
      }
      if (!gated || !r->health) continue;
      if (r->health->health == Health::degraded)
        return fail(Kind::invalid, "{} {} is degraded in wave {}: {}", task->type.kind, task->key.name, steps[i].wave, r->health->message);
      if (r->health->health != Health::healthy && waiting.empty()) waiting = fmt::format("healthy state of {}/{}", task->type.kind, task->key.name);
    }
    if (!waiting.empty()) return Progress{false, "waiting for " + waiting};
  }
  return Progress{true, ""};
}

// Deletes what Git no longer holds, what was created last going first. Never everything unless asked for.
Result<> prune(const Ctx& ctx, const SyncContext& context, const Application& app, const std::vector<Task>& tasks, AppStatus& status) {
  std::vector<Compared*> extras;
  for (auto& r : status.resources)
    if (r.extra && !r.live.deleting()) extras.push_back(&r);
  if (extras.empty()) return {};
  if (tasks.empty() && !app.allow_empty) {
    status.conditions.push_back({"SyncError", "the revision holds no objects and pruning would delete all; set syncPolicy.automated.allowEmpty to allow it"});
    return {};
  }
  std::stable_sort(extras.begin(), extras.end(), [](const Compared* a, const Compared* b) { return kind_rank(a->type.kind) > kind_rank(b->type.kind); });
  for (auto* r : extras) {
    if (r->live.annotation("argocd.argoproj.io/sync-options").contains("Prune=false")) continue;
    auto options = prune_options(app);
    options.uid = r->live.uid();
    auto removed = context.client.remove(ctx, r->type, r->key, options);
    if (!removed && !removed.error().is(Kind::not_found)) return removed;
  }
  return {};
}

void run_sync_fail_hooks(const Ctx& ctx, const SyncContext& context, const Application& app, const std::vector<Task>& tasks, Operation& op) {
  for (const auto& task : tasks)
    if (task.hook && task.phase == SyncPhase::sync_fail) (void)run_hook(ctx, context, app, task, op);
}

void remember(AppStatus& status, const Application& app, const std::string& now) {
  if (!status.history.empty() && status.history.back().revision == status.revision) return;
  std::int64_t id = status.history.empty() ? 0 : status.history.back().id + 1;
  status.history.push_back({id, status.revision, now});
  while (static_cast<std::int64_t>(status.history.size()) > app.history_limit) status.history.erase(status.history.begin());
}

enum class Plan { nothing, operate, heal, wait };

// What to do, from what was found and what was tried before.
Plan decide(const Ctx& ctx, const Application& app, const kube::Object& application, AppStatus& status, Millis& wait_for) {
  auto& op = status.operation;
  auto now = rfc3339(ctx.clock->wall());
  auto start = [&](std::string who, std::int64_t retries) {
    op = {"Running", status.revision, now, "", "", std::move(who), retries, {}};
    return Plan::operate;
  };
  if (application["operation"]["sync"].present()) {
    auto who = application["operation"]["initiatedBy"]["username"].str_or("unknown");
    return start(who, 0);
  }
  // A newer commit is taken at once, also by an operation that is stuck on an older one.
  if (op.running()) return op.revision == status.revision ? Plan::operate : start(op.initiated_by, 0);
  if (!app.automated) return Plan::nothing;
  bool differs = std::any_of(status.resources.begin(), status.resources.end(), [&](const Compared& r) { return out_of_sync(r) || (r.extra && app.prune); });
  if (op.revision != status.revision) return start("", 0);
  if (!differs) return Plan::nothing;
  if (op.phase == "Succeeded") return app.self_heal ? Plan::heal : Plan::nothing;
  if (app.retry.limit >= 0 && op.retries >= app.retry.limit) {
    status.conditions.push_back({"SyncError", fmt::format("Failed last sync attempt to {}: {}", op.revision.substr(0, 7), op.message)});
    return Plan::nothing;
  }
  double pause = static_cast<double>(app.retry.first.count());
  for (std::int64_t i = 0; i < op.retries && pause < 1e7; ++i) pause *= app.retry.factor;
  auto due = parse_rfc3339(op.finished_at).value_or(WallTime{}) + std::min(Millis(static_cast<std::int64_t>(pause)), app.retry.max);
  if (due > ctx.clock->wall()) {
    wait_for = std::chrono::duration_cast<Millis>(due - ctx.clock->wall()) + Millis(1);
    return Plan::wait;
  }
  return start(op.initiated_by, op.retries + 1);
}

}  // namespace

kube::RemoveOptions prune_options(const Application& app) {
  kube::RemoveOptions options;
  using P = kube::RemoveOptions::Propagation;
  options.propagation = app.options.prune_propagation == "background" ? P::background : app.options.prune_propagation == "orphan" ? P::orphan : P::foreground;
  return options;
}

Result<kube::Object> apply_task(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task, const kube::Object& live) {
  TRY(auto object, applied_over(app, task, live));
  kube::WriteOptions options{.field_manager = std::string(field_manager), .force = true};
  auto applied = client.apply(ctx, object, options);
  if (applied || !app.options.create_namespace || !applied.error().is(Kind::not_found)) return applied;
  TRY(auto ns, client.get(ctx, {"v1", "Namespace"}, {"", task.key.ns}));
  if (ns) return applied;
  TRY_OK(client.apply(ctx, kube::make_object({"v1", "Namespace"}, {"", task.key.ns}), options));
  return client.apply(ctx, std::move(object), options);
}

Result<std::optional<Millis>> operate(const Ctx& ctx, const SyncContext& context, const Application& app, const kube::Object& application,
                                      const std::vector<Task>& tasks, AppStatus& status) {
  Millis wait_for{0};
  auto plan = decide(ctx, app, application, status, wait_for);
  std::optional<Millis> again;
  if (plan == Plan::wait) again = wait_for;
  if (plan == Plan::nothing || plan == Plan::wait) return again;
  TRY_OK(save_inventory(ctx, context, application, status));
  if (plan == Plan::heal) {
    TRY(again, heal(ctx, context, app, status));
    if (app.prune) TRY_OK(prune(ctx, context, app, tasks, status));
    return again;
  }
  auto& op = status.operation;
  auto progress = advance(ctx, context, app, tasks, status);
  if (!progress) {
    if (progress.error().is(Kind::cancelled)) return Fail(std::move(progress).error());
    run_sync_fail_hooks(ctx, context, app, tasks, op);
    finish(ctx, op, "Failed", progress.error().what());
    LOG(warn, "gitops.sync_failed", {"app", app.key.name}, {"revision", op.revision}, {"error", op.message});
    return std::optional(app.retry.first);
  }
  if (!progress->done) {
    op.message = progress->waiting;
    return std::optional(Millis(5000));
  }
  bool asked = application["operation"]["sync"]["prune"].bool_or(false);
  if (app.prune || asked) TRY_OK(prune(ctx, context, app, tasks, status));
  finish(ctx, op, "Succeeded", "successfully synced (all tasks run)");
  remember(status, app, op.finished_at);
  LOG(info, "gitops.synced", {"app", app.key.name}, {"revision", op.revision});
  return again;
}

Result<Looked> tear_down(const Ctx& ctx, const SyncContext& context, const Application& app, const kube::Object& application, AppStatus status) {
  Looked looked;
  if (!app.finalizer) return looked;
  auto entries = status.inventory;
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return kind_rank(a.type.kind) > kind_rank(b.type.kind); });
  std::vector<InventoryEntry> left;
  for (const auto& entry : entries) {
    if (entry.type.kind == "CustomResourceDefinition") continue;  // as Argo CD: never with the application
    auto live = context.client.get(ctx, entry.type, entry.key);
    if (!live && live.error().is(Kind::not_found)) continue;
    if (!live) return Fail(std::move(live).error());
    if (!*live || !(*live)->annotation(tracking_annotation).starts_with(app.key.name + ":")) continue;
    left.push_back(entry);
    if (!(*live)->deleting()) {
      auto removed = context.client.remove(ctx, entry.type, entry.key, prune_options(app));
      if (!removed && !removed.error().is(Kind::not_found)) return Fail(std::move(removed).error());
    }
  }
  if (!left.empty()) {
    status.inventory = left;
    looked.status = to_doc(status, application, rfc3339(ctx.clock->wall()));
    looked.again = Millis(200);
    for (const auto& entry : left) looked.types.push_back(entry.type);
    return looked;
  }
  context.comparer.forget(app.key.str());
  auto freed = kube::modify(ctx, context.client, application.type(), application.key(), {}, [](doc::Value& object) -> Result<bool> {
    auto* meta = object.if_map()->find("metadata");
    auto* finalizers = meta != nullptr && meta->if_map() != nullptr ? meta->if_map()->find("finalizers") : nullptr;
    if (finalizers == nullptr || finalizers->if_list() == nullptr) return false;
    return std::erase_if(*finalizers->if_list(), [](const doc::Value& f) {
             const auto* text = f.if_string();
             return text != nullptr && text->starts_with("resources-finalizer.argocd.argoproj.io");
           }) > 0;
  });
  if (!freed && !freed.error().is(Kind::not_found)) return Fail(std::move(freed).error());
  return looked;
}

}  // namespace slipway::gitops::detail
