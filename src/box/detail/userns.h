#pragma once
#include <cstdint>

#include "base/result.h"

namespace slipway::box {

// Whether root here is root of a user namespace only. Threads: any.
bool in_user_namespace();
// Whether a process may become this user and group here. Errors: unavailable, saying what is missing.
Result<> check_mapped(std::uint32_t uid, std::uint32_t gid);

}  // namespace slipway::box
