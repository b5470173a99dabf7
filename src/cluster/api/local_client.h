#pragma once
// kube::Client as a function call: the very same objects, no copies.
#include "cluster/api/machinery.h"
#include "kube/client.h"

namespace slipway::cluster {

// The machinery must outlive it.
std::shared_ptr<kube::Client> make_local_client(std::shared_ptr<Machinery> machinery, std::string user);

}  // namespace slipway::cluster
