#pragma once
// libgit2 behind our results: owners, errors, and handles that are borrowed for one call.
#include <git2.h>
#include <sys/stat.h>

#include <mutex>

#include "base/fd.h"
#include "base/guarded.h"
#include "git/repository.h"

namespace slipway::git {

using RepoHandle = Owned<git_repository, git_repository_free>;
using CommitHandle = Owned<git_commit, git_commit_free>;
using TreeHandle = Owned<git_tree, git_tree_free>;
using EntryHandle = Owned<git_tree_entry, git_tree_entry_free>;
using BlobHandle = Owned<git_blob, git_blob_free>;
using ObjectHandle = Owned<git_object, git_object_free>;
using RefHandle = Owned<git_reference, git_reference_free>;
using WalkHandle = Owned<git_revwalk, git_revwalk_free>;
using DiffHandle = Owned<git_diff, git_diff_free>;
using IndexHandle = Owned<git_index, git_index_free>;
using OdbHandle = Owned<git_odb, git_odb_free>;
using OdbObjectHandle = Owned<git_odb_object, git_odb_object_free>;
using RemoteHandle = Owned<git_remote, git_remote_free>;
using SignatureHandle = Owned<git_signature, git_signature_free>;
using BuilderHandle = Owned<git_treebuilder, git_treebuilder_free>;
using PackHandle = Owned<git_packbuilder, git_packbuilder_free>;

// Once per process: threads on, objects and refs synced, nobody's global configuration read.
void start_library();

// The last libgit2 error of this thread as ours: the Kind from the code and class.
Fail git_fail(int code, std::string_view doing);
#define SLP_GIT_OK_(rc, doing, ...) \
  if (int rc = (__VA_ARGS__); rc < 0) return ::slipway::git::git_fail(rc, doing)
#define GIT_OK(doing, ...) SLP_GIT_OK_(SLP_CAT_(rc_, __COUNTER__), doing, __VA_ARGS__)

Result<git_oid> oid_of(std::string_view hex);
Oid text_of(const git_oid& id);
inline bool is_zero(std::string_view id) { return id.empty() || id == zero_oid; }

// A handle on a repository, that also sees the objects in `extra_objects` when given.
Result<RepoHandle> open_handle(const fs::path& git_dir, const fs::path& extra_objects);
// The tree of a commit, tag or tree.
Result<TreeHandle> peel_tree(git_repository* repo, std::string_view id);
Result<CommitHandle> find_commit(git_repository* repo, std::string_view id);
// What a revision names, a tag as such; null: unknown.
Result<ObjectHandle> find_revision(git_repository* repo, std::string_view revision);
Result<SignatureHandle> signature_of(const Signature& who);
// "a/b" from "/a/b/"; refuses "..", "." and empty segments.
Result<std::string> clean_path(std::string_view path);
// One name in a tree that no checkout can be led astray by: not "", ".", "..", ".git" in any spelling, no "/".
bool is_safe_name(std::string_view name);

// Makes a folder's entries durable.
Result<> sync_folder(const fs::path& folder);

// Held while refs move, by every writer of this program and by the kernel only as long as the process lives:
// a kill -9 leaves nothing behind. Blocks.
class RefLock {
 public:
  static Result<RefLock> take(const fs::path& git_dir);

 private:
  explicit RefLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};
// The part of update_ref that runs under a RefLock.
Result<> move_ref(git_repository* repo, std::string_view name, std::string_view to, const std::optional<Oid>& expected,
                  std::string_view reason);

struct Repository::Rep {
  fs::path path;     // as opened
  fs::path git_dir;  // where objects/ and refs/ are
  fs::path extra_objects;
  struct Idle {
    RepoHandle handle;
    timespec packs{};  // change time of objects/pack when it was opened
  };
  Guarded<std::vector<Idle>> idle;

  class Loan {
   public:
    Loan(Rep& home, Idle idle) : home_(&home), idle_(std::move(idle)) {}
    Loan(Loan&& other) noexcept : home_(std::exchange(other.home_, nullptr)), idle_(std::move(other.idle_)) {}
    Loan& operator=(Loan&&) = delete;
    ~Loan();
    operator git_repository*() const { return idle_.handle.get(); }
    git_repository* get() const { return idle_.handle.get(); }

   private:
    Rep* home_;
    Idle idle_;
  };
  // A handle nobody else uses now: libgit2's are for one thread at a time.
  Result<Loan> borrow();
};

}  // namespace slipway::git
