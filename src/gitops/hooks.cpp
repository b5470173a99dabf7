#include <algorithm>

#include "base/text.h"
#include "gitops/detail/operate.h"

namespace slipway::gitops::detail {
namespace {

constexpr std::string_view operation_annotation = "slipway.dev/sync-operation";

HookResult& result_of(Operation& op, const Task& task) {
  auto id = task.id();
  for (auto& hook : op.hooks)
    if (hook.id == id && hook.phase == to_string(task.phase)) return hook;
  return op.hooks.emplace_back(HookResult{id, std::string(to_string(task.phase)), "", ""});
}

// generateName hooks get a name that is theirs for this operation, so that a restart finds them again.
doc::Value hook_object(const Application& app, const Task& task, const Operation& op) {
  auto object = applied_object(app, task);
  auto& meta = object["metadata"].map();
  meta["annotations"][operation_annotation] = op.started_at + "/" + op.revision;
  if (task.key.name.empty()) {
    auto when = parse_rfc3339(op.started_at).value_or(WallTime{});
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
    meta.set("name", fmt::format("{}{}-{}-{}", object.str_at({"metadata", "generateName"}), op.revision.substr(0, 7), lower(to_string(task.phase)), seconds));
    meta.erase("generateName");
  }
  return object;
}

Result<> drop(const Ctx& ctx, kube::Client& client, const kube::Object& live) {
  auto removed = client.remove(ctx, live.type(), live.key(), {.propagation = kube::RemoveOptions::Propagation::background, .uid = live.uid()});
  return !removed && removed.error().is(Kind::not_found) ? Result<>{} : removed;
}

}  // namespace

Result<HookState> run_hook(const Ctx& ctx, const SyncContext& context, const Application& app, const Task& task, Operation& op) {
  auto& result = result_of(op, task);
  if (result.outcome == "Succeeded") return HookState::done;
  if (result.outcome == "Failed") return HookState::failed;
  auto object = hook_object(app, task, op);
  kube::Key key{task.key.ns, object.str_at({"metadata", "name"})};
  auto ours = object.str_at({"metadata", "annotations", operation_annotation});
  TRY(auto live, context.client.get(ctx, task.type, key));
  if (live && live->annotation(operation_annotation) != ours) {
    // One of an earlier operation is in the way.
    if (task.delete_policies.contains(DeletePolicy::before_creation)) {
      if (!live->deleting()) TRY_OK(drop(ctx, context.client, *live));
      result.outcome = "Running", result.message = "waiting for the former hook to go";
      TRY(live, context.client.get(ctx, task.type, key));
      if (live) return HookState::running;
    }
  }
  if (!live) {
    TRY(live, context.client.apply(ctx, object, {.field_manager = std::string(field_manager), .force = true}));
    result.outcome = "Running", result.message = "";
  }
  auto health = health_of(*live);
  if (health && health->health != Health::healthy && health->health != Health::degraded && health->health != Health::unknown) {
    result.outcome = "Running", result.message = health->message;
    return HookState::running;
  }
  bool good = !health || health->health == Health::healthy;
  result.outcome = good ? "Succeeded" : "Failed";
  result.message = health ? health->message : "";
  if (task.delete_policies.contains(good ? DeletePolicy::succeeded : DeletePolicy::failed)) TRY_OK(drop(ctx, context.client, *live));
  return good ? HookState::done : HookState::failed;
}

}  // namespace slipway::gitops::detail
