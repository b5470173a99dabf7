#pragma once
// Files of a job as one blob, and back: artifacts and caches.
#include "ci/detail/job_run.h"

namespace slipway::ci {

struct Packed {
  Digest digest;
  std::uint64_t bytes = 0;
  std::size_t files = 0;
};
// A tar with zstd of files (relative to home) named relative to `prefix`, a folder. Links stay links.
Result<Packed> pack_files(const Ctx& ctx, JobRun& job, const std::vector<std::string>& files,
                          const std::string& prefix);
// Below a folder (relative to home): a tar, or a zip as @actions/artifact makes them. Nothing leaves home, whatever the
// archive or the folder holds; names may lead out of the folder within home for Reach::home (caches: they are relative
// to the workspace, as @actions/cache has them).
enum class Reach : std::uint8_t { folder, home };
Result<std::size_t> unpack_files(const Ctx& ctx, JobRun& job, const Digest& digest, const std::string& folder,
                                 Reach reach = Reach::folder);
// Files and links that patterns match, relative to home. Patterns are as steps write them: relative to the workspace,
// absolute, with ~ for home.
struct Matched {
  std::vector<std::string> files;
  std::string root;  // the deepest folder that holds all the search places
};
Result<Matched> match_files(const Ctx& ctx, JobRun& job, const std::vector<std::string>& patterns, bool hidden);

}  // namespace slipway::ci
