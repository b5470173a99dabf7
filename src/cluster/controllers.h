#pragma once
// The workload controllers of the embedded cluster.
#include "kube/client.h"

namespace slipway::cluster {

struct ControllerSettings {
  std::string node_name = "slipway";
  std::string service_cidr = "10.96.0.0/16";
  std::string ca_pem;  // for kube-root-ca.crt
};
// Namespace, Deployment, ReplicaSet, Job, CronJob, StatefulSet, DaemonSet, EndpointSlice and Endpoints, garbage
// collection, scheduling to the one node. Runs until the context stops; level-based, safe to kill anywhere.
Result<> run_workload_controllers(const Ctx& ctx, kube::Client& client, const ControllerSettings& settings);

}  // namespace slipway::cluster
