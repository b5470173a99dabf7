#pragma once
// How pods find the API: Service default/kubernetes leads to an address of this host.
#include "kube/client.h"

namespace slipway::engine {

// Endpoints and EndpointSlice of the Service say `ip`:`port`. Idempotent.
Result<> publish_api(const Ctx& ctx, kube::Client& client, const std::string& ip, int port);

}  // namespace slipway::engine
