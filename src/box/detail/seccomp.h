#pragma once
// The default system call filter: as the `linux.seccomp` object of an OCI configuration, and as a program.
#include <set>
#include <string>

#include "base/result.h"
#include "box/detail/json.h"

namespace slipway::box {

// Everything not allowed answers EPERM. What needs a capability is allowed when the container holds it.
// Differs whenever the program would.
std::string seccomp_identity(const std::set<std::string>& capabilities);
// The same for seccomp(2): an array of sock_filter. Errors: internal.
Result<std::string> seccomp_program(const std::set<std::string>& capabilities);
void write_seccomp(JsonWriter& json, const std::set<std::string>& capabilities);

}  // namespace slipway::box
