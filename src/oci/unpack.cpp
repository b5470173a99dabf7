#include "oci/detail/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/text.h"

namespace slipway::oci::detail {

namespace {

std::string entry_name(archive_entry* e) {
  if (const char* name = archive_entry_pathname_utf8(e)) return name;
  const char* name = archive_entry_pathname(e);
  return name != nullptr ? name : "";
}
std::string link_name(archive_entry* e) {
  if (const char* name = archive_entry_hardlink_utf8(e)) return name;
  const char* name = archive_entry_hardlink(e);
  return name != nullptr ? name : "";
}
std::string symlink_target(archive_entry* e) {
  if (const char* name = archive_entry_symlink_utf8(e)) return name;
  const char* name = archive_entry_symlink(e);
  return name != nullptr ? name : "";
}

std::pair<std::string, std::string> split_path(const std::string& path) {
  auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// An archive may set file capabilities and the users' own attributes; never those overlayfs reads its whiteouts from.
bool allowed_xattr(std::string_view name) {
  return name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay."));
}

timespec at(std::int64_t seconds) { return {.tv_sec = seconds, .tv_nsec = 0}; }

}  // namespace

Result<std::string> clean_entry_path(std::string_view name) {
  std::string out;
  for (auto part : split(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Kind::invalid, "entry {:?}: has a \"..\"", name);
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

Unpacker::Unpacker(UnpackTarget target) : target_(std::move(target)), root_(::geteuid() == 0) {}

std::uint32_t Unpacker::owner(archive_entry* e) const {
  return target_.uid ? *target_.uid : static_cast<std::uint32_t>(archive_entry_uid(e));
}
std::uint32_t Unpacker::group(archive_entry* e) const {
  return target_.gid ? *target_.gid : static_cast<std::uint32_t>(archive_entry_gid(e));
}

Result<> Unpacker::all(const Ctx& ctx, archive* a) {
  for (;;) {
    TRY_OK(ctx.alive());
    archive_entry* e = nullptr;
    int rc = archive_read_next_header(a, &e);
    if (rc == ARCHIVE_EOF) break;
    // WARN: a name that the C locale cannot show; the bytes are there all the same.
    if (rc < ARCHIVE_WARN) return fail(Kind::corrupt, "archive is broken: {}", archive_error_string(a));
    if (++entries_ > target_.limits.entries)
      return fail(Kind::invalid, "archive has more than {} entries", target_.limits.entries);
    TRY_OK(entry(a, e));
  }
  // Folders last: filling them changed their times.
  for (auto it = folder_times_.rbegin(); it != folder_times_.rend(); ++it) {
    auto fd = open_beneath(target_.folder, it->first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) continue;  // a later entry took its place
    timespec times[2] = {at(it->second), at(it->second)};
    ::futimens(fd->get(), times);
  }
  return {};
}

Result<> Unpacker::entry(archive* a, archive_entry* e) {
  auto name = entry_name(e);
  TRY(auto path, clean_entry_path(name));
  if (path.size() > 4095) return fail(Kind::invalid, "entry {:?}...: name longer than 4095 bytes", path.substr(0, 64));
  if (path.empty()) {
    if (archive_entry_filetype(e) != AE_IFDIR) {
      if (target_.names == Names::plain) return {};  // some tars hold such an entry; it names nothing
      return fail(Kind::invalid, "entry {:?}: has no name", name);
    }
    TRY(auto root, open_beneath(target_.folder, ".", O_RDONLY | O_DIRECTORY));
    return finish_fd(e, root.get(), "/", true);
  }
  auto [parent_path, base] = split_path(path);
  if (target_.names == Names::layer && base.starts_with(".wh.")) return whiteout(parent_path, base);
  if (target_.whiteouts == Whiteouts::apply && target_.names == Names::layer) made_.insert(path);
  return place(a, e, path);
}

// Opens the folder an entry goes into, made when absent. The last one is kept: archives are in tree order.
Result<int> Unpacker::parent(const std::string& path) {
  if (parent_ && parent_path_ == path) return parent_.get();
  parent_.reset();
  auto fd = open_beneath(target_.folder, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
  if (!fd && fd.error().is(Kind::not_found)) {
    auto [above, name] = split_path(path);
    TRY(int dir, parent(above));
    if (::mkdirat(dir, name.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno(errno, path);
    if (target_.uid && root_) (void)!::fchownat(dir, name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW);
    parent_.reset();
    fd = open_beneath(target_.folder, path, O_RDONLY | O_DIRECTORY);
  }
  // Not found again: a dangling link stands there. Not a folder: a file does.
  if (!fd) return fail(Kind::invalid, "/{}: an entry goes below it, but it is no folder ({})", path, fd.error().what());
  parent_ = *std::move(fd);
  parent_path_ = path;
  return parent_.get();
}

// Removes what stands where an entry goes, unless both are folders.
Result<> Unpacker::make_room(int dir, const std::string& name, bool for_folder, const std::string& shown) {
  struct stat st{};
  if (::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? Result<>{} : Result<>(fail_errno(errno, shown));
  if (S_ISDIR(st.st_mode)) {
    if (for_folder) return {};
    return remove_tree(fmt::format("/proc/self/fd/{}/{}", dir, name));
  }
  if (::unlinkat(dir, name.c_str(), 0) < 0) return fail_errno(errno, shown);
  return {};
}

Result<> Unpacker::whiteout(const std::string& parent_path, const std::string& name) {
  if (name == ".wh..wh..opq") {
    TRY(int dir, parent(parent_path));
    if (target_.whiteouts == Whiteouts::overlay) {
      const char* key = root_ ? "trusted.overlay.opaque" : "user.overlay.opaque";
      if (::fsetxattr(dir, key, "y", 1, 0) < 0) return fail_errno(errno, parent_path);
      return {};
    }
    TRY(auto names, list_dir(fmt::format("/proc/self/fd/{}", dir)));
    for (const auto& child : names)
      if (!made_.contains(parent_path.empty() ? child : parent_path + "/" + child))
        TRY_OK(remove_tree(fmt::format("/proc/self/fd/{}/{}", dir, child)));
    return {};
  }
  if (name.starts_with(".wh..wh.")) return {};  // aufs' bookkeeping (plink, orph): means nothing here
  auto victim = name.substr(4);
  if (victim.empty() || victim == "." || victim == "..")
    return fail(Kind::invalid, "/{}/{}: whiteout of nothing", parent_path, name);
  TRY(int dir, parent(parent_path));
  auto path = parent_path.empty() ? victim : parent_path + "/" + victim;
  if (target_.whiteouts == Whiteouts::apply) {
    if (made_.contains(path)) return {};
    return remove_tree(fmt::format("/proc/self/fd/{}/{}", dir, victim));
  }
  struct stat st{};
  if (::fstatat(dir, victim.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
    // The layer itself brings the name: a folder hides what was below, another entry replaces it anyway.
    if (S_ISDIR(st.st_mode)) {
      Fd fd(::openat(dir, victim.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (fd) ::fsetxattr(fd.get(), root_ ? "trusted.overlay.opaque" : "user.overlay.opaque", "y", 1, 0);
    }
    return {};
  }
  if (::mknodat(dir, victim.c_str(), S_IFCHR, 0) < 0) return fail_errno(errno, path);
  return {};
}

Result<> Unpacker::data(archive* a, int fd, const std::string& shown) {
  const void* block = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  for (;;) {
    int rc = archive_read_data_block(a, &block, &size, &offset);
    if (rc == ARCHIVE_EOF) return {};
    if (rc < ARCHIVE_WARN) return fail(Kind::corrupt, "{}: archive is broken: {}", shown, archive_error_string(a));
    bytes_ += size;
    if (bytes_ > target_.limits.bytes)
      return fail(Kind::invalid, "archive unpacks to more than {} bytes", target_.limits.bytes);
    for (std::size_t done = 0; done < size;) {
      auto n =
          ::pwrite(fd, static_cast<const char*>(block) + done, size - done, offset + static_cast<la_int64_t>(done));
      if (n < 0 && errno != EINTR) return fail_errno(errno, shown);
      if (n > 0) done += static_cast<std::size_t>(n);
    }
  }
}

Result<> Unpacker::finish_fd(archive_entry* e, int fd, const std::string& shown, bool with_time) {
  if (root_ && ::fchown(fd, owner(e), group(e)) < 0) return fail_errno(errno, shown);
  if (::fchmod(fd, archive_entry_perm(e) & 07777) < 0) return fail_errno(errno, shown);
  archive_entry_xattr_reset(e);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
    if (name == nullptr || !allowed_xattr(name) || (!root_ && std::string_view(name).starts_with("security.")))
      continue;
    if (::fsetxattr(fd, name, value, size, 0) < 0 && errno != ENOTSUP) return fail_errno(errno, shown);
  }
  if (!with_time) return {};
  timespec times[2] = {at(archive_entry_mtime(e)), at(archive_entry_mtime(e))};
  ::futimens(fd, times);
  return {};
}

Result<> Unpacker::hard_link(archive_entry* e, int dir, const std::string& name, const std::string& path) {
  TRY(auto target, clean_entry_path(link_name(e)));
  if (target.empty()) return fail(Kind::invalid, "/{}: hard link to nothing", path);
  if (target == path) return {};
  auto [target_parent, target_name] = split_path(target);
  auto from = open_beneath(target_.folder, target_parent.empty() ? "." : target_parent, O_PATH | O_DIRECTORY);
  if (!from) return fail(Kind::invalid, "/{}: hard link to /{}, which is not in the archive", path, target);
  struct stat st{};
  if (::fstatat(from->get(), target_name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
    return fail(Kind::invalid, "/{}: hard link to /{}, which is not in the archive", path, target);
  if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
    return fail(Kind::invalid, "/{}: hard link to /{}, which is no file", path, target);
  TRY_OK(make_room(dir, name, false, path));
  if (::linkat(from->get(), target_name.c_str(), dir, name.c_str(), 0) < 0) return fail_errno(errno, path);
  return {};
}

Result<> Unpacker::place(archive* a, archive_entry* e, const std::string& path) {
  auto [parent_path, name] = split_path(path);
  TRY(int dir, parent(parent_path));
  if (archive_entry_hardlink(e) != nullptr || archive_entry_hardlink_utf8(e) != nullptr)
    return hard_link(e, dir, name, path);
  auto type = archive_entry_filetype(e);
  if (type == AE_IFCHR || type == AE_IFBLK) {
    // Containers get a /dev of their own; elsewhere a device would be a door.
    if (path.starts_with("dev/")) {
      LOG(debug, "oci.layer.device_skipped", {"path", path});
      return {};
    }
    return fail(Kind::invalid, "/{}: is a device node, which no layer may hold", path);
  }
  TRY_OK(make_room(dir, name, type == AE_IFDIR, path));
  if (type == AE_IFDIR) {
    if (::mkdirat(dir, name.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno(errno, path);
    Fd fd(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail_errno(errno, path);
    folder_times_.emplace_back(path, archive_entry_mtime(e));
    return finish_fd(e, fd.get(), path, false);
  }
  if (type == AE_IFREG) {
    if (archive_entry_size(e) > 0 && static_cast<std::uint64_t>(archive_entry_size(e)) > target_.limits.bytes)
      return fail(Kind::invalid, "/{}: {} bytes, want at most {}", path, archive_entry_size(e), target_.limits.bytes);
    Fd fd(::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return fail_errno(errno, path);
    TRY_OK(data(a, fd.get(), path));
    if (::ftruncate(fd.get(), archive_entry_size(e)) < 0) return fail_errno(errno, path);  // a hole at the end
    return finish_fd(e, fd.get(), path, true);
  }
  if (type == AE_IFLNK) {
    auto target = symlink_target(e);
    if (target.empty()) return fail(Kind::invalid, "/{}: symbolic link to nothing", path);
    if (::symlinkat(target.c_str(), dir, name.c_str()) < 0) return fail_errno(errno, path);
  } else if (type == AE_IFIFO) {
    if (::mkfifoat(dir, name.c_str(), archive_entry_perm(e) & 07777) < 0) return fail_errno(errno, path);
  } else {
    return fail(Kind::invalid, "/{}: unknown kind of entry", path);
  }
  if (root_ && ::fchownat(dir, name.c_str(), owner(e), group(e), AT_SYMLINK_NOFOLLOW) < 0)
    return fail_errno(errno, path);
  timespec times[2] = {at(archive_entry_mtime(e)), at(archive_entry_mtime(e))};
  ::utimensat(dir, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  return {};
}

}  // namespace slipway::oci::detail
