#pragma once
// What the runtime needs to know of control groups, and what it leaves behind.
#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "box/box.h"

namespace slipway::box {

enum class CgroupMode { none, v1, hybrid, unified };
std::string_view to_string(CgroupMode mode);

// The host's hierarchies. Threads: any.
struct Cgroups {
  CgroupMode mode = CgroupMode::none;
  // hybrid only: the v2 side holds controllers too (crun refuses that).
  bool unified_controllers = false;
  bool writable = false;
  std::vector<fs::path> hierarchies;  // folders a group may exist in: an OCI runtime makes one in each
  // Those a container of ours has a group in: they limit, or programs look there for their limits. A group costs 50 us
  // and more in each, so freezer, blkio and names of others have none.
  std::vector<fs::path> limiting;
  fs::path memory, cpuset, devices, cpuacct;  // of these controllers; empty: none
  fs::path unified;                           // of v2, if it is there

  static Cgroups detect(const fs::path& mounts = "/proc/self/mounts");
  bool oom_killed(const std::string& group) const;
  // Nothing: there is no such group, or nothing counts here.
  std::optional<Usage> usage(const std::string& group) const;
  // Removes the group (not its parents: a start next door may be about to use them) in every hierarchy. false: it
  // is still in use.
  bool remove(const std::string& group) const;
  // Removes a group that holds only empty groups.
  void remove_empty(const std::string& group) const;
};

}  // namespace slipway::box
