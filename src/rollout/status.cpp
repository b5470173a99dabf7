#include "base/text.h"
#include "rollout/detail/work.h"

namespace slipway::rollout::detail {
namespace {

const doc::Value* condition_of(const doc::Value& status, std::string_view type) {
  const auto* list = status.find("conditions");
  if (list == nullptr || !list->is_list()) return nullptr;
  for (const auto& condition : *list->if_list())
    if (condition.str_at({"type"}) == type) return &condition;
  return nullptr;
}

struct Condition {
  std::string_view type, state, reason;
  std::string message;
};
// lastTransitionTime moves with the state, lastUpdateTime also with the reason or when `touch` says that there was
// progress.
void set_condition(doc::Value& status, const Condition& c, WallTime now, bool touch = false) {
  const auto* old = condition_of(status, c.type);
  bool moved = old == nullptr || old->str_at({"status"}) != c.state;
  bool updated = moved || touch || old->str_at({"reason"}) != c.reason;
  auto time = rfc3339(now);
  doc::Map made{{"type", c.type}, {"status", c.state}, {"reason", c.reason}, {"message", c.message}};
  made.set("lastTransitionTime", moved ? time : old->str_at({"lastTransitionTime"}));
  made.set("lastUpdateTime", updated ? time : old->str_at({"lastUpdateTime"}));
  auto& list = status["conditions"].list();
  for (auto& condition : list)
    if (condition.str_at({"type"}) == c.type) {
      condition = std::move(made);
      return;
    }
  list.push_back(std::move(made));
}
void drop_condition(doc::Value& status, std::string_view type) {
  if (auto* list = status["conditions"].if_list())
    std::erase_if(*list, [&](const doc::Value& c) { return c.str_at({"type"}) == type; });
}

struct Totals {
  std::int64_t replicas = 0, updated = 0, ready = 0, available = 0, updated_available = 0;
};
Totals totals_of(Work& work) {
  Totals t;
  for (const auto& set : work.sets) t.replicas += set.replicas, t.ready += set.ready, t.available += set.available;
  if (auto* fresh = work.fresh()) t.updated = fresh->replicas, t.updated_available = fresh->available;
  return t;
}

std::string selector_text(const doc::Value& selector) {
  std::string out;
  for (const auto& [key, value] : doc::View(selector)["matchLabels"].members())
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", key, value.text());
  return out;
}

bool in_analysis(const Work& work) {
  auto index = work.step_index();
  return work.spec.canary && index < work.step_count() &&
         work.spec.canary->steps[static_cast<std::size_t>(index)].kind == Step::Kind::analysis;
}

std::string pause_reason(const Work& work) { return work.now_status()["pauseConditions"][0]["reason"].str_or(""); }

struct PhaseOf {
  std::string phase, message;
};

PhaseOf waiting(Work& work, const Totals& t) {
  if (auto at = work.spec.restart_at;
      at && *at <= work.state.now && work.now_status()["restartedAt"].str_or("") != rfc3339(*at))
    return {"Progressing", "rollout is restarting"};
  if (work.fresh() == nullptr) return {"Progressing", "waiting for the new ReplicaSet to be created"};
  auto pods = work.fresh()->wanted;
  if (t.updated < pods || (work.is_stable() && t.updated < work.spec.replicas))
    return {"Progressing", "more replicas need to be updated"};
  if (t.updated_available < t.updated) return {"Progressing", "updated replicas are still becoming available"};
  if (work.spec.blue_green) {
    if (work.now_status()["blueGreen"]["activeSelector"].str_or("") != work.new_hash)
      return {"Progressing", "active service cutover pending"};
    if (!work.is_stable()) return {"Progressing", "waiting for post-promotion analysis to complete"};
  } else if (work.is_stable() && !work.spec.canary->routed && t.replicas > t.updated) {
    return {"Progressing", "old replicas are pending termination"};
  }
  if (!work.is_stable()) return {"Progressing", "waiting for all steps to complete"};
  // The stable services must lead to it before its predecessor is called old.
  if (work.spec.canary && work.spec.canary->routed &&
      work.now_status()["canary"]["weights"]["canary"]["weight"].num_or(0) != 0)
    return {"Progressing", "waiting for all traffic to lead to the stable service"};
  return {"Healthy", ""};
}

PhaseOf phase_of(Work& work, const Totals& t) {
  if (work.aborted())
    return {"Degraded", "RolloutAborted: " + work.now_status()["abortMessage"].str_or(
                                                 "Rollout aborted update to revision " +
                                                 work.state.rollout.annotation(revision_annotation))};
  const auto* progressing = condition_of(work.status, "Progressing");
  if (progressing != nullptr && progressing->str_at({"reason"}) == "ProgressDeadlineExceeded")
    return {"Degraded", "ProgressDeadlineExceeded: " + progressing->str_at({"message"})};
  if (work.spec.paused) return {"Paused", "manually paused"};
  if (work.has_pause()) return {"Paused", pause_reason(work)};
  return waiting(work, t);
}

// Progress is a change of what runs or of where the update stands.
bool moved_on(const Work& work, const Totals& t) {
  auto before = work.before();
  return before["currentPodHash"].str_or("") != work.new_hash ||
         before["currentStepIndex"].num_or(-1) != work.now_status()["currentStepIndex"].num_or(-1) ||
         before["updatedReplicas"].num_or(0) != t.updated || before["replicas"].num_or(0) != t.replicas ||
         before["readyReplicas"].num_or(0) != t.ready || before["availableReplicas"].num_or(0) != t.available ||
         before["stableRS"].str_or("") != work.stable_hash();
}

void judge_progress(Work& work, const Totals& t) {
  auto now = work.state.now;
  auto name = work.fresh() == nullptr ? work.state.rollout.name() : work.fresh()->object.name();
  bool complete = work.is_stable() && t.updated_available >= work.spec.replicas && t.updated == work.spec.replicas;
  if (work.aborted())
    return set_condition(
        work.status,
        {"Progressing", "False", "RolloutAborted", work.now_status()["abortMessage"].str_or("Rollout is aborted")},
        now);
  if (work.spec.paused || work.has_pause())
    return set_condition(work.status, {"Progressing", "Unknown", "RolloutPaused", "Rollout is paused"}, now);
  if (complete)
    return set_condition(work.status,
                         {"Progressing", "True", "NewReplicaSetAvailable",
                          fmt::format("ReplicaSet \"{}\" has successfully progressed.", name)},
                         now);
  bool progress = moved_on(work, t);
  const auto* old = condition_of(work.status, "Progressing");
  auto since = old == nullptr ? now : parse_rfc3339(old->str_at({"lastUpdateTime"})).value_or(now);
  bool exceeded = old != nullptr && old->str_at({"reason"}) == "ProgressDeadlineExceeded";
  bool counting =
      old != nullptr && (old->str_at({"reason"}) == "ReplicaSetUpdated" || exceeded) && !progress && !in_analysis(work);
  auto limit = since + std::chrono::seconds(work.spec.progress_deadline);
  if (counting && (exceeded || now >= limit)) {
    auto message = fmt::format("ReplicaSet \"{}\" has timed out progressing.", name);
    if (work.spec.progress_abort && !work.is_stable() && work.stable() != nullptr) return work.abort(message);
    return set_condition(work.status, {"Progressing", "False", "ProgressDeadlineExceeded", message}, now);
  }
  set_condition(work.status,
                {"Progressing", "True", "ReplicaSetUpdated", fmt::format("ReplicaSet \"{}\" is progressing.", name)},
                now, progress);
  if (!in_analysis(work))
    work.wake_at(progress || !counting ? now + std::chrono::seconds(work.spec.progress_deadline) : limit);
}

void set_conditions(Work& work, const Totals& t, const PhaseOf& phase) {
  auto now = work.state.now;
  auto unavailable = work.spec.canary ? work.spec.canary->unavailable.down(work.spec.replicas)
                                      : work.spec.blue_green->unavailable.down(work.spec.replicas);
  bool available = t.available >= work.spec.replicas - unavailable;
  set_condition(work.status,
                {"Available", available ? "True" : "False", available ? "AvailableReason" : "AvailableReason",
                 available ? "Rollout has minimum availability" : "Rollout does not have minimum availability"},
                now);
  bool paused = phase.phase == "Paused";
  set_condition(
      work.status,
      {"Paused", paused ? "True" : "False", "RolloutPaused", paused ? "Rollout is paused" : "Rollout is not paused"},
      now);
  bool complete = work.is_stable();
  set_condition(work.status,
                {"Completed", complete ? "True" : "False", complete ? "RolloutCompleted" : "RolloutNotCompleted",
                 complete ? "Rollout completed update" : "Rollout not completed"},
                now);
  bool healthy = phase.phase == "Healthy";
  set_condition(work.status,
                {"Healthy", healthy ? "True" : "False", healthy ? "RolloutHealthy" : "RolloutNotHealthy",
                 healthy ? "Rollout is healthy" : "Rollout is not healthy"},
                now);
  drop_condition(work.status, "InvalidSpec");
}

}  // namespace

void reset_if_changed(Work& work) {
  auto before = work.before();
  auto old_hash = before["currentPodHash"].str_or("");
  bool steps_changed = work.spec.canary && !before["currentStepHash"].str_or("").empty() &&
                       before["currentStepHash"].str_or("") != work.spec.canary->steps_hash;
  auto drop = [&](std::initializer_list<const char*> keys) {
    for (auto key : keys) work.status.map().erase(key);
  };
  if (old_hash != work.new_hash || steps_changed) {
    if (!old_hash.empty()) {
      terminate_runs(work);
      work.event("RolloutUpdated", fmt::format("Rollout updated to template {}", work.new_hash));
    }
    drop({"abort", "abortedAt", "abortMessage", "promoteFull", "attempt"});
    work.clear_pauses();
    if (auto* canary = work.status["canary"].if_map())
      canary->erase("currentStepAnalysisRunStatus"), canary->erase("currentBackgroundAnalysisRunStatus");
    if (auto* blue = work.status["blueGreen"].if_map())
      for (auto key : {"scaleUpPreviewCheckPoint", "prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus"})
        blue->erase(key);
    bool back = work.is_stable() || work.stable() == nullptr;
    // Inside the window an older revision that still has pods needs no second proof.
    if (auto *fresh = work.fresh(), *stable = work.stable();
        !back && fresh != nullptr && work.spec.rollback_window > 0 && fresh->available > 0) {
      auto between = std::count_if(work.sets.begin(), work.sets.end(), [&](const Set& s) {
        return s.object["metadata"]["creationTimestamp"].str_or("") >
               fresh->object["metadata"]["creationTimestamp"].str_or("");
      });
      back = between <= work.spec.rollback_window && fresh->object["metadata"]["creationTimestamp"].str_or("") <
                                                         stable->object["metadata"]["creationTimestamp"].str_or("");
    }
    if (work.spec.canary) work.status["currentStepIndex"] = back ? work.step_count() : 0;
    if (back && work.step_count() > 0 && !old_hash.empty()) work.event("SkipSteps", "Rollback to stable");
  }
  // Retried: abort was taken away, the time of it is still there.
  if (!work.aborted() && !work.now_status()["abortedAt"].str_or("").empty()) {
    work.status["attempt"] = work.now_status()["attempt"].num_or(0) + 1;
    drop({"abortedAt", "abortMessage", "abort"});
    work.clear_pauses();
    if (work.spec.canary) work.status["currentStepIndex"] = 0;
    work.event("RolloutRetry", "Rollout is retried");
  }
  if (work.aborted() && (work.is_stable() || work.promote_full()))
    drop({"abort", "abortedAt", "abortMessage"});  // nothing to abort
  if (work.aborted() && work.now_status()["abortedAt"].str_or("").empty()) {
    // By a person, through the status.
    work.status.map().erase("abort");
    work.abort(
        fmt::format("Rollout aborted update to revision {}", work.state.rollout.annotation(revision_annotation)));
  }
  if (work.promote_full() && work.is_stable()) drop({"promoteFull"});
  if (work.promote_full()) work.clear_pauses();
  work.status["currentPodHash"] = work.new_hash;
  if (work.spec.canary) {
    work.status["currentStepHash"] = work.spec.canary->steps_hash;
    work.status.map().erase("blueGreen");
  } else {
    drop({"canary", "currentStepHash", "currentStepIndex"});
  }
}

void finish_status(Work& work) {
  auto& status = work.status;
  auto t = totals_of(work);
  judge_progress(work, t);
  status["replicas"] = t.replicas, status["updatedReplicas"] = t.updated, status["readyReplicas"] = t.ready,
  status["availableReplicas"] = t.available;
  status["HPAReplicas"] = t.replicas;
  status["selector"] = selector_text(work.spec.selector);
  status["observedGeneration"] = std::to_string(work.state.rollout.generation());
  if (!work.spec.workload.empty())
    status["workloadObservedGeneration"] = std::to_string(work.state.workload.generation());
  auto phase = phase_of(work, t);
  status["phase"] = phase.phase;
  if (phase.message.empty())
    status.map().erase("message");
  else
    status["message"] = phase.message;
  set_conditions(work, t, phase);
}

doc::Value invalid_status(const State& state, const std::string& why) {
  auto status = state.rollout["status"].value();
  if (!status.is_map()) status = doc::Map{};
  auto message = fmt::format("The Rollout \"{}\" is invalid: {}", state.rollout.name(), why);
  set_condition(status, {"InvalidSpec", "True", "InvalidSpec", message}, state.now);
  status["phase"] = "Degraded";
  status["message"] = "InvalidSpec: " + message;
  status["observedGeneration"] = std::to_string(state.rollout.generation());
  return status;
}

}  // namespace slipway::rollout::detail
