#include "base/text.h"
#include "cluster/controllers/deployment.h"

namespace slipway::cluster {
namespace {

using kube::Object;

std::int64_t total_spec(const std::vector<SetState>& sets) {
  std::int64_t total = 0;
  for (const auto& set : sets) total += set.spec;
  return total;
}

void by_age(std::vector<SetState>& sets) {
  std::stable_sort(sets.begin(), sets.end(), [](const SetState& a, const SetState& b) {
    return std::tie(a.created, a.name) < std::tie(b.created, b.name);
  });
}

// The share of set in a change of the whole, as it was sized before. Rule: getReplicaSetFraction.
std::int64_t fraction(const SetState& set, const Bounds& bounds) {
  if (bounds.replicas == 0) return -set.spec;
  auto annotated = set.max > 0 ? set.max : bounds.replicas;
  auto grown = static_cast<double>(set.spec) * static_cast<double>(bounds.max_total()) / static_cast<double>(annotated);
  return static_cast<std::int64_t>(std::llround(grown)) - set.spec;
}

}  // namespace

SetState state_of(const Object& set) {
  return {set.name(),
          created_at(set),
          set["spec"]["replicas"].num_or(1),
          set["status"]["replicas"].num_or(0),
          set["status"]["readyReplicas"].num_or(0),
          set["status"]["availableReplicas"].num_or(0),
          to_int(set.annotation(desired_annotation)).value_or(-1),
          to_int(set.annotation(max_annotation)).value_or(-1)};
}

Bounds bounds_of(const Object& deployment) {
  Bounds bounds;
  bounds.replicas = deployment["spec"]["replicas"].num_or(1);
  auto strategy = deployment["spec"]["strategy"];
  if (strategy["type"].str_or("RollingUpdate") == "Recreate") {
    bounds.surge = 0, bounds.unavailable = bounds.replicas;
    return bounds;
  }
  auto rolling = strategy["rollingUpdate"];
  auto quarter = [&](bool up) { return (25 * bounds.replicas + (up ? 99 : 0)) / 100; };
  bounds.surge = scaled(rolling["maxSurge"], bounds.replicas, true, quarter(true));
  bounds.unavailable =
      std::min(scaled(rolling["maxUnavailable"], bounds.replicas, false, quarter(false)), bounds.replicas);
  // Nothing could ever move.
  if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
  return bounds;
}

Sizes roll(const Bounds& bounds, SetState fresh, std::vector<SetState> old) {
  Sizes sizes;
  by_age(old);
  auto grow = std::min(bounds.max_total() - total_spec(old) - fresh.spec, bounds.replicas - fresh.spec);
  if (fresh.spec > bounds.replicas)
    grow = bounds.replicas - fresh.spec;
  else
    grow = std::max<std::int64_t>(grow, 0);
  if (grow != 0) sizes[fresh.name] = fresh.spec = fresh.spec + grow;

  auto total = total_spec(old) + fresh.spec;
  auto spare = total - bounds.min_available() - (fresh.spec - fresh.available);
  // First what does not serve anyway: taking it away makes nothing worse.
  auto cleaned = std::int64_t{0};
  for (auto& set : old) {
    if (cleaned >= spare || set.spec == 0 || set.spec == set.available) continue;
    auto take = std::max<std::int64_t>(0, std::min(spare - cleaned, set.spec - set.available));
    cleaned += take;
    if (take > 0) sizes[set.name] = set.spec = set.spec - take;
  }
  if (spare <= 0) return sizes;
  auto available = fresh.available;
  for (const auto& set : old) available += std::min(set.available, set.spec);
  auto surplus = available - bounds.min_available();
  for (auto& set : old) {
    if (surplus <= 0) break;
    auto take = std::min(set.spec, surplus);
    surplus -= take;
    if (take > 0) sizes[set.name] = set.spec = set.spec - take;
  }
  return sizes;
}

bool needs_resize(std::int64_t replicas, const std::vector<SetState>& sets) {
  return std::any_of(sets.begin(), sets.end(),
                     [&](const SetState& set) { return set.spec > 0 && set.desired >= 0 && set.desired != replicas; });
}

Sizes resize(const Bounds& bounds, bool rolling, const std::optional<SetState>& fresh,
             const std::vector<SetState>& old) {
  Sizes sizes;
  auto everyone = old;
  if (fresh) everyone.push_back(*fresh);
  std::vector<SetState> active;
  for (const auto& set : everyone)
    if (set.spec > 0) active.push_back(set);
  if (active.size() <= 1) {
    // One set only (or none: then the new one): it takes the whole number.
    const auto* one = active.empty() ? (fresh ? &*fresh : nullptr) : &active[0];
    if (one != nullptr && one->spec != bounds.replicas) sizes[one->name] = bounds.replicas;
    return sizes;
  }
  if (fresh && fresh->spec == bounds.replicas && fresh->available == bounds.replicas) {
    for (const auto& set : old)
      if (set.spec > 0) sizes[set.name] = 0;
    return sizes;
  }
  if (!rolling) return sizes;
  auto allowed = bounds.replicas > 0 ? bounds.max_total() : 0;
  auto to_add = allowed - total_spec(active);
  bool up = to_add > 0;
  // Growing, the largest and newest first; shrinking, the largest and oldest.
  std::stable_sort(active.begin(), active.end(), [&](const SetState& a, const SetState& b) {
    if (a.spec != b.spec) return a.spec > b.spec;
    return up ? a.created > b.created : a.created < b.created;
  });
  auto added = std::int64_t{0};
  std::vector<std::int64_t> wanted;
  for (const auto& set : active) {
    auto share = to_add == 0 ? 0 : fraction(set, bounds);
    auto room = to_add - added;
    share = up ? std::clamp<std::int64_t>(share, 0, std::max<std::int64_t>(room, 0))
               : std::clamp<std::int64_t>(share, std::min<std::int64_t>(room, 0), 0);
    wanted.push_back(set.spec + share);
    added += share;
  }
  wanted[0] = std::max<std::int64_t>(0, wanted[0] + to_add - added);
  for (std::size_t i = 0; i < active.size(); ++i)
    if (wanted[i] != active[i].spec) sizes[active[i].name] = wanted[i];
  return sizes;
}

std::int64_t revision_of(const Object& object) { return to_int(object.annotation(revision_annotation)).value_or(0); }

namespace {

struct Count {
  std::int64_t replicas = 0, updated = 0, ready = 0, available = 0, spec = 0;
};

Count read_counts(doc::View status) {
  return {status["replicas"].num_or(0), status["updatedReplicas"].num_or(0), status["readyReplicas"].num_or(0),
          status["availableReplicas"].num_or(0), 0};
}

bool moved(const Count& before, const Count& now) {
  return now.updated > before.updated || now.replicas - now.updated < before.replicas - before.updated ||
         now.ready > before.ready || now.available > before.available;
}

// How long until `condition` is too old; nothing when it says that all is done or over already.
std::optional<Millis> left_of(const doc::Value* condition, Millis deadline, WallTime now) {
  if (condition == nullptr || condition->str_at({"reason"}) == "NewReplicaSetAvailable" ||
      condition->str_at({"reason"}) == "ProgressDeadlineExceeded")
    return std::nullopt;
  auto from = parse_rfc3339(condition->str_at({"lastUpdateTime"}));
  if (!from) return std::nullopt;
  return std::max(Millis(0), std::chrono::ceil<Millis>(*from + deadline - now));
}

// The Progressing condition. Rule: syncRolloutStatus.
void judge_progress(const Object& deployment, Progress& progress, const Count& before, const Count& now_counts,
                    const std::string& set_name, std::string_view found, WallTime now) {
  auto& status = progress.status;
  auto seconds = deployment["spec"]["progressDeadlineSeconds"].num_or(600);
  if (seconds >= 2147483647) return drop_condition(status, "Progressing");
  bool paused = deployment["spec"]["paused"].bool_or(false);
  const auto* current = find_condition(status, "Progressing");
  auto reason = current == nullptr ? "" : current->str_at({"reason"});
  auto named = [&](std::string_view what) { return fmt::format("ReplicaSet \"{}\" {}.", set_name, what); };
  if (paused) {
    if (reason != "ProgressDeadlineExceeded")
      put_condition(
          status, {"Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", reason != "DeploymentPaused"},
          now);
    return;
  }
  if (reason == "DeploymentPaused") {
    put_condition(status, {"Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", true}, now);
    return;
  }
  if (found == "NewReplicaSetCreated")
    put_condition(status, {"Progressing", "True", found, fmt::format("Created new replica set \"{}\"", set_name), true},
                  now);
  else if (found == "FoundNewReplicaSet" && (current == nullptr || reason == "NewReplicaSetAvailable") &&
           !progress.complete && now_counts.updated < now_counts.replicas)
    put_condition(status, {"Progressing", "True", found, fmt::format("Found new replica set \"{}\"", set_name), true},
                  now);
  current = find_condition(status, "Progressing");
  reason = current == nullptr ? "" : current->str_at({"reason"});
  if (reason == "NewReplicaSetAvailable" && now_counts.replicas == now_counts.updated)
    return;  // later losses are not the rollout's
  if (progress.complete) {
    put_condition(status, {"Progressing", "True", "NewReplicaSetAvailable", named("has successfully progressed"), true},
                  now);
  } else if (moved(before, now_counts)) {
    put_condition(status, {"Progressing", "True", "ReplicaSetUpdated", named("is progressing"), true}, now);
  } else {
    progress.again = left_of(current, Millis(seconds * 1000), now);
    if (progress.again && progress.again->count() == 0) {
      put_condition(
          status, {"Progressing", "False", "ProgressDeadlineExceeded", named("has timed out progressing"), true}, now);
      progress.again.reset();
    }
  }
}

}  // namespace

Progress deployment_status(const Object& deployment, const std::optional<Object>& fresh, const std::vector<Object>& all,
                           std::string_view found, WallTime now) {
  Progress progress;
  auto& status = progress.status;
  if (const auto* old = deployment.value().find_path({"status", "conditions"})) status["conditions"] = *old;
  if (const auto* collisions = deployment.value().find_path({"status", "collisionCount"}))
    status["collisionCount"] = *collisions;
  Count counts;
  std::string failure;
  for (const auto& set : all) {
    auto state = state_of(set);
    counts.replicas += state.replicas, counts.ready += state.ready, counts.available += state.available,
        counts.spec += state.spec;
    if (kube::condition_status(set, "ReplicaFailure") == "True")
      failure = find_condition(*set.value().find("status"), "ReplicaFailure")->str_at({"message"});
  }
  if (fresh) counts.updated = (*fresh)["status"]["replicas"].num_or(0);
  auto bounds = bounds_of(deployment);
  auto put = [&](std::string_view name, std::int64_t n) {
    if (n > 0) status[name] = n;
  };
  status["observedGeneration"] = deployment.generation();
  put("replicas", counts.replicas);
  put("updatedReplicas", counts.updated);
  put("readyReplicas", counts.ready);
  put("availableReplicas", counts.available);
  put("unavailableReplicas", counts.spec - counts.available);
  progress.complete = fresh && counts.updated == bounds.replicas && counts.replicas == bounds.replicas &&
                      counts.available == bounds.replicas;
  bool enough = counts.available >= bounds.min_available();
  put_condition(
      status,
      {"Available", enough ? "True" : "False", enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
       enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.", false},
      now);
  judge_progress(deployment, progress, read_counts(deployment["status"]), counts,
                 fresh ? fresh->name() : deployment.name(), found, now);
  if (failure.empty())
    drop_condition(status, "ReplicaFailure");
  else
    put_condition(status, {"ReplicaFailure", "True", "FailedCreate", failure}, now);
  return progress;
}

}  // namespace slipway::cluster
