#pragma once
// The one port: Kubernetes API, git, registry, webhooks, logs, metrics and the page, told apart by path.
#include "engine/house.h"

namespace slipway::api {

// Threads: any. The house must outlive it.
net::Handler front(engine::House& house);

}  // namespace slipway::api
