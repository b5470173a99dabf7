#pragma once
// The conductor moves what is on the path: each controller watches objects and writes objects. It reads like the path.
#include "engine/house.h"

namespace slipway::engine {

// Runs every controller until the context stops; calls `ready` once, when they all watch. Errors: only cancelled, or
// what kept one from starting.
Result<> conduct(const Ctx& ctx, House& house, const std::function<void()>& ready);

}  // namespace slipway::engine
