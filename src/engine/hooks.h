#pragma once
// Webhooks of other forges: the repository is mirrored, the event becomes a Change like a push here.
#include "net/server.h"

namespace slipway::engine {

struct House;

// Secrets that count: every value of the Secret "webhooks" in the home namespace. Without one, every delivery is
// refused.
net::Handler webhook_routes(House& house);

}  // namespace slipway::engine
