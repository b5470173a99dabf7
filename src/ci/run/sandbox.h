#pragma once
// Where a job's processes run: in one container for the whole job, or (when explicitly allowed) on the host.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "base/process.h"
#include "box/box.h"
#include "ci/runner.h"

namespace slipway::ci {

class Recorder;  // observe/recorder.h

struct Process {
  std::vector<std::string> argv;           // paths as seen inside
  std::map<std::string, std::string> env;  // the whole environment
  std::string cwd;
  Millis interrupt_grace{7500};  // on cancel: SIGINT, this long, SIGTERM, terminate_grace, SIGKILL
  Millis terminate_grace{2500};
  Recorder* recorder = nullptr;  // notes what it looks at; null: nobody asks
};

// Threads: any; several processes may run at once.
class Sandbox {
 public:
  virtual ~Sandbox() = default;
  // Runs to its end; gives the exit status, 128 + signal when killed. Errors: not_found (no such program),
  // cancelled, timeout (after the process is gone), unavailable (the container ended).
  virtual Result<int> run(const Ctx& ctx, const Process& process, const OutputSink& sink) = 0;
  virtual bool isolated() const = 0;
  virtual bool alive() = 0;                       // takes processes
  virtual bool watches() const { return false; }  // honours Process::recorder
  virtual std::string describe() const = 0;
  // Its root folder, as its processes see it; none on the host.
  virtual Fd root() const { return {}; }
  // A process on a terminal of its own, for a person. Errors: as run; unavailable where there is none to be had.
  virtual Result<int> shell(const Ctx& /*ctx*/, const Process& /*process*/, const Terminal& /*terminal*/) {
    return fail(Kind::unavailable, "jobs that run {} have no shell for people", describe());
  }
  // Kills what is left. Idempotent.
  virtual void end() = 0;
  // And takes away what it ran in. Idempotent.
  virtual void close() = 0;
};

struct SandboxOptions {
  fs::path upper;                // where changes of the root go, to be kept; empty: they are dropped
  fs::path home;                 // of the host: becomes /home/runner inside
  std::string id;                // unique on this host
  std::vector<fs::path> layers;  // of an image; empty: a copy-on-write view of the host's root
  std::vector<fs::path> hide;    // folders of the host that steps must not see
  std::vector<box::Mount> mounts;
  box::Limits limits;
  box::Network network = box::Network::host;
  fs::path netns;
  std::vector<std::string> host_names;  // further names of 127.0.0.1: services
  std::string user;
  std::map<std::string, std::string> env;
};
Result<std::unique_ptr<Sandbox>> open_box_sandbox(const Ctx& ctx, box::Runtime& runtime, const SandboxOptions& options);
std::unique_ptr<Sandbox> open_host_sandbox(const SandboxOptions& options);
inline constexpr std::string_view home_inside = "/home/runner";

}  // namespace slipway::ci
