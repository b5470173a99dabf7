#pragma once
// Bare repositories, read and written in process (libgit2).
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "base/time.h"
#include "git/access.h"
#include "git/signed_object.h"

namespace slipway::git {

using Oid = std::string;  // 40 lower-case hex digits; zero_oid for "none"
inline constexpr std::string_view zero_oid = "0000000000000000000000000000000000000000";

struct Signature {
  std::string name, email;
  WallTime when{};
};
struct Commit {
  Oid id, tree;
  std::vector<Oid> parents;
  Signature author, committer;
  std::string message;
  std::string subject() const;
};
struct TreeEntry {
  std::string path;  // relative to the tree that was asked for, with "/"
  Oid id;
  unsigned mode = 0;       // 0100644, 0100755, 0120000, 040000, 0160000
  std::uint64_t size = 0;  // blobs only
  bool is_tree() const { return mode == 040000; }
  bool is_link() const { return mode == 0120000; }
};
struct FileChange {
  enum class Type { added, modified, deleted, renamed, type_changed };
  Type type = Type::modified;
  std::string path, old_path;
  Oid old_id, new_id;
};
// What to write: absent content deletes the path.
struct FileEdit {
  std::string path;
  std::optional<std::string> content;  // of a submodule (0160000) its commit's id
  unsigned mode = 0;                   // 0: keep the old one, or 0100644
};
struct MergeResult {
  Oid tree;                            // empty when there are conflicts
  std::vector<std::string> conflicts;  // paths
};

// Threads: any; every call opens what it needs. A copy is the same repository.
class Repository {
 public:
  static Result<Repository> open(const fs::path& bare);
  // The same, also seeing the objects of another object folder (what a push brought and nobody accepted yet).
  static Result<Repository> open_with(const fs::path& bare, const fs::path& extra_objects);
  static Result<Repository> init(const fs::path& bare, std::string_view default_branch = "main");
  // A clone or an update of a mirror of any URL git reaches (http, https, ssh, file), bare.
  static Result<Repository> mirror(const Ctx& ctx, const std::string& url, const fs::path& bare,
                                   const Access& access = {});
  // For such a mirror, a commit that no ref of that URL has, from a host that serves commits by their ids.
  Result<> fetch_commit(const Ctx& ctx, const std::string& url, const Oid& commit, const Access& access = {});
  const fs::path& path() const;

  // A ref, tag, short or full id; "main", "refs/heads/main", "HEAD". Nothing: unknown.
  Result<std::optional<Oid>> resolve(std::string_view revision) const;
  // The annotated tag that a revision names, as an object of its own; nothing: a commit, or unknown.
  Result<std::optional<Oid>> annotated_tag(std::string_view revision) const;
  // A commit or an annotated tag. Errors: not_found, invalid (signed twice, too large).
  Result<SignedObject> signed_object(const Oid& id) const;
  Result<std::map<std::string, Oid>> refs(std::string_view prefix = "refs/") const;
  Result<std::string> head() const;  // "refs/heads/main"
  Result<Commit> commit(const Oid& id) const;
  Result<Oid> tree_of(const Oid& commit_or_tree, std::string_view path = {}) const;  // not_found when no such folder
  Result<std::vector<TreeEntry>> list(const Oid& commit_or_tree, std::string_view path = {},
                                      bool recursive = true) const;
  Result<std::optional<std::string>> read(const Oid& commit_or_tree, std::string_view path) const;
  // One folder by its tree's id: sorted by name, without sizes. Errors: corrupt (it is not there, though named).
  Result<std::vector<TreeEntry>> folder(const Oid& tree) const;
  // Errors: invalid (larger than `most`), corrupt (not there).
  Result<std::string> blob(const Oid& id, std::size_t most = std::string::npos) const;
  Result<std::vector<Commit>> log(const Oid& from, std::size_t limit, const Oid& until = {}) const;
  // `from` may be empty or zero: everything is added.
  Result<std::vector<FileChange>> diff(const Oid& from, const Oid& to) const;
  // Files whose content, kind or presence differs between two commits or trees; a rename is two of them.
  Result<std::vector<std::string>> changed_paths(const Oid& from, const Oid& to) const;
  Result<std::string> diff_text(const Oid& from, const Oid& to) const;
  Result<std::optional<Oid>> merge_base(const Oid& a, const Oid& b) const;
  Result<bool> is_ancestor(const Oid& ancestor, const Oid& of) const;
  Result<MergeResult> merge(const Oid& ours, const Oid& theirs) const;

  // Writes the files of a tree into a folder (no .git); links stay links, never followed.
  Result<> checkout(const Ctx& ctx, const Oid& commit, const fs::path& folder) const;
  // The same, with a .git beside it that knows this commit alone. False: too many objects for this to be quicker than
  // git itself; the files are there, .git is not.
  Result<bool> checkout_shallow(const Ctx& ctx, const Oid& commit, const fs::path& folder) const;

  // The tree of `base` (may be empty) with the edits.
  Result<Oid> write_tree(const Oid& base, const std::vector<FileEdit>& edits);
  Result<Oid> write_commit(const Oid& tree, const std::vector<Oid>& parents, const Signature& author,
                           std::string_view message);
  // Moves a ref only if it is at `expected` (zero: must not exist; empty: whatever). Zero `to` deletes.
  // Synced. Errors: conflict.
  Result<> update_ref(std::string_view name, const Oid& to, const std::optional<Oid>& expected,
                      std::string_view reason);
  // Pushes refs to a URL. Errors: conflict (not a fast-forward), denied, unavailable.
  Result<> push(const Ctx& ctx, const std::string& url, const std::vector<std::string>& refspecs,
                const Access& access = {});

 private:
  struct Rep;
  explicit Repository(std::shared_ptr<Rep> rep);
  std::shared_ptr<Rep> rep_;
};

}  // namespace slipway::git
