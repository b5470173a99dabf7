#pragma once
// Plain connections to pods.
#include <string>

#include "base/ctx.h"
#include "base/fd.h"
#include "base/files.h"

namespace slipway::cluster {

// Connected, non-blocking, close-on-exec. Errors: invalid (no address), unavailable (refused, unreachable), timeout.
Result<Fd> connect_tcp(const Ctx& ctx, const std::string& ip, int port);
// The same, from inside a pinned network namespace.
Result<Fd> connect_inside(const Ctx& ctx, const fs::path& netns, const std::string& ip, int port);
// Writes all, then what the peer sends, at most `limit` bytes, until `done` says so or the peer ends.
Result<> send_all(const Ctx& ctx, int fd, std::string_view bytes);
Result<std::string> receive_some(const Ctx& ctx, int fd, std::size_t limit);  // "" at the end

}  // namespace slipway::cluster
