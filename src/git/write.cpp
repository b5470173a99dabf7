// Writing: trees by edits, commits, refs by compare-and-swap.
#include <sys/stat.h>

#include <ctime>

#include "base/log.h"
#include "base/text.h"
#include "git/detail/libgit.h"

namespace slipway::git {
namespace {

// The edits of one folder: files of its own, and folders with theirs.
struct EditTree {
  std::map<std::string, const FileEdit*, std::less<>> files;
  std::map<std::string, EditTree, std::less<>> folders;
};

Result<EditTree> sort_edits(const std::vector<FileEdit>& edits) {
  EditTree root;
  for (const auto& edit : edits) {
    TRY(auto path, clean_path(edit.path));
    if (path.empty() || edit.path.starts_with("/"))
      return fail(Kind::invalid, "\"{}\": want a relative path", edit.path);
    EditTree* at = &root;
    auto segments = split(path, '/');
    for (auto segment : segments)
      if (!is_safe_name(segment)) return fail(Kind::invalid, "{}: \"{}\" is not allowed as a name", edit.path, segment);
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) at = &at->folders[std::string(segments[i])];
    at->files[std::string(segments.back())] = &edit;  // the last edit of a path counts
  }
  return root;
}

Result<unsigned> mode_for(const FileEdit& edit, const git_tree_entry* old) {
  unsigned mode = edit.mode;
  if (mode == 0 && old != nullptr && git_tree_entry_type(old) == GIT_OBJECT_BLOB) mode = git_tree_entry_filemode(old);
  if (mode == 0) mode = GIT_FILEMODE_BLOB;
  if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE && mode != GIT_FILEMODE_LINK &&
      mode != GIT_FILEMODE_COMMIT)
    return fail(Kind::invalid, "{}: mode {:o}, want 100644, 100755, 120000 or 160000", edit.path, mode);
  return mode;
}

// The id of the edited tree; zero when nothing is left in it.
Result<git_oid> write_level(git_repository* repo, git_tree* base, const EditTree& edits) {
  BuilderHandle builder;
  GIT_OK("tree", git_treebuilder_new(out(builder), repo, base));
  for (const auto& [name, edit] : edits.files) {
    const git_tree_entry* old = git_treebuilder_get(builder.get(), name.c_str());
    if (!edit->content) {
      if (old != nullptr) GIT_OK(edit->path, git_treebuilder_remove(builder.get(), name.c_str()));
      continue;
    }
    TRY(auto mode, mode_for(*edit, old));
    git_oid id;
    if (mode == GIT_FILEMODE_COMMIT) {
      TRY_IN(id, edit->path, oid_of(*edit->content));
    } else {
      GIT_OK(edit->path, git_blob_create_from_buffer(&id, repo, edit->content->data(), edit->content->size()));
    }
    GIT_OK(edit->path,
           git_treebuilder_insert(nullptr, builder.get(), name.c_str(), &id, static_cast<git_filemode_t>(mode)));
  }
  for (const auto& [name, below] : edits.folders) {
    TreeHandle old_tree;
    const git_tree_entry* old = git_treebuilder_get(builder.get(), name.c_str());
    if (old != nullptr && git_tree_entry_type(old) == GIT_OBJECT_TREE)
      GIT_OK(name, git_tree_lookup(out(old_tree), repo, git_tree_entry_id(old)));
    TRY(auto id, write_level(repo, old_tree.get(), below));
    if (git_oid_is_zero(&id) != 0) {
      // Only a folder that the edits emptied goes; a file of that name was not asked to.
      if (old_tree) GIT_OK(name, git_treebuilder_remove(builder.get(), name.c_str()));
      continue;
    }
    GIT_OK(name, git_treebuilder_insert(nullptr, builder.get(), name.c_str(), &id, GIT_FILEMODE_TREE));
  }
  git_oid id{};
  if (git_treebuilder_entrycount(builder.get()) == 0) return id;
  GIT_OK("tree", git_treebuilder_write(&id, builder.get()));
  return id;
}

// A kill between the making of a ref's lock file and its rename leaves the file for ever. Under RefLock nobody of
// ours can hold it; another program holds one for milliseconds.
bool remove_stale_lock(git_repository* repo, const std::string& name) {
  bool removed = false;
  fs::path dir = git_repository_commondir(repo);
  for (const auto& file : {dir / (name + ".lock"), dir / "packed-refs.lock"}) {
    struct stat info{};
    if (::stat(file.c_str(), &info) == 0 && ::time(nullptr) - info.st_mtime > 10) {
      LOG(warn, "git.stale_lock.removed", {"file", file.string()});
      removed |= ::unlink(file.c_str()) == 0;
    }
  }
  return removed;
}

Result<> delete_ref(git_repository* repo, const std::string& name, const std::optional<Oid>& expected) {
  RefHandle ref;
  int rc = git_reference_lookup(out(ref), repo, name.c_str());
  if (rc == GIT_ENOTFOUND) {
    if (expected && !is_zero(*expected)) return fail(Kind::conflict, "{}: is gone, want {}", name, *expected);
    return {};
  }
  GIT_OK(name, rc);
  if (expected) {
    const git_oid* now = git_reference_target(ref.get());
    auto have = now != nullptr ? text_of(*now) : std::string(git_reference_symbolic_target(ref.get()));
    if (have != *expected) return fail(Kind::conflict, "{}: is at {}, want {}", name, have, *expected);
  }
  GIT_OK(name, git_reference_delete(ref.get()));
  auto folder = (fs::path(git_repository_commondir(repo)) / name).parent_path();
  while (!path_exists(folder)) folder = folder.parent_path();  // empty folders went with it
  return sync_folder(folder);
}

Result<> set_ref(git_repository* repo, const std::string& name, const git_oid& to, const std::optional<Oid>& expected,
                 const std::string& reason) {
  RefHandle ref;
  int rc = 0;
  if (!expected) {
    rc = git_reference_create(out(ref), repo, name.c_str(), &to, 1, reason.c_str());
  } else if (is_zero(*expected)) {
    rc = git_reference_create(out(ref), repo, name.c_str(), &to, 0, reason.c_str());
    if (rc == GIT_EEXISTS) return fail(Kind::conflict, "{}: exists already", name);
  } else {
    TRY(auto old, oid_of(*expected));
    rc = git_reference_create_matching(out(ref), repo, name.c_str(), &to, 1, &old, reason.c_str());
    if (rc == GIT_EMODIFIED || rc == GIT_ENOTFOUND)
      return fail(Kind::conflict, "{}: is not at {} any more", name, *expected);
  }
  GIT_OK(name, rc);
  return {};
}

}  // namespace

Result<> move_ref(git_repository* repo, std::string_view ref_name, std::string_view to,
                  const std::optional<Oid>& expected, std::string_view reason) {
  std::string name(ref_name);
  int valid = 0;
  if (git_reference_name_is_valid(&valid, name.c_str()) < 0 || valid == 0 || name.contains('\0'))
    return fail(Kind::invalid, "{}: not a valid ref name", name);
  auto attempt = [&]() -> Result<> {
    if (is_zero(to)) return delete_ref(repo, name, expected);
    TRY(auto id, oid_of(to));
    return set_ref(repo, name, id, expected, std::string(reason));
  };
  auto moved = attempt();
  for (int tries = 0; !moved && moved.error().is(Kind::unavailable) && tries < 200; ++tries) {
    if (!remove_stale_lock(repo, name)) {
      Ctx brief;
      TRY_OK(sleep(brief, Millis(10)));
    }
    moved = attempt();
  }
  return moved;
}

Result<Oid> Repository::write_tree(const Oid& base, const std::vector<FileEdit>& edits) {
  TRY(auto sorted, sort_edits(edits));
  TRY(auto repo, rep_->borrow());
  TreeHandle tree;
  if (!is_zero(base)) {
    TRY(tree, peel_tree(repo, base));
  }
  TRY(auto id, write_level(repo, tree.get(), sorted));
  if (git_oid_is_zero(&id) != 0) {
    BuilderHandle empty;
    GIT_OK("tree", git_treebuilder_new(out(empty), repo, nullptr));
    GIT_OK("tree", git_treebuilder_write(&id, empty.get()));
  }
  return text_of(id);
}

Result<Oid> Repository::write_commit(const Oid& tree, const std::vector<Oid>& parents, const Signature& author,
                                     std::string_view message) {
  TRY(auto repo, rep_->borrow());
  TRY(auto tree_handle, peel_tree(repo, tree));
  std::vector<CommitHandle> handles;
  std::vector<const git_commit*> list;
  for (const auto& parent : parents) {
    TRY(auto handle, find_commit(repo, parent));
    list.push_back(handle.get());
    handles.push_back(std::move(handle));
  }
  TRY(auto who, signature_of(author));
  std::string text(message);
  git_oid id;
  GIT_OK("commit", git_commit_create(&id, repo, nullptr, who.get(), who.get(), nullptr, text.c_str(), tree_handle.get(),
                                     list.size(), list.data()));
  return text_of(id);
}

Result<> Repository::update_ref(std::string_view name, const Oid& to, const std::optional<Oid>& expected,
                                std::string_view reason) {
  TRY(auto repo, rep_->borrow());
  TRY(auto lock, RefLock::take(rep_->git_dir));
  return move_ref(repo, name, to, expected, reason);
}

}  // namespace slipway::git
