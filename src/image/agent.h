#pragma once
// An SSH agent that knows some keys and ends with the value.
#include "base/files.h"
#include "base/process.h"

namespace slipway::image {

// Threads: one.
class KeyAgent {
 public:
  // `keys`: private keys as their files hold them, without a passphrase. Errors: not_found (no ssh-agent here),
  // invalid.
  static Result<KeyAgent> start(const Ctx& ctx, const std::vector<std::string>& keys);
  fs::path socket() const { return folder_.path() / "agent"; }

 private:
  KeyAgent(TempDir folder, Child agent) : folder_(std::move(folder)), agent_(std::move(agent)) {}
  TempDir folder_;
  Child agent_;
};

}  // namespace slipway::image
