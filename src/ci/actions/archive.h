#pragma once
// Files of a job as one blob, and back: artifacts and caches.
#include "ci/detail/job_run.h"

namespace slipway::ci {

struct Packed {
  Digest digest;
  std::uint64_t bytes = 0;
  std::size_t files = 0;
};
// A tar with zstd of files (relative to home) named relative to `prefix`, a folder. Links stay links. level: of zstd.
// Kept in the runner's blobs, or where `into` says.
Result<Packed> pack_files(const Ctx& ctx, JobRun& job, const std::vector<std::string>& files, const std::string& prefix,
                          int level = 1, store::BlobStore* into = nullptr);
// Below a folder (relative to home): a tar, or a zip as @actions/artifact makes them. Nothing leaves home, whatever the
// archive or the folder holds; names may lead out of the folder within home for Reach::home (caches: they are relative
// to the workspace, as @actions/cache has them).
enum class Reach : std::uint8_t { folder, home };
Result<std::size_t> unpack_files(const Ctx& ctx, JobRun& job, const Digest& digest, const std::string& folder,
                                 Reach reach = Reach::folder, store::BlobStore* from = nullptr);
// A file of home under another name there.
Result<> copy_in_home(const Ctx& ctx, JobRun& job, const std::string& from, const std::string& to, unsigned mode);
// What an artifact holds, in a folder relative to home: a file that is kept as it is under its name.
Result<std::size_t> take_out(const Ctx& ctx, JobRun& job, const RunArtifact& artifact, const std::string& folder);
// Files and links that patterns match, relative to home. Patterns are as steps write them: relative to the workspace,
// absolute, with ~ for home.
struct Matched {
  std::vector<std::string> files;
  std::string root;  // the deepest folder that holds all the search places
};
Result<Matched> match_files(const Ctx& ctx, JobRun& job, const std::vector<std::string>& patterns, bool hidden);

// Files that a toolchain keeps (cache.cpp): restored now, and saved under the key when the job went well. Gives the key
// that was restored. A runner without a store keeps none, and says so.
struct KeptFiles {
  std::vector<std::string> paths;  // as actions/cache takes them
  std::string key;
  std::vector<std::string> restore_keys;
  bool save = true, lookup_only = false, save_on_failure = false;
};
Result<std::optional<std::string>> keep_files(const Ctx& ctx, ActionUse& use, const KeptFiles& kept);
// hashFiles of the workspace; "" when nothing matches.
Result<std::string> hash_of(const Ctx& ctx, ActionUse& use, const std::vector<std::string>& patterns);

}  // namespace slipway::ci
