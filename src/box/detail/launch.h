#pragma once
// One settled container to the plan that the guardian launches it by (shim/launch.cpp), without an OCI runtime.
#include <string>

#include "box/detail/cgroups.h"
#include "box/detail/config.h"

namespace slipway::box {

// `filters`: a folder for system call filters, made once each. Errors: invalid, internal, the file system's.
Result<std::string> launch_plan(const Settled& container, const Cgroups& cgroups, const fs::path& filters);

// The plan of another process in a container, from the container's own.
struct Inside {
  int pid = 0;                // of the container's first process
  std::uint64_t started = 0;  // its start time: the pid may be another's by now
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;  // added
  std::string cwd;                         // "": the container's
  std::optional<User> user;                // nothing: the container's
  bool tty = false;
};
std::string plan_inside(std::string_view container, const Inside& process);

}  // namespace slipway::box
