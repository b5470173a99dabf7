#pragma once
// What the API server asks of the node agent for a pod: logs, exec, port-forward, what it uses.
#include <functional>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/fd.h"
#include "cluster/usage.h"
#include "kube/object.h"

namespace slipway::cluster {

struct LogOptions {
  std::string container;  // "" the only one
  bool follow = false, previous = false, timestamps = false;
  std::optional<std::int64_t> tail_lines, since_seconds, limit_bytes;
};
struct ExecOptions {
  std::string container;
  std::vector<std::string> command;
  bool tty = false;
  int in = -1, out = -1, err = -1;  // pipe ends; -1: not wanted
};
// Threads: any.
class NodeAccess {
 public:
  virtual ~NodeAccess() = default;
  // Pieces of log text, oldest first; returns when all is given, or with follow when the container has ended or
  // the context stops. `sink` false: stop. Errors: not_found, invalid (which container?).
  virtual Result<> logs(const Ctx& ctx, const kube::Key& pod, const LogOptions& options,
                        const std::function<bool(std::string_view)>& sink) = 0;
  virtual Result<int> exec(const Ctx& ctx, const kube::Key& pod, const ExecOptions& options) = 0;
  // A connection to a port inside the pod's network.
  virtual Result<Fd> connect(const Ctx& ctx, const kube::Key& pod, int port) = 0;
  // Of the running pods of a namespace ("": of all). A pod is missing where not all its containers run, or where no
  // window of at least `shortest` has passed since they were looked at first: ask again then.
  virtual Result<std::vector<PodUsage>> usage(const Ctx& ctx, const std::string& ns, Millis shortest) = 0;
  // Errors: unavailable, as above.
  virtual Result<NodeUsage> node_usage(const Ctx& ctx, Millis shortest) = 0;
};

}  // namespace slipway::cluster
