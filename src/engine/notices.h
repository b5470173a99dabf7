#pragma once
// Notices: written as objects first, sent afterwards, each once per notifier.
#include "kube/client.h"
#include "path/objects.h"

namespace slipway::engine {

struct House;

// Records the notice (its id makes it one). Errors: as the client.
Result<> announce(const Ctx& ctx, House& house, const path::Notice& notice);
// Whether the Notifier can be used, but for what its Secrets hold. Errors: invalid, naming the field.
Result<> check_notifier(const doc::Value& notifier);
// Says in its status what is wrong with it. Gives when to look again.
Result<std::optional<Millis>> look_at_notifier(const Ctx& ctx, House& house, const std::string& name);
// Sends a recorded notice to every Notifier that wants it and has not had it; how that went is in the status
// of both.
Result<std::optional<Millis>> deliver(const Ctx& ctx, House& house, const std::string& name);

}  // namespace slipway::engine
