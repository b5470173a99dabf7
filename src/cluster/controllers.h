#pragma once
// The workload controllers of the embedded cluster.
#include <functional>

#include "base/ctx.h"
#include "cluster/usage.h"
#include "kube/client.h"

namespace slipway::cluster {

struct ControllerSettings {
  std::string node_name = "slipway";
  std::string service_cidr = "10.96.0.0/16";
  std::string ca_pem;  // for kube-root-ca.crt
  // What the running pods of a namespace use (NodeAccess::usage), for autoscalers; absent: there is no metrics API.
  std::function<Result<std::vector<PodUsage>>(const Ctx&, const std::string& ns)> usage = {};
};
// Namespace, Deployment, ReplicaSet, Job, CronJob, StatefulSet, DaemonSet, HorizontalPodAutoscaler, EndpointSlice and
// Endpoints, garbage collection, scheduling to the one node. Runs until the context stops; level-based, safe to kill
// anywhere.
Result<> run_workload_controllers(const Ctx& ctx, kube::Client& client, const ControllerSettings& settings);

}  // namespace slipway::cluster
