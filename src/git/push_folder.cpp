// A push into a repository on this machine. libgit2's own moves the ref without comparing it, so that one of two
// pushes at once would be lost; here the ref moves by compare-and-swap, and objects are there before it.
#include "git/detail/remote.h"

namespace slipway::git {
namespace {

// Copies what the target lacks, children before parents: an object that is there has all it needs.
class Copier {
 public:
  Copier(const Ctx& ctx, git_repository* from, git_odb* source, git_odb* target)
      : ctx_(ctx), from_(from), source_(source), target_(target) {}

  Result<> copy(const git_oid& id) {
    if (git_odb_exists(target_, &id) != 0) return {};
    TRY_OK(ctx_.alive());
    ObjectHandle object;
    GIT_OK(text_of(id), git_object_lookup(out(object), from_, &id, GIT_OBJECT_ANY));
    switch (git_object_type(object.get())) {
      case GIT_OBJECT_TREE:
        TRY_OK(copy_tree(reinterpret_cast<git_tree*>(object.get())));
        break;
      case GIT_OBJECT_COMMIT:
        return copy_history(id);
      case GIT_OBJECT_TAG:
        TRY_OK(copy(*git_tag_target_id(reinterpret_cast<git_tag*>(object.get()))));
        break;
      default:
        break;
    }
    return copy_one(id);
  }

 private:
  Result<> copy_one(const git_oid& id) {
    Owned<git_odb_object, git_odb_object_free> raw;
    GIT_OK(text_of(id), git_odb_read(out(raw), source_, &id));
    git_oid written;
    GIT_OK(text_of(id), git_odb_write(&written, target_, git_odb_object_data(raw.get()), git_odb_object_size(raw.get()),
                                      git_odb_object_type(raw.get())));
    return {};
  }
  Result<> copy_tree(git_tree* tree) {
    for (std::size_t i = 0; i < git_tree_entrycount(tree); ++i) {
      const git_tree_entry* entry = git_tree_entry_byindex(tree, i);
      if (git_tree_entry_type(entry) == GIT_OBJECT_COMMIT) continue;  // a submodule lives elsewhere
      TRY_OK(copy(*git_tree_entry_id(entry)));
    }
    return {};
  }
  // Without recursion: histories are longer than stacks.
  Result<> copy_history(const git_oid& tip) {
    std::vector<git_oid> pending = {tip};
    while (!pending.empty()) {
      git_oid id = pending.back();
      if (git_odb_exists(target_, &id) != 0) {
        pending.pop_back();
        continue;
      }
      CommitHandle commit;
      GIT_OK(text_of(id), git_commit_lookup(out(commit), from_, &id));
      bool ready = true;
      for (unsigned i = 0; i < git_commit_parentcount(commit.get()); ++i) {
        const git_oid* parent = git_commit_parent_id(commit.get(), i);
        if (git_odb_exists(target_, parent) != 0) continue;
        pending.push_back(*parent);
        ready = false;
      }
      if (!ready) continue;
      TRY_OK(copy(*git_commit_tree_id(commit.get())));
      TRY_OK(copy_one(id));
      pending.pop_back();
    }
    return {};
  }

  const Ctx& ctx_;
  git_repository* from_;
  git_odb *source_, *target_;
};

// Everything the target's refs do not reach, as one pack: for pushes too long to copy one by one.
Result<> copy_as_pack(git_repository* from, const git_oid& tip, const std::map<std::string, Oid>& known,
                      const fs::path& objects) {
  WalkHandle walk;
  GIT_OK("push", git_revwalk_new(out(walk), from));
  GIT_OK("push", git_revwalk_push(walk.get(), &tip));
  for (const auto& [ref, id] : known) {
    TRY(auto oid, oid_of(id));
    CommitHandle here;
    if (git_commit_lookup(out(here), from, &oid) == 0) git_revwalk_hide(walk.get(), &oid);
  }
  PackHandle pack;
  GIT_OK("push", git_packbuilder_new(out(pack), from));
  git_packbuilder_set_threads(pack.get(), 0);
  GIT_OK("push", git_packbuilder_insert_walk(pack.get(), walk.get()));
  if (git_packbuilder_object_count(pack.get()) == 0) return {};
  GIT_OK("push", git_packbuilder_write(pack.get(), (objects / "pack").c_str(), 0444, nullptr, nullptr));
  return sync_folder(objects / "pack");
}

Result<bool> is_long(git_repository* from, const git_oid& tip, git_odb* target) {
  WalkHandle walk;
  GIT_OK("push", git_revwalk_new(out(walk), from));
  if (git_revwalk_push(walk.get(), &tip) < 0) return false;  // no commit
  git_oid id;
  int fresh = 0;
  while (fresh <= 64 && git_revwalk_next(&id, walk.get()) == 0) {
    if (git_odb_exists(target, &id) != 0) break;
    ++fresh;
  }
  return fresh > 64;
}

}  // namespace

Result<> push_to_folder(const Ctx& ctx, const Repository& from, const fs::path& from_dir, const fs::path& to,
                        const std::vector<std::string>& refspecs) {
  TRY_IN(auto target, "push", Repository::open(to));
  RepoHandle source_repo, target_repo;
  GIT_OK(from_dir.string(),
         git_repository_open_ext(out(source_repo), from_dir.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr));
  GIT_OK(to.string(), git_repository_open_ext(out(target_repo), to.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr));
  OdbHandle source, dest;
  GIT_OK("push", git_repository_odb(out(source), source_repo.get()));
  GIT_OK("push", git_repository_odb(out(dest), target_repo.get()));
  bool bare = git_repository_is_bare(target_repo.get()) != 0;
  auto head = target.head();
  TRY(auto known, target.refs());
  for (const auto& text : refspecs) {
    TRY(auto spec, parse_push_spec(text));
    auto at = known.find(spec.to);
    Oid before = at == known.end() ? Oid(zero_oid) : at->second;
    if (!bare && head && *head == spec.to)
      return fail(Kind::denied, "{}: {} is checked out there, want a bare repository", to.string(), spec.to);
    if (spec.from.empty()) {
      TRY_OK_IN("push", target.update_ref(spec.to, Oid(zero_oid), before, "push"));
      continue;
    }
    TRY(auto tip, from.resolve(spec.from));
    // A ref name gives the tag object itself, resolve() what it points at.
    RefHandle ref;
    if (git_reference_lookup(out(ref), source_repo.get(), spec.from.c_str()) == 0 &&
        git_reference_target(ref.get()) != nullptr)
      tip = text_of(*git_reference_target(ref.get()));
    if (!tip) return fail(Kind::not_found, "push: {}: no such revision", spec.from);
    if (*tip == before) continue;
    if (!is_zero(before) && !spec.force && spec.to.starts_with("refs/heads/")) {
      auto forward = from.is_ancestor(before, *tip);
      if (!forward || !*forward)
        return fail(Kind::conflict, "push: {}: not a fast-forward (is at {})", spec.to, before.substr(0, 12));
    }
    TRY(auto id, oid_of(*tip));
    TRY(auto as_pack, is_long(source_repo.get(), id, dest.get()));
    if (as_pack)
      TRY_OK_IN("push", copy_as_pack(source_repo.get(), id, known,
                                     git_repository_commondir(target_repo.get()) + std::string("objects")));
    if (as_pack) git_odb_refresh(dest.get());
    TRY_OK_IN("push", Copier(ctx, source_repo.get(), source.get(), dest.get()).copy(id));
    TRY_OK_IN("push", target.update_ref(spec.to, *tip, before, "push"));
  }
  return {};
}

}  // namespace slipway::git
