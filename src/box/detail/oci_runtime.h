#pragma once
// The runtime on PATH: which one, where it keeps what, and one command line of it.
#include <string>
#include <vector>

#include "box/box.h"
#include "box/detail/cgroups.h"
#include "box/detail/removals.h"

namespace slipway::box {

std::string_view shim_bytes();  // shim_bytes.cpp

// Shared by a Runtime and its containers. Threads: any (constant after open).
struct OciHost {
  std::string program, name, version;  // "/usr/sbin/runc", "runc", "1.1.5"; or the guardian itself, "native"
  fs::path root;                       // our state
  fs::path shim;
  Cgroups cgroups;
  bool rootless = false;
  bool limits = false;  // cgroups can be used
  int oom_score_floor = -1000;
  std::string cgroup_root;  // "/slipway-1a2b3c4d"
  std::shared_ptr<Removals> removals = std::make_shared<Removals>();

  bool native() const { return name == "native"; }
  fs::path dir(const std::string& id) const { return root / "containers" / id; }
  // The program and its options before the sub-command.
  std::vector<std::string> command(const fs::path& log) const;
};

// The last error line of the runtime's log, unquoted; "" when there is none.
std::string last_error(const fs::path& log);
// As an Error: what the image or the command is to blame for is invalid, the rest unavailable.
Fail runtime_failed(const std::string& id, int code, const fs::path& log);

// /proc/PID/stat's start time; with the pid it names one process. Nothing: gone.
std::optional<std::uint64_t> process_start(int pid);
// Opens the process if it is still that one.
Fd open_process(int pid, std::uint64_t start);

Result<std::unique_ptr<Container>> start_container(const Ctx& ctx, const OciHost& host, const Spec& spec,
                                                   Streams streams);
Result<std::unique_ptr<Container>> attach_container(const OciHost& host, const std::string& id);

}  // namespace slipway::box
