#pragma once
// One Spec to one OCI runtime configuration (config.json).
#include <string>

#include "box/box.h"
#include "box/detail/user.h"

namespace slipway::box {

// What the Spec does not say but the configuration needs.
struct ConfigInput {
  User user;
  std::string root;                 // of the file system, absolute
  std::string cgroup;               // absolute, within each hierarchy; "" for none
  bool rootless = false;            // already inside a user namespace
  bool unified = false;             // cgroup v2
  int oom_score_floor = -1000;      // lower ones the kernel refuses us
  std::int64_t open_files_max = 0;  // the host's hard limit: asking for more is refused by the kernel
};

// The capability set of the Spec, as CAP_ names: its own list or Docker's, plus added, less dropped; "ALL" works.
// Errors: invalid for an unknown name.
Result<std::vector<std::string>> effective_capabilities(const Spec& spec);
// Errors: invalid.
Result<std::string> oci_config(const Spec& spec, const ConfigInput& input);
// The `process` part alone, for an exec.
Result<std::string> oci_process(const Spec& spec, const ConfigInput& input);

}  // namespace slipway::box
