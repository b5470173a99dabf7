#include "git/repository.h"

#include "base/text.h"
#include "git/detail/libgit.h"

namespace slipway::git {

std::string Commit::subject() const {
  for (auto line : lines(message))
    if (auto text = trim(line); !text.empty()) return std::string(text);
  return {};
}

Repository::Repository(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
const fs::path& Repository::path() const { return rep_->path; }

Result<Repository> Repository::open(const fs::path& bare) { return open_with(bare, {}); }

Result<Repository> Repository::open_with(const fs::path& bare, const fs::path& extra_objects) {
  start_library();
  auto rep = std::make_shared<Rep>();
  rep->path = bare;
  rep->extra_objects = extra_objects;
  RepoHandle handle;
  if (int rc = git_repository_open_ext(out(handle), bare.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr); rc < 0)
    return rc == GIT_ENOTFOUND ? fail(Kind::not_found, "{}: no git repository here", bare.string())
                               : git_fail(rc, bare.string());
  rep->git_dir = git_repository_commondir(handle.get());
  return Repository(std::move(rep));
}

Result<Repository> Repository::init(const fs::path& bare, std::string_view default_branch) {
  start_library();
  std::string branch(default_branch);
  auto ref = "refs/heads/" + branch;
  int valid = 0;
  if (git_reference_name_is_valid(&valid, ref.c_str()) < 0 || valid == 0)
    return fail(Kind::invalid, "{}: not a branch name", branch);
  TRY_OK(make_dirs(bare));
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
  options.initial_head = branch.c_str();
  RepoHandle handle;
  GIT_OK(bare.string(), git_repository_init_ext(out(handle), bare.c_str(), &options));
  TRY_OK(sync_folder(bare));
  return open(bare);
}

Result<std::optional<Oid>> Repository::resolve(std::string_view revision) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto object, find_revision(repo, revision));
  if (!object) return std::optional<Oid>();
  if (git_object_type(object.get()) == GIT_OBJECT_TAG) {
    ObjectHandle peeled;
    GIT_OK(revision, git_object_peel(out(peeled), object.get(), GIT_OBJECT_ANY));
    return std::optional(text_of(*git_object_id(peeled.get())));
  }
  return std::optional(text_of(*git_object_id(object.get())));
}

Result<std::map<std::string, Oid>> Repository::refs(std::string_view prefix) const {
  TRY(auto repo, rep_->borrow());
  std::map<std::string, Oid> found;
  Owned<git_reference_iterator, git_reference_iterator_free> iterator;
  GIT_OK("refs", git_reference_iterator_new(out(iterator), repo));
  for (;;) {
    RefHandle ref;
    int rc = git_reference_next(out(ref), iterator.get());
    if (rc == GIT_ITEROVER) break;
    GIT_OK("refs", rc);
    std::string_view name = git_reference_name(ref.get());
    if (!name.starts_with(prefix)) continue;
    RefHandle direct;
    if (git_reference_resolve(out(direct), ref.get()) < 0) continue;  // a symbolic ref to nothing
    found.emplace(name, text_of(*git_reference_target(direct.get())));
  }
  return found;
}

Result<std::string> Repository::head() const {
  TRY(auto repo, rep_->borrow());
  RefHandle ref;
  GIT_OK("HEAD", git_reference_lookup(out(ref), repo, "HEAD"));
  if (git_reference_type(ref.get()) != GIT_REFERENCE_SYMBOLIC) return fail(Kind::not_found, "HEAD: on no branch");
  return std::string(git_reference_symbolic_target(ref.get()));
}

namespace {
Signature signature_from(const git_signature* from) {
  if (from == nullptr) return {};
  return {from->name != nullptr ? from->name : "", from->email != nullptr ? from->email : "",
          WallTime(std::chrono::seconds(from->when.time))};
}

Commit commit_from(git_commit* handle) {
  Commit commit;
  commit.id = text_of(*git_commit_id(handle));
  commit.tree = text_of(*git_commit_tree_id(handle));
  for (unsigned i = 0; i < git_commit_parentcount(handle); ++i)
    commit.parents.push_back(text_of(*git_commit_parent_id(handle, i)));
  commit.author = signature_from(git_commit_author(handle));
  commit.committer = signature_from(git_commit_committer(handle));
  const char* message = git_commit_message(handle);
  commit.message = message != nullptr ? message : "";
  return commit;
}
}  // namespace

Result<Commit> Repository::commit(const Oid& id) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto handle, find_commit(repo, id));
  return commit_from(handle.get());
}

Result<std::vector<Commit>> Repository::log(const Oid& from, std::size_t limit, const Oid& until) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto start, oid_of(from));
  WalkHandle walk;
  GIT_OK("log", git_revwalk_new(out(walk), repo));
  git_revwalk_sorting(walk.get(), GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
  GIT_OK(from, git_revwalk_push(walk.get(), &start));
  if (!is_zero(until)) {
    TRY(auto stop, oid_of(until));
    GIT_OK(until, git_revwalk_hide(walk.get(), &stop));
  }
  std::vector<Commit> found;
  git_oid id;
  while (found.size() < limit) {
    int rc = git_revwalk_next(&id, walk.get());
    if (rc == GIT_ITEROVER) break;
    GIT_OK("log", rc);
    CommitHandle handle;
    GIT_OK("log", git_commit_lookup(out(handle), repo, &id));
    found.push_back(commit_from(handle.get()));
  }
  return found;
}

Result<std::optional<Oid>> Repository::merge_base(const Oid& a, const Oid& b) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto left, oid_of(a));
  TRY(auto right, oid_of(b));
  git_oid base;
  int rc = git_merge_base(&base, repo, &left, &right);
  if (rc == GIT_ENOTFOUND) {
    // Unrelated histories answer so, and a missing commit does too.
    TRY(auto left_commit, find_commit(repo, a));
    TRY(auto right_commit, find_commit(repo, b));
    return std::optional<Oid>();
  }
  GIT_OK("merge base", rc);
  return std::optional(text_of(base));
}

Result<bool> Repository::is_ancestor(const Oid& ancestor, const Oid& of) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto old_commit, find_commit(repo, ancestor));
  TRY(auto new_commit, find_commit(repo, of));
  if (git_oid_equal(git_commit_id(old_commit.get()), git_commit_id(new_commit.get())) != 0) return true;
  int rc = git_graph_descendant_of(repo, git_commit_id(new_commit.get()), git_commit_id(old_commit.get()));
  GIT_OK("ancestry", rc);
  return rc == 1;
}

}  // namespace slipway::git
