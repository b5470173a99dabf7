#pragma once
// The decisions of the ReplicaSet controller, from values alone. Private to the room.
#include "cluster/controllers/common.h"

namespace slipway::cluster {

struct ReplicaPlan {
  std::int64_t create = 0;
  std::vector<kube::Object> remove;
};
// `active` are the pods that count. Those whose loss costs least go first: unassigned, pending, not ready, cheap by
// annotation, ready most recently, restarted often, new.
ReplicaPlan plan_replicas(std::int64_t want, std::vector<kube::Object> active);

struct ReplicaStatus {
  doc::Value status;
  std::optional<Millis> again;  // a pod becomes available by then
};
ReplicaStatus replica_status(const kube::Object& set, const std::vector<kube::Object>& active,
                             const std::string& failure, WallTime now);

}  // namespace slipway::cluster
