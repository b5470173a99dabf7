#pragma once
// Passes one request on to an endpoint of its route and the answer back. Private to the room.
#include "cluster/gateway/routes.h"
#include "net/upstream.h"

namespace slipway::cluster {

// Connections to endpoints that wait for the next request. Threads: any.
class UpstreamPool {
 public:
  std::optional<net::Upstream> take(const Endpoint& endpoint);
  void give(const Endpoint& endpoint, net::Upstream upstream);
  // Closes those of endpoints that are in no table any more, and the old ones.
  void trim();

 private:
  struct Idle {
    net::Upstream upstream;
    Clock::time_point since;
  };
  using ByEndpoint = std::map<std::pair<std::string, int>, std::vector<Idle>>;
  Guarded<ByEndpoint> idle_;
};

net::Response proxy(const Ctx& ctx, UpstreamPool& pool, const std::shared_ptr<const Table>& table,
                    net::Request& request);

}  // namespace slipway::cluster
