#pragma once
// Notices: written as objects first, sent afterwards, each once per notifier.
#include "kube/client.h"
#include "path/objects.h"

namespace slipway::engine {

struct House;

// Records the notice (its id makes it one). Errors: as the client.
Result<> announce(const Ctx& ctx, House& house, const path::Notice& notice);
// Sends a recorded notice to every Notifier that wants it and has not had it.
Result<std::optional<Millis>> deliver(const Ctx& ctx, House& house, const std::string& name);

}  // namespace slipway::engine
