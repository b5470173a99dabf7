#include "cluster/api_server.h"

#include "cluster/api/http.h"
#include "cluster/api/local_client.h"
#include "cluster/api/service_tokens.h"

namespace slipway::cluster {

namespace {

// Clients hold all of it: one that is kept longer than the server still finds its store.
struct Core {
  std::unique_ptr<ObjectStore> store;
  Kinds kinds;
  std::unique_ptr<Machinery> machinery;
};

}  // namespace

struct ApiServer::Rep {
  std::shared_ptr<Core> core;
  std::shared_ptr<Machinery> machinery;  // of the core
  std::shared_ptr<HttpFace> face;
};

ApiServer::ApiServer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
ApiServer::~ApiServer() {
  if (!rep_) return;
  rep_->face->stop();
  (void)flush();
}

Result<std::unique_ptr<ApiServer>> ApiServer::open(ApiOptions options) {
  auto rep = std::make_unique<Rep>();
  rep->core = std::make_shared<Core>();
  auto& core = *rep->core;
  TRY(core.store, ObjectStore::open({.database = options.database, .durable = options.durable}));
  core.machinery = std::make_unique<Machinery>(*core.store, core.kinds, options.service_cidr);
  core.machinery->set_admit(std::move(options.admit));
  core.machinery->set_also_grants(std::move(options.also_grants));
  TRY_OK(
      core.store->together(Ctx{}, [&] { return core.machinery->bootstrap(Ctx{}, options.crds, options.namespaces); }));
  if (!options.token_key_pem.empty()) {
    TRY(auto key, net::SigningKey::load(options.token_key_pem));
    core.machinery->set_tokens(std::make_shared<ServiceTokens>(*core.store, std::move(key)));
  }
  rep->machinery = std::shared_ptr<Machinery>(rep->core, core.machinery.get());
  rep->face = std::make_shared<HttpFace>(rep->machinery, std::move(options.authenticate));
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(rep)));
}

std::shared_ptr<kube::Client> ApiServer::client(std::string user) {
  return make_local_client(rep_->machinery, std::move(user));
}

net::Handler ApiServer::routes() {
  return [face = rep_->face](const Ctx& ctx, net::Request& request) { return face->handle(ctx, request); };
}

void ApiServer::set_node(NodeAccess* node) { rep_->face->set_node(node); }
void ApiServer::on_write(std::function<void(const Audit&)> listener) { rep_->machinery->on_write(std::move(listener)); }
Result<> ApiServer::flush() { return rep_->core->store->flush(Ctx{}); }

}  // namespace slipway::cluster
