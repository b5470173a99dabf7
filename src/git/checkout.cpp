// Writing the files of a tree into a folder. Everything is opened relative to the folder above it without following
// links, so a tree that holds `a -> /etc` and `a/passwd` writes nothing outside (git refuses such trees too).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "git/detail/libgit.h"

namespace slipway::git {
namespace {

class Checkout {
 public:
  Checkout(const Ctx& ctx, git_repository* repo) : ctx_(ctx), repo_(repo) {}

  Result<> folder(git_tree* tree, int dir, const std::string& prefix, int depth) {
    if (depth > 200) return fail(Kind::invalid, "{}: nested too deep to check out", prefix);
    for (std::size_t i = 0; i < git_tree_entrycount(tree); ++i) {
      if (++count_ % 64 == 0) TRY_OK(ctx_.alive());
      const git_tree_entry* entry = git_tree_entry_byindex(tree, i);
      std::string name = git_tree_entry_name(entry);
      auto path = prefix + name;
      if (!is_safe_name(name)) return fail(Kind::invalid, "{}: refused to check out a file of this name", path);
      TRY_OK(one(entry, dir, name, path, depth));
    }
    return {};
  }

 private:
  Result<> one(const git_tree_entry* entry, int dir, const std::string& name, const std::string& path, int depth) {
    switch (git_tree_entry_filemode(entry)) {
      case GIT_FILEMODE_TREE: {
        TRY(auto below, enter(dir, name, path));
        TreeHandle tree;
        GIT_OK(path, git_tree_lookup(out(tree), repo_, git_tree_entry_id(entry)));
        return folder(tree.get(), below.get(), path + "/", depth + 1);
      }
      case GIT_FILEMODE_COMMIT: {  // a submodule: its folder, empty
        TRY(auto below, enter(dir, name, path));
        return {};
      }
      case GIT_FILEMODE_LINK:
        return link(entry, dir, name, path);
      case GIT_FILEMODE_BLOB_EXECUTABLE:
        return file(entry, dir, name, path, 0755);
      default:
        return file(entry, dir, name, path, 0644);
    }
  }

  Result<Fd> enter(int dir, const std::string& name, const std::string& path) {
    if (::mkdirat(dir, name.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno(errno, path);
    Fd below(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (below) return below;
    if (errno == ELOOP || errno == ENOTDIR)
      return fail(Kind::invalid, "{}: refused: a link or file stands where a folder is wanted", path);
    return fail_errno(errno, path);
  }

  Result<> link(const git_tree_entry* entry, int dir, const std::string& name, const std::string& path) {
    BlobHandle blob;
    GIT_OK(path, git_blob_lookup(out(blob), repo_, git_tree_entry_id(entry)));
    std::string target(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                       static_cast<std::size_t>(git_blob_rawsize(blob.get())));
    if (target.empty() || target.size() > 4095 || target.contains('\0'))
      return fail(Kind::invalid, "{}: not a valid link", path);
    if (::unlinkat(dir, name.c_str(), 0) < 0 && errno != ENOENT) return fail_errno(errno, path);
    if (::symlinkat(target.c_str(), dir, name.c_str()) < 0) return fail_errno(errno, path);
    return {};
  }

  Result<> file(const git_tree_entry* entry, int dir, const std::string& name, const std::string& path, unsigned mode) {
    BlobHandle blob;
    GIT_OK(path, git_blob_lookup(out(blob), repo_, git_tree_entry_id(entry)));
    auto create = [&] {
      return Fd(::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    };
    Fd fd = create();
    if (!fd && errno == EEXIST) {
      if (::unlinkat(dir, name.c_str(), 0) < 0) return fail_errno(errno, path);
      fd = create();
    }
    if (!fd) return fail_errno(errno, path);
    TRY_OK_IN(path, write_all(fd.get(), {static_cast<const char*>(git_blob_rawcontent(blob.get())),
                                         static_cast<std::size_t>(git_blob_rawsize(blob.get()))}));
    return {};
  }

  const Ctx& ctx_;
  git_repository* repo_;
  std::size_t count_ = 0;
};

}  // namespace

Result<> Repository::checkout(const Ctx& ctx, const Oid& commit, const fs::path& folder) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto tree, peel_tree(repo, commit));
  TRY_OK(make_dirs(folder));
  Fd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno(errno, folder.string());
  return Checkout(ctx, repo).folder(tree.get(), root.get(), "", 0);
}

}  // namespace slipway::git
