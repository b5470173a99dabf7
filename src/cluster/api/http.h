#pragma once
// The HTTP face of the API, as stock kubectl and client-go speak it.
#include <memory>

#include "cluster/api/machinery.h"
#include "net/server.h"

namespace slipway::cluster {

// Threads: any.
class HttpFace {
 public:
  using Authenticate = std::function<std::optional<ApiOptions::User>(const net::Request&)>;
  HttpFace(std::shared_ptr<Machinery> machinery, Authenticate authenticate);
  ~HttpFace();
  net::Response handle(const Ctx& ctx, net::Request& request);
  void set_node(NodeAccess* node);
  void stop();  // ends watches; afterwards every call answers 503

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::cluster
