// A working folder with a .git that knows one commit alone, as `git fetch --depth=1` and `git reset` make it, without
// their nine processes.
#include <sys/stat.h>

#include "git/detail/libgit.h"

namespace slipway::git {
namespace {

// More objects than this, and git's own reuse of packed deltas is quicker than packing them again.
constexpr std::size_t objects_max = 4000;

// Index entries with the files' own times and numbers, so that git need not read them to see that they are unchanged.
Result<> write_index(git_repository* repo, git_tree* tree, const fs::path& folder) {
  IndexHandle index;
  GIT_OK("index", git_repository_index(out(index), repo));
  GIT_OK("index", git_index_read_tree(index.get(), tree));
  auto count = git_index_entrycount(index.get());
  for (std::size_t i = 0; i < count; ++i) {
    auto entry = *git_index_get_byindex(index.get(), i);
    struct stat st{};
    std::string path = entry.path;
    if (entry.mode == GIT_FILEMODE_COMMIT || ::lstat((folder / path).c_str(), &st) < 0) continue;
    entry.path = path.c_str();
    entry.ctime = {static_cast<std::int32_t>(st.st_ctim.tv_sec), static_cast<std::uint32_t>(st.st_ctim.tv_nsec)};
    entry.mtime = {static_cast<std::int32_t>(st.st_mtim.tv_sec), static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
    entry.dev = static_cast<std::uint32_t>(st.st_dev), entry.ino = static_cast<std::uint32_t>(st.st_ino);
    entry.uid = st.st_uid, entry.gid = st.st_gid, entry.file_size = static_cast<std::uint32_t>(st.st_size);
    GIT_OK(path, git_index_add(index.get(), &entry));
  }
  GIT_OK("index", git_index_write(index.get()));
  return {};
}

}  // namespace

Result<bool> Repository::checkout_shallow(const Ctx& ctx, const Oid& commit, const fs::path& folder) const {
  TRY_OK(checkout(ctx, commit, folder));
  TRY(auto repo, rep_->borrow());
  TRY(auto found, find_commit(repo, commit));
  PackHandle pack;
  GIT_OK("pack", git_packbuilder_new(out(pack), repo));
  git_packbuilder_set_threads(pack.get(), 1);
  GIT_OK(commit, git_packbuilder_insert_commit(pack.get(), git_commit_id(found.get())));
  if (git_packbuilder_object_count(pack.get()) > objects_max) return false;
  RepoHandle made;
  GIT_OK(folder.string(), git_repository_init(out(made), folder.c_str(), 0));
  auto git_dir = folder / ".git";
  GIT_OK("pack", git_packbuilder_write(pack.get(), (git_dir / "objects/pack").c_str(), 0, nullptr, nullptr));
  auto id = text_of(*git_commit_id(found.get())) + "\n";
  if (git_commit_parentcount(found.get()) > 0) {
    TRY_OK(write_file(git_dir / "shallow", id));
  }
  TRY_OK(write_file(git_dir / "HEAD", id));
  TreeHandle tree;
  GIT_OK(commit, git_commit_tree(out(tree), found.get()));
  TRY_OK(write_index(made.get(), tree.get(), folder));
  return true;
}

}  // namespace slipway::git
