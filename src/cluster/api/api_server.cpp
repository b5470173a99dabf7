#include "cluster/api_server.h"

#include "cluster/api/http.h"
#include "cluster/api/local_client.h"

namespace slipway::cluster {

struct ApiServer::Rep {
  std::unique_ptr<ObjectStore> store;
  Kinds kinds;
  std::shared_ptr<Machinery> machinery;
  std::shared_ptr<HttpFace> face;
};

ApiServer::ApiServer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
ApiServer::~ApiServer() {
  if (rep_ && rep_->face) rep_->face->stop();
}

Result<std::unique_ptr<ApiServer>> ApiServer::open(ApiOptions options) {
  auto rep = std::make_unique<Rep>();
  TRY(rep->store, ObjectStore::open({.database = options.database}));
  rep->machinery = std::make_shared<Machinery>(*rep->store, rep->kinds, options.service_cidr);
  TRY_OK(rep->store->together(Ctx{}, [&] { return rep->machinery->bootstrap(Ctx{}, options.crds); }));
  rep->face = std::make_shared<HttpFace>(rep->machinery, std::move(options.authenticate));
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(rep)));
}

std::shared_ptr<kube::Client> ApiServer::client(std::string user) { return make_local_client(rep_->machinery, std::move(user)); }

net::Handler ApiServer::routes() {
  return [face = rep_->face](const Ctx& ctx, net::Request& request) { return face->handle(ctx, request); };
}

void ApiServer::set_node(NodeAccess* node) { rep_->face->set_node(node); }
void ApiServer::on_write(std::function<void(const Audit&)> listener) { rep_->machinery->on_write(std::move(listener)); }
Result<> ApiServer::flush() { return rep_->store->flush(Ctx{}); }

}  // namespace slipway::cluster
