// Reading trees and files, comparing and merging them.
#include "git/detail/libgit.h"

namespace slipway::git {
namespace {

// The entry at a path below a tree; nothing when there is none.
Result<EntryHandle> entry_at(git_tree* tree, const std::string& path) {
  EntryHandle entry;
  int rc = git_tree_entry_bypath(out(entry), tree, path.c_str());
  if (rc == GIT_ENOTFOUND) return EntryHandle();
  GIT_OK(path, rc);
  return entry;
}

Result<TreeHandle> folder_at(git_repository* repo, std::string_view id, std::string_view path) {
  TRY(auto tree, peel_tree(repo, id));
  TRY(auto clean, clean_path(path));
  if (clean.empty()) return tree;
  TRY(auto entry, entry_at(tree.get(), clean));
  if (!entry || git_tree_entry_type(entry.get()) != GIT_OBJECT_TREE)
    return fail(Kind::not_found, "{}: no such folder in {}", clean, id.substr(0, 12));
  TreeHandle below;
  GIT_OK(clean, git_tree_lookup(out(below), repo, git_tree_entry_id(entry.get())));
  return below;
}

Result<> list_into(git_repository* repo, git_odb* odb, git_tree* tree, const std::string& prefix, bool recursive,
                   std::vector<TreeEntry>& found) {
  // A tree that holds itself cannot be made, but very deep ones can.
  if (std::count(prefix.begin(), prefix.end(), '/') > 200) return fail(Kind::invalid, "{}: nested too deep", prefix);
  for (std::size_t i = 0; i < git_tree_entrycount(tree); ++i) {
    const git_tree_entry* entry = git_tree_entry_byindex(tree, i);
    const git_oid* id = git_tree_entry_id(entry);
    TreeEntry one{prefix + git_tree_entry_name(entry), text_of(*id), git_tree_entry_filemode_raw(entry), 0};
    auto type = git_tree_entry_type(entry);
    if (type == GIT_OBJECT_TREE) {
      one.mode = 040000;
      found.push_back(one);
      if (!recursive) continue;
      TreeHandle below;
      GIT_OK(one.path, git_tree_lookup(out(below), repo, id));
      TRY_OK(list_into(repo, odb, below.get(), one.path + "/", recursive, found));
      continue;
    }
    if (type == GIT_OBJECT_BLOB) {
      std::size_t size = 0;
      git_object_t ignored;
      GIT_OK(one.path, git_odb_read_header(&size, &ignored, odb, id));
      one.size = size;
    }
    found.push_back(std::move(one));
  }
  return {};
}

FileChange::Type type_of(git_delta_t status) {
  switch (status) {
    case GIT_DELTA_ADDED:
      return FileChange::Type::added;
    case GIT_DELTA_DELETED:
      return FileChange::Type::deleted;
    case GIT_DELTA_RENAMED:
      return FileChange::Type::renamed;
    case GIT_DELTA_TYPECHANGE:
      return FileChange::Type::type_changed;
    default:
      return FileChange::Type::modified;
  }
}

Result<DiffHandle> plain_diff(git_repository* repo, const Oid& from, const Oid& to) {
  TreeHandle before, after;
  if (!is_zero(from)) {
    TRY(before, peel_tree(repo, from));
  }
  if (!is_zero(to)) {
    TRY(after, peel_tree(repo, to));
  }
  git_diff_options options = GIT_DIFF_OPTIONS_INIT;
  options.flags = GIT_DIFF_INCLUDE_TYPECHANGE;
  DiffHandle diff;
  GIT_OK("diff", git_diff_tree_to_tree(out(diff), repo, before.get(), after.get(), &options));
  return diff;
}

Result<DiffHandle> diff_of(git_repository* repo, const Oid& from, const Oid& to) {
  TRY(auto diff, plain_diff(repo, from, to));
  git_diff_find_options find = GIT_DIFF_FIND_OPTIONS_INIT;
  find.flags = GIT_DIFF_FIND_RENAMES;
  find.rename_limit = 400;
  GIT_OK("diff", git_diff_find_similar(diff.get(), &find));
  return diff;
}

// An object that another names and that is not there: a damaged repository, never the same as an absent path.
Fail lost(const fs::path& repository, std::string_view what, std::string_view id) {
  return fail(Kind::corrupt, "{}: the repository has lost the {} {}; fetch it anew or restore it", repository.string(),
              what, id);
}

// A file that two trees do not have alike; null where one has none.
using SeeFile = std::function<void(std::string path, const git_tree_entry* before, const git_tree_entry* after)>;

// The files of two folders that differ, or of the one that is there. Side by side, for libgit2's diff makes something
// of each entry, of equal ones too.
Result<> differing(git_repository* repo, const git_tree* before, const git_tree* after, const std::string& above,
                   const SeeFile& see) {
  auto entry = [](const git_tree* tree, std::size_t i) {
    return tree != nullptr && i < git_tree_entrycount(tree) ? git_tree_entry_byindex(tree, i) : nullptr;
  };
  auto is_folder = [](const git_tree_entry* e) { return git_tree_entry_type(e) == GIT_OBJECT_TREE; };
  for (std::size_t a = 0, b = 0;;) {
    const auto *old = entry(before, a), *now = entry(after, b);
    if (old == nullptr && now == nullptr) return {};
    int order = old == nullptr ? 1 : now == nullptr ? -1 : git_tree_entry_cmp(old, now);
    if (order > 0) old = nullptr;
    if (order < 0) now = nullptr;
    a += old != nullptr ? 1 : 0;
    b += now != nullptr ? 1 : 0;
    if (order == 0 && git_oid_equal(git_tree_entry_id(old), git_tree_entry_id(now)) != 0 &&
        git_tree_entry_filemode_raw(old) == git_tree_entry_filemode_raw(now))
      continue;
    const auto* any = now != nullptr ? now : old;
    auto path = above + git_tree_entry_name(any);
    if (!is_folder(any)) {
      see(std::move(path), old, now);
      continue;
    }
    TreeHandle left, right;
    if (old != nullptr) {
      GIT_OK(path, git_tree_lookup(out(left), repo, git_tree_entry_id(old)));
    }
    if (now != nullptr) {
      GIT_OK(path, git_tree_lookup(out(right), repo, git_tree_entry_id(now)));
    }
    TRY_OK(differing(repo, left.get(), right.get(), path + "/", see));
  }
}

Result<> differing(git_repository* repo, const Oid& from, const Oid& to, const SeeFile& see) {
  TreeHandle before, after;
  if (!is_zero(from)) {
    TRY(before, peel_tree(repo, from));
  }
  if (!is_zero(to)) {
    TRY(after, peel_tree(repo, to));
  }
  return differing(repo, before.get(), after.get(), "", see);
}

FileChange change_of(std::string path, const git_tree_entry* before, const git_tree_entry* after) {
  using Type = FileChange::Type;
  auto id = [](const git_tree_entry* entry) {
    return entry != nullptr ? text_of(*git_tree_entry_id(entry)) : Oid(zero_oid);
  };
  auto kind = [](const git_tree_entry* entry) { return git_tree_entry_filemode_raw(entry) & 0170000; };
  auto type = before == nullptr             ? Type::added
              : after == nullptr            ? Type::deleted
              : kind(before) != kind(after) ? Type::type_changed
                                            : Type::modified;
  FileChange change;
  change.type = type, change.path = std::move(path);
  change.old_id = id(before), change.new_id = id(after);
  return change;
}

bool has(const std::vector<FileChange>& changes, FileChange::Type type) {
  return std::any_of(changes.begin(), changes.end(), [&](const FileChange& change) { return change.type == type; });
}

Result<std::vector<FileChange>> with_renames(git_repository* repo, const Oid& from, const Oid& to) {
  TRY(auto diff, diff_of(repo, from, to));
  std::vector<FileChange> changes;
  for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
    const git_diff_delta* delta = git_diff_get_delta(diff.get(), i);
    FileChange change;
    change.type = type_of(delta->status);
    change.path = delta->status == GIT_DELTA_DELETED ? delta->old_file.path : delta->new_file.path;
    if (change.type == FileChange::Type::renamed) change.old_path = delta->old_file.path;
    change.old_id = text_of(delta->old_file.id);
    change.new_id = text_of(delta->new_file.id);
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace

Result<Oid> Repository::tree_of(const Oid& commit_or_tree, std::string_view path) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto tree, folder_at(repo, commit_or_tree, path));
  return text_of(*git_tree_id(tree.get()));
}

Result<std::vector<TreeEntry>> Repository::list(const Oid& commit_or_tree, std::string_view path,
                                                bool recursive) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto tree, folder_at(repo, commit_or_tree, path));
  OdbHandle odb;
  GIT_OK("list", git_repository_odb(out(odb), repo));
  std::vector<TreeEntry> found;
  TRY_OK(list_into(repo, odb.get(), tree.get(), "", recursive, found));
  return found;
}

Result<std::optional<std::string>> Repository::read(const Oid& commit_or_tree, std::string_view path) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto tree, peel_tree(repo, commit_or_tree));
  TRY(auto clean, clean_path(path));
  if (clean.empty()) return fail(Kind::invalid, "\"{}\": want the path of a file", path);
  TRY(auto entry, entry_at(tree.get(), clean));
  if (!entry) return std::optional<std::string>();
  if (git_tree_entry_type(entry.get()) != GIT_OBJECT_BLOB)
    return fail(Kind::invalid, "{}: is a folder, want a file", clean);
  BlobHandle blob;
  GIT_OK(clean, git_blob_lookup(out(blob), repo, git_tree_entry_id(entry.get())));
  return std::optional(std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                                   static_cast<std::size_t>(git_blob_rawsize(blob.get()))));
}

Result<std::vector<TreeEntry>> Repository::folder(const Oid& tree) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto oid, oid_of(tree));
  TreeHandle handle;
  int rc = git_tree_lookup(out(handle), repo, &oid);
  if (rc == GIT_ENOTFOUND) return lost(rep_->path, "folder", tree);
  GIT_OK(tree, rc);
  std::vector<TreeEntry> found;
  auto count = git_tree_entrycount(handle.get());
  found.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const git_tree_entry* entry = git_tree_entry_byindex(handle.get(), i);
    bool below = git_tree_entry_type(entry) == GIT_OBJECT_TREE;
    found.push_back({git_tree_entry_name(entry), text_of(*git_tree_entry_id(entry)),
                     below ? 040000U : static_cast<unsigned>(git_tree_entry_filemode_raw(entry)), 0});
  }
  std::sort(found.begin(), found.end(), [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; });
  return found;
}

Result<std::string> Repository::blob(const Oid& id, std::size_t most) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto oid, oid_of(id));
  if (most != std::string::npos) {
    OdbHandle odb;
    GIT_OK(id, git_repository_odb(out(odb), repo));
    std::size_t size = 0;
    git_object_t ignored;
    int rc = git_odb_read_header(&size, &ignored, odb.get(), &oid);
    if (rc == GIT_ENOTFOUND) return lost(rep_->path, "file", id);
    GIT_OK(id, rc);
    if (size > most) return fail(Kind::invalid, "larger than {} MiB", most >> 20);
  }
  BlobHandle blob;
  int rc = git_blob_lookup(out(blob), repo, &oid);
  if (rc == GIT_ENOTFOUND) return lost(rep_->path, "file", id);
  GIT_OK(id, rc);
  return std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                     static_cast<std::size_t>(git_blob_rawsize(blob.get())));
}

Result<std::vector<FileChange>> Repository::diff(const Oid& from, const Oid& to) const {
  TRY(auto repo, rep_->borrow());
  std::vector<FileChange> changes;
  TRY_OK(differing(repo, from, to, [&](std::string path, const git_tree_entry* before, const git_tree_entry* after) {
    changes.push_back(change_of(std::move(path), before, after));
  }));
  // Only what went and what came can be one file that moved.
  if (has(changes, FileChange::Type::added) && has(changes, FileChange::Type::deleted))
    return with_renames(repo, from, to);
  std::sort(changes.begin(), changes.end(), [](const FileChange& a, const FileChange& b) { return a.path < b.path; });
  return changes;
}

Result<std::vector<std::string>> Repository::changed_paths(const Oid& from, const Oid& to) const {
  TRY(auto repo, rep_->borrow());
  std::vector<std::string> paths;
  TRY_OK(differing(repo, from, to, [&](std::string path, const git_tree_entry*, const git_tree_entry*) {
    paths.push_back(std::move(path));
  }));
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<std::string> Repository::diff_text(const Oid& from, const Oid& to) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto diff, diff_of(repo, from, to));
  git_buf buffer = GIT_BUF_INIT;
  Finally release([&] { git_buf_dispose(&buffer); });
  GIT_OK("diff", git_diff_to_buf(&buffer, diff.get(), GIT_DIFF_FORMAT_PATCH));
  return std::string(buffer.ptr, buffer.size);
}

Result<MergeResult> Repository::merge(const Oid& ours, const Oid& theirs) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto left, find_commit(repo, ours));
  TRY(auto right, find_commit(repo, theirs));
  git_merge_options options = GIT_MERGE_OPTIONS_INIT;
  options.flags = GIT_MERGE_FIND_RENAMES;
  IndexHandle index;
  GIT_OK("merge", git_merge_commits(out(index), repo, left.get(), right.get(), &options));
  MergeResult result;
  if (git_index_has_conflicts(index.get()) != 0) {
    Owned<git_index_conflict_iterator, git_index_conflict_iterator_free> conflicts;
    GIT_OK("merge", git_index_conflict_iterator_new(out(conflicts), index.get()));
    const git_index_entry *base, *mine, *other;
    while (git_index_conflict_next(&base, &mine, &other, conflicts.get()) == 0) {
      const git_index_entry* any = mine != nullptr ? mine : other != nullptr ? other : base;
      if (any != nullptr) result.conflicts.emplace_back(any->path);
    }
    std::sort(result.conflicts.begin(), result.conflicts.end());
    result.conflicts.erase(std::unique(result.conflicts.begin(), result.conflicts.end()), result.conflicts.end());
    return result;
  }
  git_oid tree;
  GIT_OK("merge", git_index_write_tree_to(&tree, index.get(), repo));
  result.tree = text_of(tree);
  return result;
}

}  // namespace slipway::git
