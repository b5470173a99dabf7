#include "cluster/api/http.h"

#include "doc/json.h"

namespace slipway::cluster {

struct HttpFace::Rep {
  std::shared_ptr<Machinery> machinery;
  Authenticate authenticate;
  std::atomic<NodeAccess*> node{nullptr};
};
HttpFace::HttpFace(std::shared_ptr<Machinery> machinery, Authenticate authenticate) : rep_(new Rep{std::move(machinery), std::move(authenticate)}) {}
HttpFace::~HttpFace() = default;
void HttpFace::set_node(NodeAccess* node) { rep_->node = node; }
void HttpFace::stop() {}
net::Response HttpFace::handle(const Ctx&, net::Request&) { return net::Response::json(503, doc::print_json(ApiError(503, "ServiceUnavailable", "not yet").to_doc())); }

}  // namespace slipway::cluster
