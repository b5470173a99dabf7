#pragma once
// The pod network of one node: a bridge, a namespace and an address a pod, service addresses by nftables.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::box {

struct PodNetwork {
  std::string ip, gateway, interface;
  fs::path netns;
};
struct ServicePort {
  std::string protocol = "tcp";
  int port = 0;
  int node_port = 0;  // 0: none
  std::vector<std::pair<std::string, int>> endpoints;
};
struct ServiceRule {
  std::string id, cluster_ip;  // id: namespace/name
  std::vector<ServicePort> ports;
};
struct NetworkOptions {
  std::string bridge = "slipway0";
  std::string pod_cidr = "10.244.0.0/16", service_cidr = "10.96.0.0/16";
  fs::path state;  // where namespaces are pinned
};

// In process over netlink and nftables, no plug-ins, no forks on the pod path. Threads: any.
class NodeNetwork {
 public:
  // Sets up the bridge, routes and tables; takes over what a former process left. Errors: denied, unavailable
  // (saying which kernel feature is missing).
  static Result<std::unique_ptr<NodeNetwork>> open(NetworkOptions options);
  virtual ~NodeNetwork() = default;
  virtual Result<PodNetwork> add_pod(const std::string& id) = 0;
  virtual Result<> remove_pod(const std::string& id) = 0;
  virtual Result<std::vector<std::string>> pods() const = 0;
  // Replaces the service's rules; no endpoints: connections are refused at once.
  virtual Result<> set_service(const ServiceRule& rule) = 0;
  virtual Result<> remove_service(const std::string& id) = 0;
  virtual std::string gateway_ip() const = 0;  // the host's address on the bridge
  // Removes bridge, namespaces and tables.
  virtual Result<> tear_down() = 0;
};

}  // namespace slipway::box
