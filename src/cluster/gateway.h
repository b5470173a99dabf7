#pragma once
// The embedded gateway: an L7 proxy that routes by host and path to services with weights, and counts requests,
// errors and latency per route and backend. Routes come from Ingress and HTTPRoute objects and from rollouts.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "kube/client.h"

namespace slipway::cluster {

struct BackendStats {
  std::string ns, service, pod_hash;  // pod_hash: the rollouts-pod-template-hash or pod-template-hash of the pods
  std::uint64_t requests = 0, errors_5xx = 0, errors_4xx = 0, failures = 0;  // failures: no answer
  double seconds_sum = 0;
  std::vector<std::uint64_t> buckets;  // by gateway_bounds()
};
const std::vector<double>& gateway_bounds();  // seconds

struct GatewayOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string node_ip;  // reported in Ingress status
};
// Weights of an Ingress or HTTPRoute are its own; a Rollout's canary weight is set on the HTTPRoute's backendRefs,
// or by the nginx canary annotations on a second Ingress. Threads: any.
class Gateway {
 public:
  static Result<std::unique_ptr<Gateway>> open(std::shared_ptr<kube::Client> client, GatewayOptions options);
  ~Gateway();
  int port() const;
  Result<> run(const Ctx& ctx);  // follows objects and proxies until the context stops
  // Counts since start, per backend service and pod hash.
  std::vector<BackendStats> stats() const;
  // Waits until at least this many requests went to the backend since `since` (0 waits not at all).
  std::string metrics_text() const;  // slipway_gateway_requests_total{...} and the histogram

 private:
  struct Rep;
  explicit Gateway(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::cluster
