#include "rollout/detail/work.h"

namespace slipway::rollout::detail {
namespace {

// What the steps up to the present one say.
std::int64_t weight_at(const Work& work, std::int64_t index) {
  const auto& steps = work.spec.canary->steps;
  if (index >= static_cast<std::int64_t>(steps.size())) return 100;
  for (auto i = index; i >= 0; --i)
    if (steps[static_cast<std::size_t>(i)].kind == Step::Kind::set_weight)
      return steps[static_cast<std::size_t>(i)].weight;
  return 0;
}
const Step* scale_step_at(const Work& work, std::int64_t index) {
  const auto& steps = work.spec.canary->steps;
  if (index >= static_cast<std::int64_t>(steps.size())) return nullptr;
  for (auto i = index; i >= 0; --i)
    if (steps[static_cast<std::size_t>(i)].kind == Step::Kind::set_canary_scale)
      return &steps[static_cast<std::size_t>(i)];
  return nullptr;
}

struct Goal {
  std::int64_t weight = 0;  // what the canary is to have
  std::int64_t canary = 0;  // pods of a routed canary
};

Goal goal_of(Work& work) {
  Goal goal;
  auto replicas = work.spec.replicas;
  if (work.is_stable() || work.stable() == nullptr) return {100, replicas};
  if (work.aborted()) return {0, 0};
  auto index = work.promote_full() ? work.step_count() : work.step_index();
  goal.weight = weight_at(work, index);
  auto pods_for = [&](std::int64_t weight) {
    auto pods = (replicas * weight + 99) / 100;
    return pods == 0 ? 0 : std::min(replicas, std::max(pods, work.spec.canary->min_pods));
  };
  goal.canary = pods_for(goal.weight);
  if (const auto* step = work.promote_full() ? nullptr : scale_step_at(work, index)) {
    if (step->scale_replicas)
      goal.canary = *step->scale_replicas;
    else if (step->scale_weight)
      goal.canary = pods_for(*step->scale_weight);
  }
  return goal;
}

// Scales; true when the counts are what the goal wants and available.
bool scale_basic(Work& work, const Goal& goal, std::int64_t& older) {
  auto *fresh = work.fresh(), *stable = work.stable();
  Move move{
      work.spec.replicas, goal.weight, work.spec.canary->surge, work.spec.canary->unavailable, fresh->pods(), {}, {}};
  if (stable != nullptr && stable != fresh) move.stable = stable->pods();
  for (const auto& set : work.sets)
    if (&set != fresh && &set != stable) move.older.wanted += set.wanted, move.older.available += set.available;
  if (stable == fresh || stable == nullptr) {
    // One template only: it takes what the budget leaves.
    move.weight = 100;
  }
  auto moved = move_towards(move);
  older = moved.older;
  work.scale(*fresh, moved.now.canary);
  if (stable != nullptr && stable != fresh) work.scale(*stable, moved.now.stable);
  auto split = split_of(work.spec.replicas, move.weight, move.surge.up(move.replicas));
  bool stable_there = stable == nullptr || stable == fresh || stable->wanted == split.stable;
  return fresh->wanted == split.canary && fresh->available >= split.canary && stable_there;
}

bool scale_routed(Work& work, const Goal& goal) {
  auto *fresh = work.fresh(), *stable = work.stable();
  if (stable != nullptr && stable != fresh) {
    work.scale(*stable, work.spec.replicas);
    work.clear_deadline(*stable);
  }
  bool stays = work.aborted() && fresh != stable;
  if (stays) {
    // Pods of the aborted one stay until their delay is over.
    if (fresh->wanted == 0) return true;
    if (auto delay = work.spec.abort_delay(); !delay)
      return true;
    else if (!fresh->deadline)
      work.set_deadline(*fresh, delay);
    if (*fresh->deadline > work.state.now) {
      work.wake_at(*fresh->deadline);
      return true;
    }
    work.scale(*fresh, 0);
    work.clear_deadline(*fresh);
    return true;
  }
  work.clear_deadline(*fresh);
  auto canary = stable == fresh || stable == nullptr ? work.spec.replicas : goal.canary;
  // Less weight: traffic goes before the pods do.
  auto weight_now = work.before()["canary"]["weights"]["canary"]["weight"].num_or(0);
  if (canary < fresh->wanted && weight_now > goal.weight && stable != fresh && stable != nullptr)
    canary = fresh->wanted;
  work.scale(*fresh, canary);
  return fresh->wanted == canary && fresh->available >= canary;
}

void advance(Work& work) {
  auto index = work.step_index() + 1;
  work.status["currentStepIndex"] = index;
  work.clear_pauses();
  work.status["canary"].map().erase("currentStepAnalysisRunStatus");
  work.event("RolloutStepCompleted", fmt::format("Rollout step {}/{} completed", index, work.step_count()));
  work.wake_now();
}

// Whether the pause is over; it begins here.
bool pause_over(Work& work, const Step& step) {
  auto since = work.paused_since("CanaryPauseStep");
  bool ours = work.now_status()["controllerPause"].bool_or(false);
  if (!since && ours && !work.has_pause()) return true;  // somebody promoted
  if (!since) {
    work.add_pause("CanaryPauseStep");
    since = work.state.now;
  }
  if (!step.duration) return false;
  if (work.state.now >= *since + *step.duration) return true;
  work.wake_at(*since + *step.duration);
  return false;
}

bool analysis_over(Work& work, const Step& step) {
  if (!work.paused_since("InconclusiveAnalysisRun") && work.now_status()["controllerPause"].bool_or(false) &&
      !work.has_pause())
    return true;
  doc::Value summary;
  auto verdict = follow_run(work, step.analysis, {"Step", fmt::format("-{}", work.step_index())}, summary);
  if (!summary.is_null()) work.status["canary"]["currentStepAnalysisRunStatus"] = summary;
  if (verdict == Verdict::failed)
    work.abort(fmt::format("Step-based analysis phase error/failed: {}", summary.str_at({"message"})));
  if (verdict == Verdict::inconclusive) work.add_pause("InconclusiveAnalysisRun");
  return verdict == Verdict::successful;
}

void do_step(Work& work, bool counts_met) {
  if (work.is_stable() || work.stable() == nullptr || work.aborted() || work.promote_full() || work.spec.paused) return;
  if (work.paused_since("InconclusiveAnalysisRun") && work.spec.canary->steps.size() > 0 &&
      work.spec.canary->steps[static_cast<std::size_t>(std::min(work.step_index(), work.step_count() - 1))].kind !=
          Step::Kind::analysis)
    return;  // the background analysis waits for a person
  auto index = work.step_index();
  if (index >= work.step_count()) return;
  const auto& step = work.spec.canary->steps[static_cast<std::size_t>(index)];
  bool done = false;
  switch (step.kind) {
    case Step::Kind::set_weight:
    case Step::Kind::set_canary_scale:
      done = counts_met;
      break;
    case Step::Kind::pause:
      done = pause_over(work, step);
      break;
    case Step::Kind::analysis:
      done = analysis_over(work, step);
      break;
  }
  if (done && !work.aborted()) advance(work);
}

void background(Work& work) {
  const auto& analysis = work.spec.canary->analysis;
  bool over = work.is_stable() || work.stable() == nullptr || work.aborted() || work.promote_full() ||
              work.step_index() >= work.step_count();
  if (!analysis || over || work.step_index() < analysis->starting_step) return;
  doc::Value summary;
  auto verdict = follow_run(work, *analysis, {"Background", ""}, summary);
  if (!summary.is_null()) work.status["canary"]["currentBackgroundAnalysisRunStatus"] = summary;
  if (verdict == Verdict::failed)
    work.abort(fmt::format("Background analysis phase error/failed: {}", summary.str_at({"message"})));
  if (verdict == Verdict::inconclusive && !work.now_status()["controllerPause"].bool_or(false))
    work.add_pause("InconclusiveAnalysisRun");
}

void route(Work& work, const Goal& goal, bool counts_met) {
  auto* fresh = work.fresh();
  auto weight = goal.weight;
  auto now = work.before()["canary"]["weights"]["canary"]["weight"].num_or(0);
  if (work.is_stable() || work.stable() == nullptr)
    weight = 0;
  else if (fresh->available == 0)
    weight = 0;
  else if (weight > now && !counts_met)
    weight = now;  // pods first, then traffic
  const auto& canary = *work.spec.canary;
  if (work.stable() == nullptr) {
    // The first deployment: both services lead to it.
    work.select(canary.stable_service, work.new_hash);
    work.select(canary.canary_service, work.new_hash);
  } else {
    work.select(canary.stable_service, work.stable_hash());
    if (work.aborted())
      work.select(canary.canary_service, work.stable_hash());
    else if (fresh->available > 0)
      work.select(canary.canary_service, work.new_hash);
  }
  if (canary.routed) set_traffic(work, weight);
}

// The new one becomes the stable one.
void promote_if_done(Work& work) {
  auto* fresh = work.fresh();
  if (work.is_stable() || fresh->available < work.spec.replicas || fresh->wanted < work.spec.replicas) return;
  bool first = work.stable() == nullptr;
  bool all = work.promote_full() || work.step_index() >= work.step_count();
  if (!first && (work.aborted() || !all)) return;
  // With routes all traffic must be there before the old pods may go.
  if (!first && work.spec.canary->routed &&
      work.now_status()["canary"]["weights"]["canary"]["weight"].num_or(0) < 100 && !work.promote_full())
    return;
  auto* old = work.stable();
  work.status["stableRS"] = work.new_hash;
  work.status["currentStepIndex"] = work.step_count();
  work.status.map().erase("promoteFull");
  work.status.map().erase("abort"), work.status.map().erase("abortedAt"), work.status.map().erase("abortMessage"),
      work.status.map().erase("attempt");
  work.clear_pauses();
  if (old != nullptr && work.spec.old_delay() > 0) work.set_deadline(*old, work.spec.old_delay());
  terminate_runs(work);
  work.event("RolloutCompleted", fmt::format("Rollout completed update to revision {}", fresh->revision));
  work.wake_now();
}

}  // namespace

void canary(Work& work) {
  auto goal = goal_of(work);
  std::int64_t older = 0;
  bool met = work.spec.canary->routed ? scale_routed(work, goal) : scale_basic(work, goal, older);
  route(work, goal, met);
  // A weight that is not yet set is not a step done.
  bool weight_set =
      !work.spec.canary->routed || work.now_status()["canary"]["weights"]["canary"]["weight"].num_or(0) == goal.weight;
  if (work.aborted())
    terminate_runs(work);
  else
    background(work);
  do_step(work, met && weight_set);
  promote_if_done(work);
  settle_old_sets(work, older);
}

}  // namespace slipway::rollout::detail
