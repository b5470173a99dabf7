#include "rollout/detail/work.h"
#include "base/text.h"

namespace slipway::rollout::detail {

Work::Work(const State& s, Spec parsed) : state(s), spec(std::move(parsed)) {
  status = s.rollout["status"].value();
  if (!status.is_map()) status = doc::Map{};
  for (const auto& object : s.replica_sets) {
    if (object.deleting()) continue;
    Set set;
    set.object = object;
    set.hash = object.label(hash_label);
    set.wanted = object["spec"]["replicas"].num_or(1);
    set.replicas = object["status"]["replicas"].num_or(0);
    set.ready = object["status"]["readyReplicas"].num_or(0);
    set.available = object["status"]["availableReplicas"].num_or(0);
    set.revision = to_int(object.annotation(revision_annotation)).value_or(0);
    if (auto time = parse_rfc3339(object.annotation(deadline_annotation))) set.deadline = *time;
    sets.push_back(std::move(set));
  }
  std::stable_sort(sets.begin(), sets.end(), [](const Set& a, const Set& b) { return a.revision < b.revision; });
}

Set* Work::find(const std::string& hash) {
  if (hash.empty()) return nullptr;
  auto it = std::find_if(sets.begin(), sets.end(), [&](const Set& set) { return set.hash == hash; });
  return it == sets.end() ? nullptr : &*it;
}

void Work::event(std::string reason, std::string message) {
  decision.events.emplace_back(std::move(reason), std::move(message));
}

void Work::wake_at(WallTime time) {
  auto in = std::max(Millis(0), std::chrono::ceil<Millis>(time - state.now));
  if (!decision.again || in < *decision.again) decision.again = in;
}

doc::Value& Work::edited(Set& set) {
  if (set.changed.is_null()) set.changed = set.object.copy();
  return set.changed;
}

void Work::scale(Set& set, std::int64_t replicas) {
  auto desired = std::to_string(spec.replicas);
  if (set.wanted == replicas && set.object.annotation(desired_annotation) == desired) return;
  if (set.wanted != replicas)
    event("ScalingReplicaSet",
          fmt::format("Scaled {} ReplicaSet {} from {} to {}", replicas > set.wanted ? "up" : "down", set.object.name(),
                      set.wanted, replicas));
  auto& object = edited(set);
  object["spec"]["replicas"] = replicas;
  object["metadata"]["annotations"][desired_annotation] = desired;
  set.wanted = replicas;
}

void Work::set_deadline(Set& set, std::optional<std::int64_t> seconds) {
  if (set.deadline || !seconds || *seconds == 0) return;
  set.deadline = state.now + std::chrono::seconds(*seconds);
  edited(set)["metadata"]["annotations"][deadline_annotation] = rfc3339(*set.deadline);
}

void Work::clear_deadline(Set& set) {
  if (!set.deadline) return;
  set.deadline.reset();
  edited(set)["metadata"]["annotations"].map().erase(deadline_annotation);
}

std::string Work::selected(const std::string& service) const {
  auto it = state.services.find(service);
  return it == state.services.end() ? std::string() : it->second["spec"]["selector"][hash_label].str_or("");
}

void Work::select(const std::string& service, const std::string& hash) {
  auto it = state.services.find(service);
  if (service.empty() || it == state.services.end() || !it->second || selected(service) == hash) return;
  auto point = [&](doc::Value& object) {
    if (hash.empty())
      object["spec"]["selector"].map().erase(hash_label);
    else
      object["spec"]["selector"][hash_label] = hash;
    object["metadata"]["annotations"][managed_annotation] = state.rollout.name();
  };
  event("SwitchService",
        fmt::format("Switched selector for service '{}' from '{}' to '{}'", service, selected(service), hash));
  // A second thought in the same pass changes the same write.
  for (auto& write : decision.writes)
    if (write.object.str_at({"kind"}) == "Service" && write.object.str_at({"metadata", "name"}) == service)
      return point(write.object);
  auto object = it->second.copy();
  point(object);
  decision.writes.push_back({Write::Verb::update, std::move(object), "SwitchService"});
}

std::optional<WallTime> Work::paused_since(std::string_view reason) const {
  for (const auto& pause : now_status()["pauseConditions"].items())
    if (pause["reason"].str_or("") == reason) {
      auto time = parse_rfc3339(pause["startTime"].str_or(""));
      return time ? *time : state.now;
    }
  return std::nullopt;
}

bool Work::has_pause() const { return !now_status()["pauseConditions"].items().empty(); }

void Work::add_pause(std::string_view reason) {
  if (paused_since(reason)) return;
  status["pauseConditions"].list().push_back(doc::Map{{"reason", reason}, {"startTime", rfc3339(state.now)}});
  status["controllerPause"] = true;
  event("RolloutPaused", fmt::format("Rollout is paused ({})", reason));
}

void Work::clear_pauses() {
  if (has_pause()) event("RolloutResumed", "Rollout is resumed");
  status.map().erase("pauseConditions");
  status.map().erase("controllerPause");
}

void Work::abort(const std::string& message) {
  if (aborted()) return;
  status["abort"] = true;
  status["abortedAt"] = rfc3339(state.now);
  status["message"] = message;
  status["abortMessage"] = message;
  clear_pauses();
  if (spec.canary && step_count() > 0) status["currentStepIndex"] = 0;
  event("RolloutAborted", fmt::format("Rollout aborted update to revision {}: {}",
                                      state.rollout.annotation(revision_annotation), message));
  wake_now();
}

}  // namespace slipway::rollout::detail
