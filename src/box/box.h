#pragma once
// Containers: one value describes a container, an OCI runtime runs it. Used by CI steps, image builds and pods.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::box {

struct Mount {
  fs::path source, target;  // a bind; or type tmpfs/proc with an empty source
  std::string type = "bind";
  bool read_only = false;
  std::vector<std::string> options;  // extra, e.g. size=64m
};
struct Limits {
  std::int64_t memory_bytes = 0;  // 0: none
  std::int64_t cpu_millis = 0;    // 1000 = one core
  std::int64_t cpu_shares_millis = 0;
  std::int64_t pids = 0;
  std::int64_t open_files = 0;  // 0: the host's own limit (higher ones may be refused)
  bool operator==(const Limits&) const = default;
};
enum class Network { none, host, own };
struct Spec {
  std::string id;                // unique on this host
  std::vector<fs::path> layers;  // overlay lower folders, lowest first; or
  fs::path rootfs;               // a plain folder used as it is
  fs::path upper;                // where writes go (kept, not synced); empty: a folder of the container's own, dropped
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::string cwd = "/";
  std::string user;  // "uid[:gid]" or names of the image's /etc/passwd; "" root
  std::vector<std::uint32_t> extra_groups;
  std::vector<Mount> mounts;
  Limits limits;
  Network network = Network::none;
  fs::path netns;  // Network::own: the pinned namespace to join
  std::string hostname;
  std::vector<std::string> capabilities;  // the whole bounding set; empty: Docker's default list
  std::vector<std::string> add_capabilities, drop_capabilities;
  bool no_new_privileges = true;
  bool read_only_root = false;
  bool privileged = false;
  bool seccomp = true;
  bool tty = false;
  std::string cgroup;                     // below our own root, e.g. "pods/<uid>"
  std::vector<std::string> masked_paths;  // added to the runtime's defaults
  int oom_score_adj = 0;
  bool host_pid = false, host_ipc = false;
  bool sees_cgroups = true;  // its limits are to be read at /sys/fs/cgroup
  std::map<std::string, std::string> sysctls;
  // Standard output and error go to this file as CRI log lines ("TIME stdout F text") instead of to the streams;
  // written and rotated (.1 is the newest old one) without us, also while we are away.
  fs::path log;
  std::int64_t log_max_bytes = std::int64_t{10} << 20;
  int log_files = 3;
  // true: runs on when this process dies (pods; attach takes it over). false: killed with us (CI steps).
  bool outlives_us = false;
};
struct Streams {
  int in = -1, out = -1, err = -1;  // -1: /dev/null
};

// What the processes of a container have used and hold.
struct Usage {
  std::chrono::nanoseconds cpu{0};  // since the container began, over all cores
  std::int64_t memory_bytes = 0;    // the working set: without file pages that the kernel can take back at once
};
// A started container. Destroyed with the value unless detached. Threads: any.
class Container {
 public:
  virtual ~Container() = default;
  virtual const std::string& id() const = 0;
  virtual int pid() const = 0;
  // 128 + signal when killed. Errors: cancelled, timeout (the container goes on).
  virtual Result<int> wait(const Ctx& ctx) = 0;
  virtual Result<> signal(int number) = 0;
  // Another process inside it. Gives its exit status.
  struct Exec {
    std::vector<std::string> argv;
    std::map<std::string, std::string> env;
    std::string cwd, user;
    bool tty = false;
  };
  virtual Result<int> exec(const Ctx& ctx, const Exec& exec, Streams streams) = 0;
  virtual bool oom_killed() const = 0;
  // Nothing: it has ended, or has no control group of its own on this host.
  virtual std::optional<Usage> usage() const = 0;
  // When it ended; nothing while it runs.
  virtual std::optional<std::chrono::system_clock::time_point> finished() const = 0;
  // Signalled (POLLIN) when it has ended: for callers that poll many. Owned by the container.
  virtual int exit_fd() const = 0;
  // Leaves it running when the value goes.
  virtual void detach() = 0;
  // Kills what is left, unmounts, removes state. Idempotent.
  virtual Result<> destroy() = 0;
  // As destroy, for a container with processes of its own (Spec::host_pid false): nothing of it runs and nothing is
  // mounted when this returns; its groups and its state go a moment later.
  virtual Result<> finish() = 0;
};

// Threads: any.
class Runtime {
 public:
  // Picks the OCI runtime (crun, else runc; crun refuses hybrid cgroups), rootful or rootless. `root` holds state.
  // Errors: unavailable, saying exactly what is missing and how to get it.
  static Result<std::unique_ptr<Runtime>> open(fs::path root);
  virtual ~Runtime() = default;
  virtual Result<std::unique_ptr<Container>> start(const Ctx& ctx, const Spec& spec, Streams streams) = 0;
  // start, wait, destroy; on cancel: TERM, grace, KILL. Gives the exit status, and when the command itself ran.
  struct Ran {
    std::chrono::system_clock::time_point from, to;
  };
  Result<int> run(const Ctx& ctx, const Spec& spec, Streams streams, Ran* ran = nullptr);
  // After a crash of ours: containers that still run under our root (their id), and those that ended meanwhile and
  // wait for someone to ask how: to attach to, or to destroy.
  virtual Result<std::vector<std::string>> survivors() = 0;
  virtual Result<std::unique_ptr<Container>> attach(const std::string& id) = 0;
  virtual std::string describe() const = 0;  // "runc 1.1.5, cgroup v1 hybrid, rootful, overlay"
  virtual bool rootless() const = 0;
};

// Destroys the survivors whose id starts so: what a killed process had begun and nobody will ask about.
Result<> end_leftovers(Runtime& runtime, std::string_view prefix);

// A mounted overlay: `merged` shows the layers (lowest first) with `upper` on top; no upper: read-only. Unmounted
// with the value unless released. Threads: one.
class Overlay {
 public:
  struct Options {
    bool throw_away = false;  // the upper folder is never used after an unmount or crash: no syncs
  };
  static Result<Overlay> mount(const std::vector<fs::path>& layers, const fs::path& upper, const fs::path& work,
                               const fs::path& merged);
  static Result<Overlay> mount(const std::vector<fs::path>& layers, const fs::path& upper, const fs::path& work,
                               const fs::path& merged, Options options);
  Overlay(Overlay&& other) noexcept;
  Overlay& operator=(Overlay&& other) noexcept;
  ~Overlay();
  const fs::path& merged() const { return merged_; }
  Result<> unmount();
  fs::path release() { return std::exchange(merged_, {}); }  // stays mounted

 private:
  explicit Overlay(fs::path merged) : merged_(std::move(merged)) {}
  fs::path merged_;
};

}  // namespace slipway::box
