#pragma once
// SPDY/3.1 inside a WebSocket: what kubectl port-forward speaks. Rule: SPDY draft 3, and
// k8s.io/apimachinery portforward: for each connection an error and a data stream with the headers
// streamtype, port, requestid.
#include <functional>

#include "base/ctx.h"
#include "base/fd.h"
#include "net/websocket.h"

namespace slipway::cluster {

// Serves until the client goes. `connect` gives a connection to a port.
void forward_ports(const Ctx& ctx, net::WebSocket& socket,
                   const std::function<Result<Fd>(const Ctx&, int port)>& connect);

}  // namespace slipway::cluster
