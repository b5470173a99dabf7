#pragma once
// GitHub's REST calls that start workflows, for scripts and other forges' tools that know them.
//   POST /api/v3/repos/OWNER/NAME/dispatches                          {"event_type": .., "client_payload": {..}}
//   POST /api/v3/repos/OWNER/NAME/actions/workflows/FILE/dispatches   {"ref": .., "inputs": {..}}
#include "net/server.h"

namespace slipway::engine {

struct House;

// Answers 204; 401 without a token of a person, 404 and 422 with {"message": ...}. Threads: any.
net::Handler dispatch_routes(House& house);

}  // namespace slipway::engine
