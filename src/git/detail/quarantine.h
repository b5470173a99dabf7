#pragma once
// Where a push's objects wait: an object folder of their own inside the repository, invisible to everybody else,
// until they are accepted. A kill leaves a folder that the next start removes.
#include "git/detail/libgit.h"
#include "git/detail/pktline.h"

namespace slipway::git {

class Quarantine {
 public:
  static Result<Quarantine> make(const fs::path& git_dir);
  // Reads a pack from `bytes` to its end, checks and indexes it here (deltas against the repository's own objects
  // are completed). Errors: invalid (no pack, broken, cut, bytes after it, over the limit).
  Result<> index(const Ctx& ctx, git_repository* repo, const ByteSource& bytes, std::uint64_t limit);
  const fs::path& path() const { return folder_.path(); }
  // Moves the pack into the repository, synced: from now on everybody sees it.
  Result<> migrate(const fs::path& git_dir);
  // What kills left behind.
  static void sweep(const fs::path& git_dir);

 private:
  explicit Quarantine(TempDir folder) : folder_(std::move(folder)) {}
  TempDir folder_;
};

// Everything the tip reaches and the repository's refs do not must be there, and fit to be checked out. `repo` sees
// the quarantine. Nothing when all is well, else the reason. Trusts what existing refs reach, nothing else.
Result<std::optional<std::string>> check_connected(const Ctx& ctx, git_repository* repo, const Oid& tip);

}  // namespace slipway::git
