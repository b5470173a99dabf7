#pragma once
// An API server of its own for a test: the test double of everybody who needs a cluster.
#include "base/files.h"
#include "base/testing/golden.h"
#include "cluster/api_server.h"

namespace slipway::cluster {

// The folder goes with the value; members are destroyed in reverse order.
struct TestApi {
  TempDir folder;
  std::unique_ptr<ApiServer> server;
  ApiServer* operator->() const { return server.get(); }
  std::shared_ptr<kube::Client> client(std::string user = "test") const { return server->client(std::move(user)); }
};

inline TestApi make_test_api(ApiOptions options = {}) {
  auto folder = must(TempDir::make("slipway-api"));
  if (options.database.empty()) options.database = folder.path() / "cluster.db";
  auto server = must(ApiServer::open(std::move(options)));
  return {std::move(folder), std::move(server)};
}

}  // namespace slipway::cluster
