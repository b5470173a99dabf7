#pragma once
// The control group of a container: made, limited, and closed to devices. What an OCI runtime does otherwise.
#include "box/detail/cgroups.h"
#include "box/detail/config.h"

namespace slipway::box {

// Makes the container's group in every hierarchy. A controller the host does not have limits nothing. Errors: the file
// system's, with the file that refused.
Result<> make_group(const Cgroups& cgroups, const Settled& container);
// cgroup v2: attaches a program that refuses devices outside device_rules() to the open folder of a group.
Result<> refuse_devices(int group);

}  // namespace slipway::box
