#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace slipway {

Result<std::string> read_file(const fs::path& path, std::size_t limit) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, path.native());
  struct stat st{};
  if (::fstat(fd.get(), &st) == 0) {
    if (S_ISDIR(st.st_mode)) return fail(Kind::invalid, "{}: is a folder, want a file", path.native());
    if (S_ISREG(st.st_mode) && static_cast<std::size_t>(st.st_size) > limit)
      return fail(Kind::invalid, "{}: {} bytes, want at most {}", path.native(), st.st_size, limit);
  }
  auto text = read_all(fd.get());
  if (!text) return Fail(std::move(text).error().in(path.native()));
  return text;
}

Result<> write_file(const fs::path& path, std::string_view text, unsigned mode, Durable durable) {
  auto dir = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::string temp = (dir / ("." + path.filename().native() + ".XXXXXX")).native();
  Fd fd(::mkostemp(temp.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, path.native());
  auto drop = [&](Fail error) {
    ::unlink(temp.c_str());
    return Result<>(std::move(error));
  };
  if (auto r = write_all(fd.get(), text); !r) return drop(Fail(std::move(r).error().in(path.native())));
  if (::fchmod(fd.get(), mode) < 0) return drop(fail_errno(errno, path.native()));
  if (durable == Durable::yes && ::fsync(fd.get()) < 0) return drop(fail_errno(errno, path.native()));
  if (::rename(temp.c_str(), path.c_str()) < 0) return drop(fail_errno(errno, path.native()));
  if (durable == Durable::yes) {
    Fd folder(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder) ::fsync(folder.get());
  }
  return {};
}

Result<> make_dirs(const fs::path& path, unsigned mode) {
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  if (path.has_parent_path() && path.parent_path() != path) TRY_OK(make_dirs(path.parent_path(), mode));
  if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST) return fail_errno(errno, path.native());
  return {};
}

namespace {

// By the open folder, not by a path below /proc: callers work below roots that have none.
Result<std::vector<std::string>> names_in(const Fd& folder, const fs::path& shown) {
  int copy = ::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
  DIR* open = copy < 0 ? nullptr : ::fdopendir(copy);
  if (open == nullptr) {
    int why = errno;
    if (copy >= 0) ::close(copy);
    return fail_errno(why, shown.native());
  }
  Finally close([&] { ::closedir(open); });
  std::vector<std::string> names;
  while (auto* entry = ::readdir(open))
    if (std::string_view name = entry->d_name; name != "." && name != "..") names.emplace_back(name);
  return names;
}

Result<> remove_at(int parent, const char* name, const fs::path& shown) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM && errno != EACCES) return fail_errno(errno, shown.native());
  Fd dir(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0)
    dir = Fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) return fail_errno(errno, shown.native());
  TRY(auto names, names_in(dir, shown));
  if (!names.empty()) ::fchmod(dir.get(), 0700);
  for (const auto& child : names) TRY_OK(remove_at(dir.get(), child.c_str(), shown / child));
  if (::unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT) return fail_errno(errno, shown.native());
  return {};
}

}  // namespace

Result<> remove_tree(const fs::path& path) { return remove_at(AT_FDCWD, path.c_str(), path); }

Result<> copy_tree(const fs::path& from, const fs::path& to) {
  struct stat st{};
  if (::lstat(from.c_str(), &st) < 0) return fail_errno(errno, from.native());
  if (S_ISLNK(st.st_mode)) {
    std::error_code error;
    auto target = fs::read_symlink(from, error);
    if (::symlink(target.c_str(), to.c_str()) < 0) return fail_errno(errno, to.native());
  } else if (S_ISDIR(st.st_mode)) {
    TRY_OK(make_dirs(to));
    TRY(auto names, list_dir(from));
    for (const auto& name : names) TRY_OK(copy_tree(from / name, to / name));
    ::chmod(to.c_str(), st.st_mode & 07777);
  } else if (S_ISREG(st.st_mode)) {
    Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    if (!in) return fail_errno(errno, from.native());
    Fd out_fd(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 07777));
    if (!out_fd) return fail_errno(errno, to.native());
    for (;;) {
      auto n = ::copy_file_range(in.get(), nullptr, out_fd.get(), nullptr, 1 << 26, 0);
      if (n == 0) break;
      if (n < 0) {
        TRY(auto rest, read_all(in.get()));
        TRY_OK(write_all(out_fd.get(), rest));
        break;
      }
    }
    ::fchmod(out_fd.get(), st.st_mode & 07777);
  } else {
    return fail(Kind::invalid, "{}: neither file, folder nor link", from.native());
  }
  if (::geteuid() == 0) (void)!::lchown(to.c_str(), st.st_uid, st.st_gid);
  timespec times[2] = {st.st_atim, st.st_mtim};
  ::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW);
  return {};
}

Result<std::vector<std::string>> list_dir(const fs::path& path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator it(path, error);
  if (error) return fail_errno(error.value(), path.native());
  for (const auto& entry : it) names.push_back(entry.path().filename().native());
  std::sort(names.begin(), names.end());
  return names;
}

bool path_exists(const fs::path& path) {
  struct stat st{};
  return ::lstat(path.c_str(), &st) == 0;
}

Result<Fd> open_beneath(const fs::path& root, const fs::path& relative, int flags, unsigned mode) {
  Fd dir(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return fail_errno(errno, root.native());
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  auto name = relative.empty() ? fs::path(".") : relative;
  long fd = ::syscall(SYS_openat2, dir.get(), name.c_str(), &how, sizeof how);
  if (fd < 0) return fail_errno(errno, (root / relative.relative_path()).native());
  return Fd(static_cast<int>(fd));
}

Result<TempDir> TempDir::make(std::string_view prefix) {
  std::error_code error;
  auto parent = fs::temp_directory_path(error);
  return make_in(error ? fs::path("/tmp") : parent, prefix);
}

Result<TempDir> TempDir::make_in(const fs::path& parent, std::string_view prefix) {
  std::string name = (parent / fmt::format("{}.XXXXXX", prefix)).native();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno(errno, name);
  return TempDir(name);
}

TempDir::~TempDir() {
  if (!path_.empty()) (void)remove_tree(path_);
}

Result<FileLock> FileLock::take(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, path.native());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
    if (errno == EWOULDBLOCK) return fail(Kind::conflict, "{}: held by another process", path.native());
    return fail_errno(errno, path.native());
  }
  return FileLock(std::move(fd));
}

}  // namespace slipway
