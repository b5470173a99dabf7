#pragma once
// Services and their endpoints as this node sees them: the rules of the service network, the environment of
// containers, the answers of DNS.
#include <mutex>
#include <set>

#include "box/network.h"
#include "cluster/node/pod.h"

namespace slipway::cluster {

// What DNS tells of one name.
struct DnsAnswer {
  bool exists = false;
  std::vector<std::string> addresses;  // A
  std::string alias;                   // CNAME, without the trailing dot
  struct Srv {
    int port;
    std::string target;
  };
  std::vector<Srv> services;  // SRV
  std::string pointer;        // PTR
};

// Threads: any.
class ServiceTable {
 public:
  // `network` may be null (no pod network): then only names are served.
  explicit ServiceTable(box::NodeNetwork* network) : network_(network) {}
  void service_changed(const kube::Object& service);
  void service_removed(const kube::Key& key);
  void slice_changed(const kube::Object& slice);
  void slice_removed(const kube::Object& slice);
  // Everything that is not among these is gone (after a fresh list).
  void keep_services(const std::set<kube::Key>& keys);
  void keep_slices(const std::set<kube::Key>& keys);

  // KUBERNETES_SERVICE_HOST, WEB_SERVICE_PORT ... for containers of a namespace; `links` false: kubernetes alone.
  kube::StringMap environment(const std::string& ns, bool links) const;
  // A name below cluster.local (or in-addr.arpa), lower case, without the trailing dot.
  DnsAnswer resolve(std::string_view name) const;
  // ClusterIP of a service; "" when there is none.
  std::string cluster_ip(const kube::Key& key) const;

 private:
  struct Endpoint {
    std::string ip, hostname;
    bool ready = false, serving = false, terminating = false;
  };
  struct Slice {
    kube::Key service;
    std::vector<std::pair<std::string, int>> ports;  // name, number
    std::vector<std::string> protocols;
    std::vector<Endpoint> endpoints;
  };
  struct State {
    std::map<kube::Key, kube::Object> services;
    std::map<kube::Key, Slice> slices;
  };
  static std::vector<const Slice*> slices_of(const State& state, const kube::Key& service);
  void program(const kube::Key& key);
  DnsAnswer resolve_service(const State& state, std::vector<std::string_view> labels) const;
  DnsAnswer resolve_pointer(const State& state, std::string_view name) const;

  box::NodeNetwork* network_;
  mutable std::mutex mutex_;
  std::mutex order_;  // rules are written in the order the state changed
  State state_;
};

inline constexpr std::string_view kClusterDomain = "cluster.local";

}  // namespace slipway::cluster
