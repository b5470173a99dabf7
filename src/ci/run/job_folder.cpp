#include "ci/run/job_folder.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/hash.h"
#include "ci/observe/recorder.h"
#include "ci/run/sandbox.h"

namespace slipway::ci {

Result<JobFolder> JobFolder::make(const fs::path& root) {
  TRY(auto dir, TempDir::make_in(root, "job"));
  for (auto* folder : {"work/_temp", "work/_tool"}) TRY_OK(make_dirs(dir.path() / "home" / folder));
  return JobFolder(std::move(dir));
}

Result<JobFolder> JobFolder::make_at(const fs::path& home) {
  for (auto* folder : {".slipway", "work/_temp", "work/_tool"}) TRY_OK(make_dirs(home / folder));
  return JobFolder(home / ".slipway", home);
}

Result<> JobFolder::put_aside(const fs::path& place) {
  if (!dir_) return fail(Kind::unavailable, "this folder belongs to the machine");
  if (::rename(base_.c_str(), place.c_str()) < 0) return fail_errno(errno, place.string());
  dir_->release();
  return {};
}

Result<JobFolder> JobFolder::take_up(const fs::path& root, const fs::path& place) {
  TRY(auto dir, TempDir::make_in(root, "job"));
  if (::rename(place.c_str(), dir.path().c_str()) < 0) return fail_errno(errno, place.string());
  return JobFolder(std::move(dir));
}

Result<> JobFolder::name_workspace(const std::string& repository_name) {
  std::string name;
  for (char c : repository_name)
    name +=
        std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || (c == '.' && !name.empty()) ? c : '_';
  if (name.empty()) name = "repository";
  workspace_ = fmt::format("work/{0}/{0}", name);
  return make_dirs(home() / workspace_);
}

void JobFolder::looked_at(Look look, const std::string& relative) const {
  if (recorder_) recorder_->saw(look, fmt::format("{}/{}", home_inside, relative));
}
void JobFolder::wrote(const std::string& relative) const {
  if (recorder_) recorder_->wrote(fmt::format("{}/{}", home_inside, relative));
}

Result<Fd> JobFolder::open(const std::string& relative) const {
  looked_at(Look::content, relative);
  // Not blocking: a step may have put a pipe there.
  TRY(auto fd, open_beneath(home(), relative, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info;
  if (::fstat(fd.get(), &info) < 0) return fail_errno(errno, relative);
  if (!S_ISREG(info.st_mode)) return fail(Kind::invalid, "{}: is not a regular file", relative);
  return fd;
}

Result<std::string> JobFolder::read(const std::string& relative, std::size_t limit) const {
  auto fd = open(relative);
  if (!fd) return fd.error().is(Kind::not_found) ? Result<std::string>(std::string()) : Fail(std::move(fd).error());
  std::string out;
  char buffer[65536];
  ssize_t n;
  while ((n = ::read(fd->get(), buffer, sizeof buffer)) > 0) {
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > limit) return fail(Kind::invalid, "{}: has more than {} bytes", relative, limit);
  }
  if (n < 0) return fail_errno(errno, relative);
  return out;
}

Result<Fd> JobFolder::create(const std::string& relative, unsigned mode) const {
  auto parent = fs::path(relative).parent_path();
  if (!has_folder(parent.string())) TRY_OK(make_dir(parent.string()));
  TRY(auto folder, open_beneath(home(), parent, O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto name = fs::path(relative).filename().string();
  ::unlinkat(folder.get(), name.c_str(), 0);
  Fd fd(::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return fail_errno(errno, relative);
  ::fchmod(fd.get(), mode);
  wrote(relative);
  return fd;
}

Result<> JobFolder::link(const std::string& relative, const std::string& target) const {
  auto parent = fs::path(relative).parent_path();
  if (!has_folder(parent.string())) TRY_OK(make_dir(parent.string()));
  TRY(auto folder, open_beneath(home(), parent, O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto name = fs::path(relative).filename().string();
  ::unlinkat(folder.get(), name.c_str(), 0);
  if (::symlinkat(target.c_str(), folder.get(), name.c_str()) < 0) return fail_errno(errno, relative);
  wrote(relative);
  return {};
}

bool JobFolder::renew(const std::string& relative, const std::string& name, unsigned mode) const {
  fs::path path(relative);
  auto folder = open_beneath(home(), path.parent_path(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  auto old = path.filename().string();
  struct stat info;
  if (!folder || ::fstatat(folder->get(), old.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (info.st_mode != (S_IFREG | mode) || info.st_size != 0 || info.st_nlink != 1 || info.st_uid != ::geteuid())
    return false;
  if (::renameat(folder->get(), old.c_str(), folder->get(), name.c_str()) < 0) return false;
  wrote((path.parent_path() / name).string());
  return true;
}

Result<> JobFolder::write(const std::string& relative, std::string_view text, unsigned mode) const {
  TRY(auto fd, create(relative, mode));
  return write_all(fd.get(), text);
}

Result<> JobFolder::make_dir(const std::string& relative) const {
  if (recorder_ && !has_folder(relative)) wrote(relative);
  return in_root([&](const fs::path& root) { return make_dirs(root / relative); });
}

Result<> JobFolder::empty(const std::string& relative, const std::vector<std::string>& only) const {
  return in_root([&](const fs::path& root) -> Result<> {
    auto folder = root / relative;
    if (!path_exists(folder)) return {};
    TRY(auto names, list_dir(folder));
    for (auto& name : only.empty() ? names : only) {
      wrote((fs::path(relative) / name).string());
      TRY_OK(remove_tree(folder / name));
    }
    return {};
  });
}

bool JobFolder::has_file(const std::string& relative) const {
  looked_at(Look::meta, relative);
  auto fd = open_beneath(home(), relative, O_PATH | O_CLOEXEC);
  struct stat info;
  return fd && ::fstat(fd->get(), &info) == 0 && S_ISREG(info.st_mode);
}

bool JobFolder::has_folder(const std::string& relative) const {
  looked_at(Look::meta, relative);
  return open_beneath(home(), relative.empty() ? "." : relative, O_PATH | O_DIRECTORY | O_CLOEXEC).has_value();
}

// The root folder is a property of a thread once it is unshared.
Result<> JobFolder::in_root(const std::function<Result<>(const fs::path& root)>& work) const {
  // Steps have our own rights there: without root, and on a machine that is the job's alone.
  if (::geteuid() != 0 || !dir_) return work(home());
  // Libraries load their modules on first use; that must not happen among the job's files.
  static const std::string loaded = sha256_hex("");
  Result<> result;
  std::thread([&] {
    if (::unshare(CLONE_FS) < 0 || ::chroot(home().c_str()) < 0 || ::chdir("/") < 0)
      result = fail_errno(errno, "enter the job's folder");
    else
      result = work("/");
  }).join();
  return result;
}

Result<> JobFolder::move_in(const fs::path& from, const std::string& relative) const {
  TRY(auto names, list_dir(from));
  auto ready = in_root([&](const fs::path& root) -> Result<> {
    TRY_OK(make_dirs(root / relative));
    for (auto& name : names) TRY_OK(remove_tree(root / relative / name));
    return {};
  });
  TRY_OK(std::move(ready));
  TRY(auto target, open_beneath(home(), relative, O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (auto& name : names) wrote((fs::path(relative) / name).string());
  for (auto& name : names)
    if (::renameat(AT_FDCWD, (from / name).c_str(), target.get(), name.c_str()) < 0)
      return fail_errno(errno, fmt::format("move {} into the workspace", name));
  return {};
}

}  // namespace slipway::ci
