#pragma once
// Build contexts that are no folder yet: a Git repository, a tar, a lone Dockerfile.
#include <map>
#include <optional>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::image {

// "-" (standard input), an http address, a Git address.
bool is_remote_context(const std::string& text);

struct ContextOptions {
  std::map<std::string, std::string> secrets;  // GIT_AUTH_TOKEN for private repositories
  std::optional<fs::path> agent;               // for Git by ssh
};
struct FetchedContext {
  fs::path folder;
  fs::path dockerfile;  // when only a Dockerfile came; else empty
};
// Fetches it into `into`, an empty folder. What comes by http or standard input is a tar (plain, gzip, bzip2, xz, zstd)
// or a Dockerfile. Errors: invalid, denied, unavailable.
Result<FetchedContext> fetch_context(const Ctx& ctx, const std::string& text, const ContextOptions& options,
                                     const fs::path& into);

}  // namespace slipway::image
