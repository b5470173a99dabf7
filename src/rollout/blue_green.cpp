#include "rollout/detail/work.h"

namespace slipway::rollout::detail {
namespace {

bool at_checkpoint(const Work& work) {
  return work.now_status()["blueGreen"]["scaleUpPreviewCheckPoint"].bool_or(false);
}
bool is_active(const Work& work) { return work.selected(work.spec.blue_green->active_service) == work.new_hash; }

std::int64_t wanted_pods(Work& work) {
  const auto& b = *work.spec.blue_green;
  bool preview = b.preview_replicas && work.stable() != nullptr && !work.is_stable() && !at_checkpoint(work) &&
                 !is_active(work) && !work.promote_full();
  return preview ? *b.preview_replicas : work.spec.replicas;
}

void scale(Work& work) {
  auto *fresh = work.fresh(), *stable = work.stable();
  if (stable != nullptr && stable != fresh) {
    work.scale(*stable, work.spec.replicas);
    work.clear_deadline(*stable);
  }
  if (!work.aborted() || stable == fresh || stable == nullptr) {
    work.clear_deadline(*fresh);
    work.scale(*fresh, wanted_pods(work));
    return;
  }
  auto delay = work.spec.abort_delay();
  if (fresh->wanted == 0 || !delay) return;
  work.set_deadline(*fresh, delay);
  if (*fresh->deadline > work.state.now) return work.wake_at(*fresh->deadline);
  work.scale(*fresh, 0);
  work.clear_deadline(*fresh);
}

// Runs an analysis of the promotion; true when it has passed (or there is none).
bool passed(Work& work, const std::optional<Analysis>& analysis, const RunName& name, const char* field) {
  if (!analysis) return true;
  doc::Value summary;
  auto verdict = follow_run(work, *analysis, name, summary);
  if (!summary.is_null()) work.status["blueGreen"][field] = summary;
  if (verdict == Verdict::failed)
    work.abort(fmt::format("{} analysis phase error/failed: {}", name.type, summary.str_at({"message"})));
  if (verdict != Verdict::inconclusive) return verdict == Verdict::successful;
  if (work.now_status()["controllerPause"].bool_or(false) && !work.has_pause()) return true;  // a person decided
  work.add_pause("InconclusiveAnalysisRun");
  return false;
}

// Whether the active service may move now.
bool may_switch(Work& work) {
  const auto& b = *work.spec.blue_green;
  if (work.promote_full()) return true;
  auto* fresh = work.fresh();
  if (!at_checkpoint(work)) {
    if (fresh->available < fresh->wanted || fresh->wanted < wanted_pods(work)) return false;
    if (!passed(work, b.before, {"PrePromotion", "-pre"}, "prePromotionAnalysisRunStatus")) return false;
    bool waits = !b.auto_promotion || b.auto_promotion_seconds;
    if (waits) {
      auto since = work.paused_since("BlueGreenPause");
      bool promoted = !since && work.now_status()["controllerPause"].bool_or(false) && !work.has_pause();
      if (!since && !promoted) {
        work.add_pause("BlueGreenPause");
        since = work.state.now;
      }
      if (!promoted) {
        if (!b.auto_promotion || !b.auto_promotion_seconds) return false;
        auto until = *since + std::chrono::seconds(*b.auto_promotion_seconds);
        if (work.state.now < until) {
          work.wake_at(until);
          return false;
        }
      }
    }
    work.clear_pauses();
    work.status["blueGreen"]["scaleUpPreviewCheckPoint"] = true;
    work.wake_now();
    if (b.preview_replicas) return false;  // the full size comes first
  }
  return true;
}

void switch_services(Work& work) {
  const auto& b = *work.spec.blue_green;
  auto* fresh = work.fresh();
  work.select(b.preview_service, work.new_hash);
  bool full = fresh->available >= work.spec.replicas && fresh->wanted >= work.spec.replicas;
  auto active = work.selected(b.active_service);
  auto go = [&](const std::string& hash) {
    work.select(b.active_service, hash);
    active = hash;
  };
  if (work.stable() == nullptr) {
    if (full && active != work.new_hash) go(work.new_hash);
  } else if (work.aborted()) {
    if (active != work.stable_hash()) go(work.stable_hash());
  } else if (work.is_stable()) {
    if (active != work.new_hash && fresh->available > 0) go(work.new_hash);
  } else if (active != work.new_hash && !work.spec.paused && may_switch(work) && full && !work.aborted()) {
    go(work.new_hash);
  }
  auto& status = work.status["blueGreen"];
  if (active.empty())
    status.map().erase("activeSelector");
  else
    status["activeSelector"] = active;
  if (!b.preview_service.empty()) status["previewSelector"] = work.new_hash;
}

void promote_if_done(Work& work) {
  auto* fresh = work.fresh();
  auto active = work.now_status()["blueGreen"]["activeSelector"].str_or("");
  if (work.is_stable() || active != work.new_hash || fresh->available < work.spec.replicas) return;
  bool first = work.stable() == nullptr;
  if (!first && work.aborted()) return;
  if (!first && !work.promote_full() &&
      !passed(work, work.spec.blue_green->after, {"PostPromotion", "-post"}, "postPromotionAnalysisRunStatus")) {
    if (work.aborted()) switch_services(work);
    return;
  }
  auto* old = work.stable();
  work.status["stableRS"] = work.new_hash;
  for (auto key : {"promoteFull", "abort", "abortedAt", "abortMessage", "attempt"}) work.status.map().erase(key);
  work.status["blueGreen"].map().erase("scaleUpPreviewCheckPoint");
  work.clear_pauses();
  if (old != nullptr) work.set_deadline(*old, work.spec.old_delay());
  terminate_runs(work);
  work.event("RolloutCompleted", fmt::format("Rollout completed update to revision {}", fresh->revision));
  work.wake_now();
}

}  // namespace

void blue_green(Work& work) {
  scale(work);
  switch_services(work);
  if (work.aborted())
    terminate_runs(work);
  else
    promote_if_done(work);
  settle_old_sets(work, 0);
}

}  // namespace slipway::rollout::detail
