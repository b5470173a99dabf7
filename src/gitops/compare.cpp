#include "gitops/compare.h"

#include "base/hash.h"
#include "doc/json.h"
#include "doc/patch.h"

namespace slipway::gitops {
namespace {

// Paths that no comparison looks at.
doc::Value stripped(const doc::Value& object) {
  auto copy = object;
  if (auto* map = copy.if_map()) {
    map->erase("status");
    if (auto* meta = map->find("metadata"))
      if (auto* m = meta->if_map())
        for (auto key : {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"}) m->erase(key);
  }
  return copy;
}

bool concerns(const IgnoreDifference& ignore, const Task& task) {
  auto fits = [](const std::string& pattern, std::string_view value) { return pattern.empty() || pattern == "*" || pattern == value; };
  return (ignore.group == "*" || ignore.group == task.type.group()) && fits(ignore.kind, task.type.kind) && fits(ignore.name, task.key.name) &&
         fits(ignore.ns, task.key.ns);
}

// Fields that ignoreDifferences names take the live value, so that they are neither reported nor changed.
Result<doc::Value> with_ignored(const Application& app, const Task& task, doc::Value desired, const kube::Object& live) {
  for (const auto& ignore : app.ignore) {
    if (!concerns(ignore, task)) continue;
    for (const auto& pointer : ignore.pointers) {
      auto mine = doc::pointer_get(desired, pointer);
      if (!mine) continue;
      auto theirs = doc::pointer_get(live.value(), pointer);
      doc::Map operation{{"op", theirs ? "replace" : "remove"}, {"path", pointer}};
      if (theirs) operation.set("value", *theirs);
      TRY(desired, doc::json_patch(desired, doc::List{std::move(operation)}));
    }
  }
  return desired;
}

void keep_pod_hash(doc::Value& desired, const kube::Object& live) {
  constexpr std::string_view key = "rollouts-pod-template-hash";
  auto hash = live["spec"]["selector"][key].text();
  if (live.kind() == "Service" && !hash.empty() && desired.find_path({"spec", "selector"}) != nullptr) desired["spec"]["selector"][key] = hash;
}

}  // namespace

std::string_view to_string(SyncState state) {
  static constexpr std::string_view names[] = {"Synced", "OutOfSync", "Unknown"};
  return names[static_cast<int>(state)];
}

std::string tracking_id(const Application& app, const Task& task) {
  return fmt::format("{}:{}/{}:{}/{}", app.key.name, task.type.group(), task.type.kind, task.key.ns, task.key.name);
}

doc::Value applied_object(const Application& app, const Task& task) {
  auto object = task.object;
  object.map().erase("status");
  auto& meta = object["metadata"].map();
  meta.erase("creationTimestamp");
  meta["annotations"][tracking_annotation] = tracking_id(app, task);
  return object;
}

Result<doc::Value> applied_over(const Application& app, const Task& task, const kube::Object& live) {
  auto desired = applied_object(app, task);
  if (!live) return desired;
  keep_pod_hash(desired, live);
  return with_ignored(app, task, std::move(desired), live);
}

Result<Compared> Comparer::compare(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task) {
  Compared result{task.type, task.key};
  result.task = &task;
  TRY(auto live, client.get(ctx, task.type, task.key));
  if (!live) {
    result.state = SyncState::out_of_sync;
    result.missing = true;
    result.health = HealthStatus{Health::missing, ""};
    return result;
  }
  result.live = *live;
  if (!task.ignore_health) result.health = health_of(*live);
  TRY(auto desired, applied_over(app, task, *live));
  auto digest = sha256_hex(doc::print_json(desired));
  auto slot = app.key.str() + "|" + task.id();
  {
    auto known = known_.lock();
    auto found = known->find(slot);
    if (found != known->end() && found->second.desired == digest && found->second.live_version == live->resource_version()) {
      result.state = found->second.state;
      result.fields = found->second.fields;
      return result;
    }
  }
  auto would = client.apply(ctx, desired, {.field_manager = std::string(field_manager), .dry_run = true, .force = true});
  if (!would) {
    if (would.error().is(Kind::invalid) || would.error().is(Kind::denied)) {
      result.state = SyncState::out_of_sync;
      result.message = would.error().what();
      return result;
    }
    return Fail(std::move(would).error());
  }
  for (auto& change : doc::diff(stripped(live->value()), stripped(would->value()))) {
    if (result.fields.size() == 20) break;
    result.fields.push_back(std::move(change.path));
  }
  result.state = result.fields.empty() ? SyncState::synced : SyncState::out_of_sync;
  (*known_.lock())[slot] = {digest, live->resource_version(), result.state, result.fields};
  return result;
}

void Comparer::forget(const std::string& application) {
  auto known = known_.lock();
  std::erase_if(*known, [&](const auto& entry) { return entry.first.starts_with(application + "|"); });
}

}  // namespace slipway::gitops
