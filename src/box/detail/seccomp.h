#pragma once
// The default system call filter, as the `linux.seccomp` object of an OCI configuration.
#include <set>
#include <string>

#include "box/detail/json.h"

namespace slipway::box {

// Everything not allowed answers EPERM. What needs a capability is allowed when the container holds it.
void write_seccomp(JsonWriter& json, const std::set<std::string>& capabilities);

}  // namespace slipway::box
