// Deleting: what Git no longer holds, and everything when the Application goes.
#include <algorithm>

#include "base/log.h"
#include "gitops/detail/operate.h"
#include "gitops/front.h"

namespace slipway::gitops::detail {
namespace {

// A person agrees by an annotation that is younger than what asks.
bool agreed(const std::string& approved, const std::string& since) {
  auto when = parse_rfc3339(approved), asked = parse_rfc3339(since);
  return when && (!asked || *when >= *asked);
}

// Deletes one object. Gives whether it is still there.
Result<bool> remove_one(const Ctx& ctx, kube::Client& client, const kube::Object& live,
                        kube::RemoveOptions::Propagation propagation) {
  if (!live.deleting()) {
    auto removed = client.remove(ctx, live.type(), live.key(), {.propagation = propagation, .uid = live.uid()});
    if (!removed && !removed.error().is(Kind::not_found)) return Fail(std::move(removed).error());
  }
  TRY(auto still, client.get(ctx, live.type(), live.key()));
  return still && still->uid() == live.uid();
}

// Deletes objects in order and stops after a wave of which something is still there. Gives what that is.
Result<std::string> remove_waves(const Ctx& ctx, kube::Client& client, std::vector<kube::Object> objects,
                                 kube::RemoveOptions::Propagation propagation, std::set<std::string>& gone) {
  std::stable_sort(objects.begin(), objects.end(), deleted_before);
  std::string waiting;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (!waiting.empty() && wave_of(objects[i]) != wave_of(objects[i - 1])) break;
    TRY(auto still, remove_one(ctx, client, objects[i], propagation));
    if (still && waiting.empty()) waiting = fmt::format("deletion of {}/{}", objects[i].kind(), objects[i].name());
    if (!still) gone.insert(objects[i].uid());
  }
  return waiting;
}

}  // namespace

bool deleted_before(const kube::Object& a, const kube::Object& b) {
  auto wave_a = wave_of(a), wave_b = wave_of(b);
  return wave_a != wave_b ? wave_a > wave_b : kind_rank(a.kind()) > kind_rank(b.kind());
}

Result<Progress> prune(const Ctx& ctx, Work& work) {
  auto& status = work.status;
  auto& op = status.operation;
  bool wanted = work.app.prune || (op.running() && op.sync()["prune"].bool_or(false));
  bool nothing_wanted = std::all_of(work.tasks.begin(), work.tasks.end(), [](const Task& task) { return task.hook; });
  std::vector<kube::Object> objects;
  std::string consent;
  for (auto& r : status.resources) {
    if (!r.extra) continue;
    auto permission = options_of(work.app.options, r.live).prune;
    if (!wanted || permission == Permission::no) {
      if (op.running()) {
        auto& result = result_of(op, r.type, r.key, SyncPhase::sync);
        result.status = "PruneSkipped", result.outcome = "Succeeded",
        result.message = wanted ? "ignored (no prune)" : "ignored (requires pruning)";
      }
      continue;
    }
    if (permission == Permission::confirm && !agreed(work.app.deletion_approved, op.started_at)) {
      r.needs_consent = true;
      if (consent.empty())
        consent =
            fmt::format("approval to delete {}/{}: annotate the Application with argocd.argoproj.io/deletion-approved",
                        r.type.kind, r.key.name);
      continue;
    }
    objects.push_back(r.live);
  }
  if (objects.empty()) return Progress{consent};
  if (nothing_wanted && !work.app.allow_empty) {
    status.conditions.push_back({"SyncError",
                                 "the revision holds no objects and pruning would delete all; set "
                                 "syncPolicy.automated.allowEmpty to allow it"});
    return Progress{};
  }
  std::set<std::string> gone;  // uids
  TRY(auto waiting, remove_waves(ctx, work.context.client, objects, work.app.options.propagation, gone));
  for (const auto& object : objects) {
    if (!gone.contains(object.uid())) continue;
    LOG(info, "gitops.pruned", {"app", work.app.key.name}, {"object", object.describe()});
    std::erase_if(status.inventory, [&](const InventoryEntry& entry) {
      return entry.key == object.key() && entry.type == object.type();
    });
    if (!op.running()) continue;
    auto& result = result_of(op, object.type(), object.key(), SyncPhase::sync);
    result.status = "Pruned", result.outcome = "Succeeded", result.message = "pruned";
  }
  std::erase_if(status.resources, [&](const Compared& r) { return r.extra && gone.contains(r.live.uid()); });
  return Progress{waiting.empty() ? consent : waiting};
}

Result<Looked> tear_down(const Ctx& ctx, const SyncContext& context, const kube::Object& application,
                         AppStatus status) {
  Looked looked;
  const auto& front = front_of(application.type());
  auto propagation = front.cascade_of(application);
  auto finalizers = application["metadata"]["finalizers"].items();
  if (std::none_of(finalizers.begin(), finalizers.end(), [&](doc::View f) { return front.is_our_finalizer(f.text()); }))
    return looked;
  auto now = rfc3339(ctx.clock->wall());
  SyncOptions options;
  for (const auto& text : application["spec"]["syncPolicy"]["syncOptions"].items())
    (void)read_option(options, text.text());
  std::vector<kube::Object> objects;
  std::vector<InventoryEntry> left;
  std::string waiting;
  for (const auto& entry : status.inventory) {
    if (!propagation) continue;
    if (entry.type.kind == "CustomResourceDefinition" && !front.takes_definitions()) continue;
    auto live = context.client.get(ctx, entry.type, entry.key);
    if (!live && live.error().is(Kind::not_found)) continue;
    if (!live) return Fail(std::move(live).error());
    if (!*live || owner_of(**live) != front.owner(application.key())) continue;
    auto permission = options_of(options, **live).remove;
    if (permission == Permission::no) continue;
    left.push_back(entry);
    bool approved = agreed(application.annotation("argocd.argoproj.io/deletion-approved"),
                           application["metadata"]["deletionTimestamp"].text());
    if (permission == Permission::confirm && !approved)
      waiting = fmt::format("approval to delete {}: annotate the Application with argocd.argoproj.io/deletion-approved",
                            (*live)->describe());
    else
      objects.push_back(**live);
  }
  std::set<std::string> gone;  // uids
  TRY(auto deleting, remove_waves(ctx, context.client, objects, propagation.value_or(options.propagation), gone));
  if (waiting.empty()) waiting = deleting;
  if (!waiting.empty()) {
    status.inventory = left;
    status.conditions = {{"DeletionWarning", "waiting for " + waiting}};
    looked.status = front.to_doc(status, application, now);
    looked.again = Millis(1000);
    for (const auto& entry : left) looked.types.push_back(entry.type);
    return looked;
  }
  context.comparer.forget(application.key().str());
  context.renderer.forget(application.key());
  auto freed = kube::modify(
      ctx, context.home(), application.type(), application.key(), {}, [&front](doc::Value& object) -> Result<bool> {
        auto* meta = object.if_map()->find("metadata");
        auto* list = meta != nullptr && meta->if_map() != nullptr ? meta->if_map()->find("finalizers") : nullptr;
        if (list == nullptr || list->if_list() == nullptr) return false;
        return std::erase_if(*list->if_list(), [&front](const doc::Value& f) {
                 return f.if_string() != nullptr && front.is_our_finalizer(*f.if_string());
               }) > 0;
      });
  if (!freed && !freed.error().is(Kind::not_found)) return Fail(std::move(freed).error());
  return looked;
}

}  // namespace slipway::gitops::detail
