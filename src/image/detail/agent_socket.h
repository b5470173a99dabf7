#pragma once
// An SSH agent's socket for one RUN: a socket of its own, with the owner and mode that the mount asks for.
#include <sys/types.h>

#include <memory>

#include "base/files.h"

namespace slipway::image::detail {

// What arrives at `socket` is passed on to the agent; the connections end with the value. Threads: any.
class AgentSocket {
 public:
  // Errors: unavailable when nobody listens at `agent`.
  static Result<std::unique_ptr<AgentSocket>> open(const fs::path& agent, const fs::path& folder, unsigned mode,
                                                   uid_t uid, gid_t gid);
  ~AgentSocket();
  const fs::path& socket() const { return socket_; }

 private:
  AgentSocket() = default;
  void serve();
  struct Pair;
  fs::path agent_, socket_;
  Fd listener_, stop_;
  std::unique_ptr<std::thread> thread_;
};

}  // namespace slipway::image::detail
