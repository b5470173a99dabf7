#pragma once
// The Node object: what this machine offers and how it is.
#include "box/box.h"
#include "cluster/node/pod.h"
#include "kube/client.h"

namespace slipway::cluster {

struct NodeDescription {
  std::string name, host_ip, runtime, pod_cidr;
  PodFacts facts;
};
// This machine's processors, memory and address on the way out.
PodFacts machine_facts(const std::string& node_name, const std::string& fallback_ip);
// Of all that runs on this machine. Errors: unavailable (no /proc).
Result<box::Usage> machine_usage();
// Creates or brings up to date; Ready is True as long as we say nothing else: we are in the API's own process.
Result<> register_node(const Ctx& ctx, kube::Client& client, const NodeDescription& node);

}  // namespace slipway::cluster
