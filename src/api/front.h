#pragma once
// The one port: Kubernetes API, git, registry, webhooks, logs, metrics and the page, told apart by path.
#include "engine/house.h"

namespace slipway::api {

// Threads: any. The house must outlive it.
net::Handler front(engine::House& house);

// What pods reach, on the host's address in their network: the Kubernetes API and nothing else.
net::Handler front_for_pods(engine::House& house);

}  // namespace slipway::api
