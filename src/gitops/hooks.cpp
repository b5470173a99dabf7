#include <algorithm>

#include "base/text.h"
#include "gitops/customizations.h"
#include "gitops/detail/operate.h"
#include "kube/finalizers.h"

namespace slipway::gitops::detail {
namespace {

constexpr std::string_view former_message = "waiting for the former hook to go";

}  // namespace

std::string hook_run(const Operation& op, SyncPhase phase) {
  return is_deletion(phase) ? fmt::format("{}/deletion-{}", op.started_at, op.retries)
                            : fmt::format("{}/{}/{}", op.started_at, op.revision(), to_string(phase));
}

namespace {

// Argo CD's: what would go by itself stays until its outcome is known.
constexpr std::string_view hook_finalizer_name = "argocd.argoproj.io/hook-finalizer";

bool goes_by_itself(const doc::Value& object) {
  doc::View spec = doc::View(object)["spec"];
  return spec["ttlSecondsAfterFinished"].present() || spec["ttlStrategy"].present();
}

bool is_hook_hold(std::string_view finalizer) { return finalizer == hook_finalizer_name; }
bool is_held(const kube::Object& live) { return kube::has_finalizer(live, is_hook_hold); }

// A generated name is this run's own, so that a restart finds the object again.
std::string generated_name(const Task& task, const Operation& op) {
  auto when = parse_rfc3339(op.started_at).value_or(WallTime{});
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
  return fmt::format("{}{}-{}-{}", task.object.str_at({"metadata", "generateName"}), op.revision().substr(0, 7),
                     lower(to_string(task.phase)), seconds);
}

}  // namespace

doc::Value hook_object(const Application& app, const Task& task, const Operation& op) {
  if (task.key.name.empty()) {
    Task named = task;
    named.key.name = generated_name(task, op);
    auto& meta = named.object["metadata"].map();
    meta.set("name", named.key.name);
    meta.erase("generateName");
    return hook_object(app, named, op);
  }
  auto object = applied_object(app, task);
  object["metadata"]["annotations"][operation_annotation] = hook_run(op, task.phase);
  if (goes_by_itself(object)) {
    auto& finalizers = object["metadata"]["finalizers"];
    if (finalizers.if_list() == nullptr) finalizers = doc::List{};
    finalizers.list().emplace_back(hook_finalizer_name);
  }
  return object;
}

Result<> release_hook(const Ctx& ctx, kube::Client& client, const kube::Object& live) {
  if (!is_held(live)) return {};
  auto freed = kube::drop_finalizers(ctx, client, live.type(), live.key(), is_hook_hold);
  return freed ? Result<>{} : Result<>(Fail(std::move(freed).error()));
}

Result<> drop_hook(const Ctx& ctx, kube::Client& client, const kube::Object& live) {
  TRY_OK(release_hook(ctx, client, live));
  if (live.deleting()) return {};
  auto removed = client.remove(ctx, live.type(), live.key(),
                               {.propagation = kube::RemoveOptions::Propagation::background, .uid = live.uid()});
  return !removed && removed.error().is(Kind::not_found) ? Result<>{} : removed;
}

namespace {

// The hook's object as it is now, made when it is not there; nothing while one of an earlier operation is in the way.
Result<std::optional<kube::Object>> live_hook(const Ctx& ctx, Work& work, const Task& task, const doc::Value& object,
                                              TaskResult& result) {
  auto& client = work.writes();
  kube::Key key{task.key.ns, object.str_at({"metadata", "name"})};
  auto ours = object.str_at({"metadata", "annotations", operation_annotation});
  TRY(auto live, client.get(ctx, task.type, key));
  bool former = live && live->annotation(operation_annotation) != ours;
  // Whatever its policy says: how an earlier operation's came out is no answer for this one. (Argo CD applies over it
  // where the policy is HookSucceeded or HookFailed alone, and takes the old outcome.)
  if (former) {
    TRY_OK(drop_hook(ctx, client, *live));
    TRY(live, client.get(ctx, task.type, key));
    if (live) {
      result.outcome = "Running", result.message = former_message;
      return std::optional<kube::Object>();
    }
  }
  if (!live && result.outcome == "Running" && result.message != former_message)
    return fail(Kind::invalid, "{} hook {} was deleted before it completed", to_string(task.phase), key.name);
  if (live && !former) return live;
  TRY(live, client.apply(ctx, object, {.field_manager = std::string(field_manager), .force = true}));
  return live;
}

}  // namespace

Result<> end_hooks(const Ctx& ctx, Work& work, Operation& op) {
  for (auto& result : op.results) {
    if (!result.hook || result.outcome != "Running") continue;
    auto live = work.writes().get(ctx, result.type, result.key);
    if (!live && !live.error().is(Kind::not_found)) return Fail(std::move(live).error());
    if (live && *live && (*live)->annotation(operation_annotation).starts_with(op.started_at + "/"))
      TRY_OK(drop_hook(ctx, work.writes(), **live));
    result.outcome = "Failed", result.message = "terminated";
  }
  return {};
}

Result<HookState> run_hook(const Ctx& ctx, Work& work, Operation& op, const Task& task) {
  auto object = hook_object(work.app, task, op);
  auto& result = result_of(op, task.type, {task.key.ns, object.str_at({"metadata", "name"})}, task.phase);
  result.hook = true;
  if (result.outcome == "Succeeded") return HookState::done;
  if (result.outcome == "Failed") return HookState::failed;
  auto live = live_hook(ctx, work, task, object, result);
  if (!live) {
    if (live.error().retryable() || live.error().is(Kind::conflict) || live.error().is(Kind::cancelled))
      return Fail(std::move(live).error());
    result.outcome = "Failed", result.message = live.error().what();
    return Fail(std::move(live).error().in(fmt::format("hook {}", task.key.name)));
  }
  if (!*live) return HookState::running;
  // How it came out, also when it is on its way out already.
  auto seen = **live;
  if (is_held(seen) && seen.deleting()) {
    auto kept = seen.value();
    kept["metadata"].map().erase("deletionTimestamp");
    seen = kube::Object(std::move(kept));
  }
  auto health = health_of(ctx, work.app, seen);
  if (health && health->health != Health::healthy && health->health != Health::degraded &&
      health->health != Health::unknown) {
    result.outcome = "Running", result.message = health->message;
    return HookState::running;
  }
  bool good = !health || health->health == Health::healthy;
  result.outcome = good ? "Succeeded" : "Failed";
  result.message = health ? health->message : "";
  if (task.delete_policies.contains(good ? DeletePolicy::succeeded : DeletePolicy::failed)) {
    // How it came out is on disk before the evidence goes.
    TRY_OK(record(ctx, work, Recorded::outcome));
    TRY_OK(drop_hook(ctx, work.writes(), **live));
  } else if (is_held(**live)) {
    TRY_OK(record(ctx, work, Recorded::outcome));
    TRY_OK(release_hook(ctx, work.writes(), **live));
  }
  return good ? HookState::done : HookState::failed;
}

}  // namespace slipway::gitops::detail
