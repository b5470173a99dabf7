#pragma once
// The decisions of the Deployment controller, from values alone. Rule: Kubernetes' pkg/controller/deployment.
#include "cluster/controllers/common.h"

namespace slipway::cluster {

inline constexpr std::string_view revision_annotation = "deployment.kubernetes.io/revision";
inline constexpr std::string_view history_annotation = "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view desired_annotation = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view max_annotation = "deployment.kubernetes.io/max-replicas";

// What of a ReplicaSet counts in the arithmetic.
struct SetState {
  std::string name;
  WallTime created;
  std::int64_t spec = 0, replicas = 0, ready = 0, available = 0;
  std::int64_t desired = -1, max = -1;  // by its annotations; -1: none
};
SetState state_of(const kube::Object& set);

struct Bounds {
  std::int64_t replicas = 1, surge = 1, unavailable = 0;
  std::int64_t max_total() const { return replicas + surge; }
  std::int64_t min_available() const { return std::max<std::int64_t>(replicas - unavailable, 0); }
};
Bounds bounds_of(const kube::Object& deployment);

using Sizes = std::map<std::string, std::int64_t>;  // wanted .spec.replicas by name; only those that change

// One step of a rolling update. `old` holds every other set, also those at 0. `fresh` by value: its new size counts at
// once.
Sizes roll(const Bounds& bounds, SetState fresh, std::vector<SetState> old);
// When .spec.replicas moved in the middle of a rollout or while paused: spreads the difference in proportion.
Sizes resize(const Bounds& bounds, bool rolling, const std::optional<SetState>& fresh,
             const std::vector<SetState>& old);
// Whether a set was sized for another .spec.replicas than the present one.
bool needs_resize(std::int64_t replicas, const std::vector<SetState>& sets);

struct Progress {
  doc::Value status;
  std::optional<Millis> again;  // the progress deadline
  bool complete = false;
};
// `failure` is the ReplicaFailure condition of a set, or null. `found` says what getting the new set was worth:
// "NewReplicaSetCreated", "FoundNewReplicaSet", or "".
Progress deployment_status(const kube::Object& deployment, const std::optional<kube::Object>& fresh,
                           const std::vector<kube::Object>& all, std::string_view found, WallTime now);

std::int64_t revision_of(const kube::Object& object);

}  // namespace slipway::cluster
