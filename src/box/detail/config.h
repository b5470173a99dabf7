#pragma once
// One Spec to one container, settled to the last detail, and that to an OCI runtime configuration (config.json).
#include <optional>
#include <span>
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
  int oom_score_floor = -1000;      // lower ones the kernel refuses us
  std::int64_t open_files_max = 0;  // the host's hard limit: asking for more is refused by the kernel
};

struct MountAt {
  std::string target, type, source;
  std::vector<std::string> options;  // as mount(8) names them
  bool folder = true;                // what is mounted; false: a file
  bool system = false;               // one of the places every container has
};
struct Device {
  std::string path;
  char type;  // c or b
  std::uint32_t major, minor, mode, uid, gid;
};
struct DeviceRule {
  char type;
  int major, minor;  // -1: any
  const char* access;
};
struct Resources {
  std::int64_t memory_bytes = 0, cpu_shares = 0, cpu_quota = 0, pids = 0;  // 0: no limit; quota per kCpuPeriod
};
constexpr std::int64_t kCpuPeriod = 100'000;  // microseconds

// Everything that is decided about a container, whoever makes it.
struct Settled {
  std::vector<std::string> argv, env;  // KEY=VALUE
  std::string cwd;
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  std::vector<std::string> capabilities;  // CAP_ names
  std::int64_t open_files = 0;
  std::optional<int> oom_score_adj;
  bool no_new_privileges = true, tty = false, seccomp = true;

  std::string root, hostname, cgroup;
  bool read_only_root = false, privileged = false, rootless = false;
  bool own_dev = false;  // /dev is a fresh file system of the container
  std::vector<MountAt> mounts;
  std::vector<std::pair<std::string, std::string>> namespaces;  // OCI's type; a path to join, "" for a new one
  std::map<std::string, std::string> sysctls;
  std::vector<Device> devices;
  std::vector<std::string> masked, read_only;
  Resources resources;
};

// What containers that are not privileged may do with devices; everything else is refused.
std::span<const DeviceRule> device_rules();
// The capability set of the Spec, as CAP_ names: its own list or Docker's, plus added, less dropped; "ALL" works.
// Errors: invalid for an unknown name.
Result<std::vector<std::string>> effective_capabilities(const Spec& spec);
int capability_number(std::string_view name);  // of "CAP_CHOWN": 0
// Errors: invalid; not_found for the source of a bind.
Result<Settled> settle(const Spec& spec, const ConfigInput& input);
std::string oci_config(const Settled& container);

}  // namespace slipway::box
