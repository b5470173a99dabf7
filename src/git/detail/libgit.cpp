#include "git/detail/libgit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace slipway::git {

void start_library() {
  static const int started = [] {
    int rc = git_libgit2_init();
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    // A person's ~/.gitconfig must not change what the program does; ownership is decided by who runs it.
    for (int level :
         {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA})
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    // What one hostile object may make us hold in memory.
    git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, std::size_t{512} << 20);
    return rc;
  }();
  SLP_ASSERT(started > 0);
}

namespace {
Kind kind_of(int code, int klass) {
  switch (code) {
    case GIT_ENOTFOUND:
      return Kind::not_found;
    case GIT_EEXISTS:
    case GIT_EMODIFIED:
    case GIT_ENONFASTFORWARD:
    case GIT_EMERGECONFLICT:
    case GIT_ECONFLICT:
      return Kind::conflict;
    case GIT_ELOCKED:
      return Kind::unavailable;
    case GIT_EAUTH:
    case GIT_ECERTIFICATE:
      return Kind::denied;
    case GIT_EUSER:
      return Kind::cancelled;
    case GIT_EINVALIDSPEC:
    case GIT_EAMBIGUOUS:
    case GIT_EINVALID:
    case GIT_EBAREREPO:
      return Kind::invalid;
    default:
      break;
  }
  switch (klass) {
    case GIT_ERROR_NET:
    case GIT_ERROR_HTTP:
    case GIT_ERROR_SSL:
    case GIT_ERROR_SSH:
      return Kind::unavailable;
    case GIT_ERROR_OS:
      return errno == EACCES || errno == EPERM ? Kind::denied : Kind::unavailable;
    case GIT_ERROR_ZLIB:
    case GIT_ERROR_INDEXER:
    case GIT_ERROR_SHA1:
    case GIT_ERROR_ODB:
    case GIT_ERROR_OBJECT:
      return Kind::corrupt;
    case GIT_ERROR_INVALID:
    case GIT_ERROR_REFERENCE:
    case GIT_ERROR_TREE:
    case GIT_ERROR_CONFIG:
      return Kind::invalid;
    default:
      return Kind::internal;
  }
}
}  // namespace

Fail git_fail(int code, std::string_view doing) {
  const git_error* last = git_error_last();
  auto kind = kind_of(code, last != nullptr ? last->klass : 0);
  std::string why = last != nullptr && last->message != nullptr ? last->message : fmt::format("git error {}", code);
  return Fail(Error(kind, fmt::format("{}: {}", doing, why)));
}

Result<git_oid> oid_of(std::string_view hex) {
  git_oid id;
  if (hex.size() != GIT_OID_HEXSZ || git_oid_fromstrn(&id, hex.data(), hex.size()) < 0)
    return fail(Kind::invalid, "\"{}\": want an object id of 40 hex digits", hex.substr(0, 80));
  return id;
}

Oid text_of(const git_oid& id) {
  std::string text(GIT_OID_HEXSZ, '0');
  git_oid_fmt(text.data(), &id);
  return text;
}

Result<TreeHandle> peel_tree(git_repository* repo, std::string_view id) {
  TRY(auto oid, oid_of(id));
  ObjectHandle object;
  GIT_OK(id, git_object_lookup(out(object), repo, &oid, GIT_OBJECT_ANY));
  git_object* tree = nullptr;
  GIT_OK(id, git_object_peel(&tree, object.get(), GIT_OBJECT_TREE));
  return TreeHandle(reinterpret_cast<git_tree*>(tree));
}

Result<ObjectHandle> find_revision(git_repository* repo, std::string_view revision) {
  // Searches through messages are not names, and cost as much as the history is long.
  if (revision.empty() || revision.contains('\0') || revision.contains("{/") || revision.starts_with(":"))
    return ObjectHandle();
  ObjectHandle object;
  std::string name(revision);
  int rc = git_revparse_single(out(object), repo, name.c_str());
  if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC || rc == GIT_EUNBORNBRANCH) return ObjectHandle();
  GIT_OK(revision, rc);
  return object;
}

Result<CommitHandle> find_commit(git_repository* repo, std::string_view id) {
  TRY(auto oid, oid_of(id));
  ObjectHandle object;
  GIT_OK(id, git_object_lookup(out(object), repo, &oid, GIT_OBJECT_ANY));
  git_object* commit = nullptr;
  GIT_OK(id, git_object_peel(&commit, object.get(), GIT_OBJECT_COMMIT));
  return CommitHandle(reinterpret_cast<git_commit*>(commit));
}

Result<SignatureHandle> signature_of(const Signature& who) {
  // git's own format has no escapes: what would break it is dropped, as git does.
  auto clean = [](std::string_view text, std::string_view otherwise) {
    std::string kept;
    for (char c : text)
      if (c != '<' && c != '>' && c != '\n' && c != '\0') kept += c;
    auto trimmed = trim(kept);
    return std::string(trimmed.empty() ? otherwise : trimmed);
  };
  auto when = std::chrono::duration_cast<std::chrono::seconds>(who.when.time_since_epoch()).count();
  SignatureHandle signature;
  GIT_OK("signature", git_signature_new(out(signature), clean(who.name, "unknown").c_str(),
                                        clean(who.email, "unknown@localhost").c_str(), when, 0));
  return signature;
}

Result<std::string> clean_path(std::string_view path) {
  std::string clean;
  for (auto segment : split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment == ".." || segment.contains('\0')) return fail(Kind::invalid, "{}: path leaves the repository", path);
    if (!clean.empty()) clean += '/';
    clean += segment;
  }
  return clean;
}

bool is_safe_name(std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.contains('/') || name.contains('\0')) return false;
  if (iequals(name, ".git") || iequals(name, "git~1")) return false;
  // .git as file systems that drop trailing dots and spaces or invisible characters would see it.
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    auto rest = name.substr(i);
    if (rest.starts_with("\xe2\x80") && rest.size() >= 3) {
      auto c = static_cast<unsigned char>(rest[2]);
      if ((c >= 0x8c && c <= 0x8f) || (c >= 0xaa && c <= 0xae)) {
        i += 2;
        continue;
      }
    }
    if (rest.starts_with("\xef\xbb\xbf")) {
      i += 2;
      continue;
    }
    plain += name[i];
  }
  while (plain.ends_with('.') || plain.ends_with(' ')) plain.pop_back();
  return !iequals(plain, ".git") && !plain.starts_with(".git:");
}

Result<> sync_folder(const fs::path& folder) {
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, folder.string());
  if (::fsync(fd.get()) < 0) return fail_errno(errno, folder.string());
  return {};
}

Result<RefLock> RefLock::take(const fs::path& git_dir) {
  auto path = git_dir / "slipway.lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(errno, path.string());
  while (::flock(fd.get(), LOCK_EX) < 0)
    if (errno != EINTR) return fail_errno(errno, path.string());
  return RefLock(std::move(fd));
}

Result<RepoHandle> open_handle(const fs::path& git_dir, const fs::path& extra_objects) {
  RepoHandle handle;
  GIT_OK(git_dir.string(),
         git_repository_open_ext(out(handle), git_dir.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr));
  if (extra_objects.empty()) return handle;
  OdbHandle odb;
  GIT_OK(git_dir.string(), git_repository_odb(out(odb), handle.get()));
  GIT_OK(extra_objects.string(), git_odb_add_disk_alternate(odb.get(), extra_objects.c_str()));
  return handle;
}

Repository::Rep::Loan::~Loan() {
  if (home_ == nullptr || !idle_.handle) return;
  auto free = home_->idle.lock();
  if (free->size() < 8) free->push_back(std::move(idle_));
}

Result<Repository::Rep::Loan> Repository::Rep::borrow() {
  // Packs come and go by other hands (a push, a repack): a handle from before is thrown away.
  struct stat packs{};
  ::stat((git_dir / "objects/pack").c_str(), &packs);
  {
    auto free = idle.lock();
    while (!free->empty()) {
      auto one = std::move(free->back());
      free->pop_back();
      if (one.packs.tv_sec == packs.st_mtim.tv_sec && one.packs.tv_nsec == packs.st_mtim.tv_nsec)
        return Loan(*this, std::move(one));
    }
  }
  Idle fresh;
  fresh.packs = packs.st_mtim;
  TRY(fresh.handle, open_handle(git_dir, extra_objects));
  return Loan(*this, std::move(fresh));
}

}  // namespace slipway::git
