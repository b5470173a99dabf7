// Deleting what Git no longer holds.
#include <algorithm>

#include "base/log.h"
#include "gitops/detail/operate.h"

namespace slipway::gitops::detail {
namespace {

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

}  // namespace

bool agreed(const std::string& approved, const std::string& since) {
  auto when = parse_rfc3339(approved), asked = parse_rfc3339(since);
  return when && (!asked || *when >= *asked);
}

bool deleted_before(const kube::Object& a, const kube::Object& b) {
  auto wave_a = wave_of(a), wave_b = wave_of(b);
  return wave_a != wave_b ? wave_a > wave_b : kind_rank(a.kind()) > kind_rank(b.kind());
}

Result<std::string> remove_waves(const Ctx& ctx, kube::Client& client, std::vector<kube::Object> objects,
                                 kube::RemoveOptions::Propagation propagation, std::set<std::string>& gone,
                                 std::set<std::string>& asked) {
  std::stable_sort(objects.begin(), objects.end(), deleted_before);
  std::string waiting;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (!waiting.empty() && wave_of(objects[i]) != wave_of(objects[i - 1])) break;
    TRY(auto still, remove_one(ctx, client, objects[i], propagation));
    asked.insert(objects[i].uid());
    if (still && waiting.empty()) waiting = fmt::format("deletion of {}/{}", objects[i].kind(), objects[i].name());
    if (!still) gone.insert(objects[i].uid());
  }
  return waiting;
}

Result<Progress> prune(const Ctx& ctx, Work& work) {
  auto& status = work.status;
  auto& op = status.operation;
  bool wanted = work.app.prune || (op.running() && op.sync()["prune"].bool_or(false));
  bool nothing_wanted = std::all_of(work.tasks.begin(), work.tasks.end(), [](const Task& task) { return task.hook; });
  std::vector<kube::Object> objects;
  std::string consent;
  for (auto& r : status.resources) {
    if (!r.extra || (op.running() && !selected(op, r.type, r.key))) continue;
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
  // All or nothing: what is asked about is one change.
  auto over = work.app.delete_budget.refusal(objects.size(), status.inventory.size(), "objects");
  if (!over.empty() && !agreed(work.app.deletion_approved, op.started_at)) {
    for (auto& r : status.resources)
      r.needs_consent = r.needs_consent || std::any_of(objects.begin(), objects.end(), [&](const kube::Object& object) {
                          return r.extra && object.uid() == r.live.uid();
                        });
    auto asked = fmt::format("approval to delete {}: annotate {} with {}", over, work.app.key.name, work.app.approval);
    status.conditions.push_back({"DeletionWarning", "waiting for " + asked});
    return Progress{asked};
  }
  std::set<std::string> gone, asked;  // uids
  TRY(auto waiting, remove_waves(ctx, work.writes(), objects, work.app.options.propagation, gone, asked));
  for (const auto& object : objects) {
    if (op.running() && asked.contains(object.uid())) {
      auto& result = result_of(op, object.type(), object.key(), SyncPhase::sync);
      result.status = "Pruned", result.message = "pruned";
      result.outcome = gone.contains(object.uid()) ? "Succeeded" : "Running";  // the operation ends when it is gone
    }
    if (!gone.contains(object.uid())) continue;
    LOG(info, "gitops.pruned", {"app", work.app.key.name}, {"object", object.describe()});
    std::erase_if(status.inventory, [&](const InventoryEntry& entry) {
      return entry.key == object.key() && entry.type == object.type();
    });
  }
  std::erase_if(status.resources, [&](const Compared& r) { return r.extra && gone.contains(r.live.uid()); });
  return Progress{waiting.empty() ? consent : waiting};
}

}  // namespace slipway::gitops::detail
