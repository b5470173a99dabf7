// Repository::mirror and push: the entry points of reaching others.
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "git/detail/remote.h"

namespace slipway::git {
namespace {

Result<FileLock> wait_lock(const Ctx& ctx, const fs::path& path) {
  for (;;) {
    auto lock = FileLock::take(path);
    if (lock || !lock.error().is(Kind::conflict)) return lock;
    TRY_OK_IN(path.string(), sleep(ctx, Millis(20)));
  }
}

// Lock files of refs that a killed fetch left. Only while no other fetch of ours runs here.
void sweep_ref_locks(const fs::path& git_dir) {
  std::error_code ec;
  for (auto it = fs::recursive_directory_iterator(git_dir / "refs", ec);
       !ec && it != fs::recursive_directory_iterator(); it.increment(ec)) {
    if (it->path().extension() != ".lock") continue;
    auto age = fs::file_time_type::clock::now() - it->last_write_time(ec);
    if (!ec && age > std::chrono::seconds(10)) ::unlink(it->path().c_str());
  }
}

// A remote of this one URL, as it stands: rewriting it by url.*.insteadOf would let a repository's configuration send
// us elsewhere, and libgit2 1.5 leaks 20 KB for each configuration entry it compares on the way.
int remote_at(git_remote** out, git_repository* repo, const char* url) {
  git_remote_create_options options = GIT_REMOTE_CREATE_OPTIONS_INIT;
  options.repository = repo;
  options.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF;
  return git_remote_create_with_opts(out, url, &options);
}

Result<> fetch_all(const Ctx& ctx, const RemoteUrl& url, const Access& access, git_repository* repo) {
  Connection connection(ctx, url, access);
  auto callbacks = connection.callbacks();
  RemoteHandle remote;
  auto text = url.reach == Reach::folder ? fs::absolute(url.folder).string() : url.url;
  GIT_OK(url.url, remote_at(out(remote), repo, text.c_str()));
  if (int rc = git_remote_connect(remote.get(), GIT_DIRECTION_FETCH, &callbacks, nullptr, nullptr); rc < 0)
    return connection.failed(rc);
  git_buf branch = GIT_BUF_INIT;
  Finally release([&] { git_buf_dispose(&branch); });
  bool has_branch = git_remote_default_branch(&branch, remote.get()) == 0;
  git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
  options.callbacks = callbacks;
  options.prune = GIT_FETCH_PRUNE;
  options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
  options.update_fetchhead = 0;
  std::string all = "+refs/*:refs/*";
  char* list[] = {all.data()};
  git_strarray specs = {list, 1};
  if (int rc = git_remote_download(remote.get(), &specs, &options); rc < 0) return connection.failed(rc);
  if (int rc = git_remote_prune(remote.get(), &callbacks); rc < 0) return connection.failed(rc);
  if (int rc = git_remote_update_tips(remote.get(), &callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE, "mirror"); rc < 0)
    return connection.failed(rc);
  git_remote_disconnect(remote.get());
  if (has_branch) {
    RefHandle head;
    GIT_OK("HEAD", git_reference_symbolic_create(out(head), repo, "HEAD", branch.ptr, 1, nullptr));
  }
  return {};
}

// By its id: no ref has to name it, where the host serves such commits.
Result<> fetch_one(const Ctx& ctx, const RemoteUrl& url, const Access& access, git_repository* repo,
                   const Oid& commit) {
  Connection connection(ctx, url, access);
  RemoteHandle remote;
  GIT_OK(url.url, remote_at(out(remote), repo, url.url.c_str()));
  git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
  options.callbacks = connection.callbacks();
  options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
  std::string spec = commit;
  char* list[] = {spec.data()};
  git_strarray specs = {list, 1};
  if (int rc = git_remote_download(remote.get(), &specs, &options); rc < 0) return connection.failed(rc);
  return {};
}

class TemporaryRef {
 public:
  TemporaryRef(git_repository* repo, const git_oid& id) : repo_(repo), name_("refs/slipway/push/" + random_hex(16)) {
    RefHandle made;
    code_ = git_reference_create(out(made), repo, name_.c_str(), &id, 1, "push");
  }
  ~TemporaryRef() {
    if (code_ == 0) (void)git_reference_remove(repo_, name_.c_str());
  }
  TemporaryRef(const TemporaryRef&) = delete;
  TemporaryRef& operator=(const TemporaryRef&) = delete;
  int made() const { return code_; }
  const std::string& name() const { return name_; }

 private:
  git_repository* repo_;
  std::string name_;
  int code_ = 0;
};

Result<> push_over_http(const Ctx& ctx, const RemoteUrl& url, const Access& access, git_repository* repo,
                        const std::vector<std::string>& refspecs) {
  Connection connection(ctx, url, access);
  RemoteHandle remote;
  GIT_OK(url.url, remote_at(out(remote), repo, url.url.c_str()));
  git_push_options options = GIT_PUSH_OPTIONS_INIT;
  options.callbacks = connection.callbacks();
  // libgit2 pushes refs, not commits: one that is named by its id gets a ref for as long as this takes.
  std::vector<std::string> copies;
  std::vector<std::unique_ptr<TemporaryRef>> named;
  for (const auto& text : refspecs) {
    TRY(auto spec, parse_push_spec(text));
    git_oid id;
    if (spec.from.size() == GIT_OID_HEXSZ && git_oid_fromstr(&id, spec.from.c_str()) == 0) {
      named.push_back(std::make_unique<TemporaryRef>(repo, id));
      GIT_OK(spec.from, named.back()->made());
      spec.from = named.back()->name();
    }
    copies.push_back(fmt::format("{}{}:{}", spec.force ? "+" : "", spec.from, spec.to));
  }
  std::vector<char*> list;
  for (auto& spec : copies) list.push_back(spec.data());
  git_strarray specs = {list.data(), list.size()};
  if (int rc = git_remote_push(remote.get(), &specs, &options); rc < 0) return connection.failed(rc);
  if (!connection.rejected.empty())
    return Fail(rejection(connection.rejected[0].first, connection.rejected[0].second).in(url.url));
  return {};
}

}  // namespace

Result<Repository> Repository::mirror(const Ctx& ctx, const std::string& url, const fs::path& bare,
                                      const Access& access) {
  start_library();
  TRY(auto remote, remote_url(url));
  if (remote.reach == Reach::folder) {
    TRY_OK(open(remote.folder));  // its absence reads better from here
  }
  TRY_OK(make_dirs(bare));
  TRY(auto lock, wait_lock(ctx, bare / "mirror.lock"));
  auto repository = open(bare);
  if (!repository) repository = init(bare);
  if (!repository) return repository;
  if (remote.reach == Reach::command) {
    TRY_OK_IN("mirror", fetch_by_command(ctx, url, bare, access));
    return repository;
  }
  auto fetch = [&]() -> Result<> {
    TRY(auto repo, repository->rep_->borrow());
    return fetch_all(ctx, remote, access, repo);
  };
  auto fetched = fetch();
  if (!fetched && fetched.error().is(Kind::unavailable) && ctx.alive()) {
    sweep_ref_locks(repository->rep_->git_dir);
    fetched = fetch();
  }
  if (!fetched) return Fail(std::move(fetched).error().in("mirror"));
  return repository;
}

Result<> Repository::fetch_commit(const Ctx& ctx, const std::string& url, const Oid& commit, const Access& access) {
  TRY(auto remote, remote_url(url));
  TRY(auto id, oid_of(commit));
  TRY(auto lock, wait_lock(ctx, path() / "mirror.lock"));
  if (remote.reach == Reach::command) {
    TRY_OK_IN("fetch", fetch_by_command(ctx, url, path(), access, text_of(id)));
    return {};
  }
  if (remote.reach == Reach::folder) return fail(Kind::not_found, "{}: no ref of it has {}", url, commit);
  TRY(auto repo, rep_->borrow());
  TRY_OK_IN("fetch", fetch_one(ctx, remote, access, repo, text_of(id)));
  return {};
}

Result<> Repository::push(const Ctx& ctx, const std::string& url, const std::vector<std::string>& refspecs,
                          const Access& access) {
  TRY(auto remote, remote_url(url));
  for (const auto& spec : refspecs) {
    TRY(auto parsed, parse_push_spec(spec));
  }
  switch (remote.reach) {
    case Reach::folder:
      return push_to_folder(ctx, *this, rep_->git_dir, remote.folder, refspecs);
    case Reach::command:
      return push_by_command(ctx, url, rep_->git_dir, refspecs, access);
    case Reach::http:
      break;
  }
  TRY(auto repo, rep_->borrow());
  TRY_OK_IN("push", push_over_http(ctx, remote, access, repo, refspecs));
  return {};
}

}  // namespace slipway::git
