#include "image/detail/placer.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/pool.h"
#include "base/text.h"

namespace slipway::image::detail {

namespace {

constexpr int max_links = 40;

std::pair<std::string, std::string> split_path(const std::string& path) {
  auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// The line of a passwd or group file whose first field is the name.
std::optional<std::vector<std::string>> row_of(const fs::path& root, const char* file, std::string_view name) {
  auto fd = open_beneath(root, file, O_RDONLY);
  if (!fd) return std::nullopt;
  auto text = read_all(fd->get());
  if (!text) return std::nullopt;
  for (auto line : lines(*text)) {
    auto fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == name) return std::vector<std::string>(fields.begin(), fields.end());
  }
  return std::nullopt;
}

Result<std::uint32_t> id_of(std::string_view text) {
  auto n = to_int(text);
  if (!n || *n < 0 || *n > 0x7fffffff) return fail(Kind::invalid, "{:?}: no such id", text);
  return static_cast<std::uint32_t>(*n);
}

void set_times(int dir, const std::string& name, const struct stat& st) {
  timespec times[2] = {st.st_mtim, st.st_mtim};
  ::utimensat(dir, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

// `size`: as it was last seen, so that the end need not be asked for.
Result<> copy_bytes(int from, int to, std::uint64_t size, const std::string& shown) {
  for (std::uint64_t done = 0;;) {
    auto n = ::copy_file_range(from, nullptr, to, nullptr, std::size_t{1} << 30, 0);
    if (n == 0) return {};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    done += static_cast<std::uint64_t>(n);
    if (done == size) return {};
  }
  if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS) return fail_errno(errno, shown);
  std::string buffer(256 << 10, '\0');
  for (;;) {
    auto n = ::read(from, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, shown);
    if (n == 0) return {};
    TRY_OK(write_all(to, {buffer.data(), static_cast<std::size_t>(n)}));
  }
}

}  // namespace

Result<Ownership> resolve_owner(const fs::path& root, std::string_view text) {
  Ownership owner;
  auto parts = cut(text, ":");
  auto user = parts ? parts->first : text;
  auto is_number = [](std::string_view t) {
    return !t.empty() && t.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (is_number(user)) {
    TRY(owner.uid, id_of(user));
    owner.gid = owner.uid;
  } else if (!user.empty()) {
    auto row = row_of(root, "etc/passwd", user);
    if (!row || row->size() < 4) return fail(Kind::invalid, "user {:?}: not in the image's /etc/passwd", user);
    TRY(owner.uid, id_of((*row)[2]));
    TRY(owner.gid, id_of((*row)[3]));
  }
  if (!parts || parts->second.empty()) return owner;
  if (is_number(parts->second)) {
    TRY(owner.gid, id_of(parts->second));
    return owner;
  }
  auto row = row_of(root, "etc/group", parts->second);
  if (!row) return fail(Kind::invalid, "group {:?}: not in the image's /etc/group", parts->second);
  TRY(owner.gid, id_of((*row)[2]));
  return owner;
}

Result<unsigned> apply_chmod(std::string_view text, unsigned mode, bool folder) {
  auto wrong = [&] { return fail(Kind::invalid, "--chmod={}: want octal (755) or symbolic (u=rwX,go-w)", text); };
  if (text.empty()) return mode;
  if (text.find_first_not_of("01234567") == std::string_view::npos) {
    if (text.size() > 5) return wrong();
    unsigned value = 0;
    for (char c : text) value = value * 8 + static_cast<unsigned>(c - '0');
    if (value > 07777) return wrong();
    return value;
  }
  for (auto clause : split(text, ',')) {
    std::size_t i = 0;
    unsigned who = 0;
    for (; i < clause.size() && std::string_view("ugoa").find(clause[i]) != std::string_view::npos; ++i)
      who |= clause[i] == 'u' ? 04700U : clause[i] == 'g' ? 02070U : clause[i] == 'o' ? 01007U : 07777U;
    if (who == 0) who = 07777;
    if (i == clause.size()) return wrong();
    while (i < clause.size()) {
      char op = clause[i++];
      if (op != '+' && op != '-' && op != '=') return wrong();
      unsigned bits = 0;
      for (; i < clause.size() && std::string_view("+-=").find(clause[i]) == std::string_view::npos; ++i) {
        switch (clause[i]) {
          case 'r':
            bits |= 0444;
            break;
          case 'w':
            bits |= 0222;
            break;
          case 'x':
            bits |= 0111;
            break;
          case 'X':
            bits |= folder || (mode & 0111) != 0 ? 0111 : 0;
            break;
          case 's':
            bits |= 06000;
            break;
          case 't':
            bits |= 01000;
            break;
          case 'u':
            bits |= ((mode >> 6) & 7) * 0111;
            break;
          case 'g':
            bits |= ((mode >> 3) & 7) * 0111;
            break;
          case 'o':
            bits |= (mode & 7) * 0111;
            break;
          default:
            return wrong();
        }
      }
      bits &= who;
      if (op == '+') mode |= bits;
      if (op == '-') mode &= ~bits;
      if (op == '=') mode = (mode & ~(who & 0777)) | bits;
    }
  }
  return mode;
}

bool Placer::is_folder(const std::string& path) const {
  return open_beneath(root_, path.empty() ? "." : path, O_PATH | O_DIRECTORY).has_value();
}

// Folders that are made on the way belong to whom the copy belongs to, and have an octal mode that it was given.
void Placer::make_like(const PlaceOptions& options) {
  owner_ = options.owner.value_or(Ownership{});
  bool octal = !options.chmod.empty() && options.chmod.find_first_not_of("01234567") == std::string::npos;
  mode_ = octal ? apply_chmod(options.chmod, 0755, true).value_or(0755) : 0755;
}

Result<Fd> Placer::folder(const std::string& path, int links) {
  auto fd = open_beneath(root_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
  if (fd || !fd.error().is(Kind::not_found)) {
    if (!fd) return fail(Kind::invalid, "/{}: is not a folder", path);
    return fd;
  }
  auto [above, name] = split_path(path);
  TRY(auto dir, folder(above, links));
  if (::mkdirat(dir.get(), name.c_str(), 0755) == 0) {
    if (::fchownat(dir.get(), name.c_str(), owner_.uid, owner_.gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        ::fchmodat(dir.get(), name.c_str(), mode_, 0) < 0)
      return fail_errno(errno, "/" + path);
  } else if (errno != EEXIST) {
    return fail_errno(errno, "/" + path);
  } else if (links < max_links) {  // a link to nothing: what it names is made
    std::string target(4096, '\0');
    auto n = ::readlinkat(dir.get(), name.c_str(), target.data(), target.size());
    if (n > 0) {
      target.resize(static_cast<std::size_t>(n));
      return folder(clean_path(target.starts_with('/') ? target : above + "/" + target), links + 1);
    }
  }
  auto made = open_beneath(root_, path, O_RDONLY | O_DIRECTORY);
  if (!made) return fail(Kind::invalid, "/{}: a link to nothing is in the way", path);
  return made;
}

Result<int> Placer::parent_of(const std::string& path) {
  auto above = split_path(path).first;
  if (parent_ && above == parent_path_) return parent_.get();
  parent_.reset();
  TRY(parent_, folder(above));
  parent_path_ = above;
  return parent_.get();
}

Result<Fd> Placer::file(const Source& source, const Entry& entry, int dir, const std::string& name,
                        const std::string& shown) {
  if (!from_ || from_->root() != source.root) from_.emplace(source.root);
  auto from = from_->open(entry.path);
  if (!from) return Fail(std::move(from).error().in("/" + entry.path));
  Fd to(::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!to) return fail_errno(errno, shown);
  clones_ = clones_ && ::ioctl(to.get(), FICLONE, from->get()) == 0;
  if (!clones_) TRY_OK(copy_bytes(from->get(), to.get(), static_cast<std::uint64_t>(entry.st.st_size), shown));
  return to;
}

// A folder of a copied tree over one that is there: it becomes like the copied one. The destination itself does not,
// and what a link leads to stays as it is.
Result<> Placer::again(const Entry& entry, const std::string& path, Ownership owner, const PlaceOptions& options) {
  TRY(int dir, parent_of(path));
  auto name = split_path(path).second;
  struct stat st{};
  if (name.empty() || ::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) return {};
  if (::fchownat(dir, name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
    return fail_errno(errno, "/" + path);
  TRY(auto mode, apply_chmod(options.chmod, entry.st.st_mode & 07777, true));
  if (::fchmodat(dir, name.c_str(), mode, 0) < 0) return fail_errno(errno, "/" + path);
  return {};
}

Result<bool> Placer::linked(const Entry& entry, int dir, const std::string& name, const std::string& shown) {
  auto it = shared_.find({entry.st.st_dev, entry.st.st_ino});
  if (it == shared_.end() || it->second.inode == 0) return false;
  auto first = open_beneath(root_, it->second.path, O_PATH | O_NOFOLLOW);
  struct stat st{};
  // Another file may have taken its place since.
  if (!first || ::fstat(first->get(), &st) < 0 || st.st_ino != it->second.inode) return false;
  auto from = fmt::format("/proc/self/fd/{}", first->get());
  if (::linkat(AT_FDCWD, from.c_str(), dir, name.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EMLINK) return false;
  return fail_errno(errno, shown);
}

// Whose a file is, its mode and its times, once its bytes are there.
Result<> Placer::finish(const Source& source, const Entry& entry, int placed, Ownership owner,
                        const PlaceOptions& options, const std::string& shown) {
  TRY(auto mode, apply_chmod(options.chmod, entry.st.st_mode & 07777, false));
  if (::fchown(placed, owner.uid, owner.gid) < 0 || ::fchmod(placed, mode) < 0) return fail_errno(errno, shown);
  if (source.keeps_owner) {  // after it: a change of owner takes capabilities away
    std::string capability(256, '\0');
    auto n =
        ::lgetxattr((source.root / entry.path).c_str(), "security.capability", capability.data(), capability.size());
    if (n > 0) ::fsetxattr(placed, "security.capability", capability.data(), static_cast<std::size_t>(n), 0);
  }
  timespec times[2] = {entry.st.st_mtim, entry.st.st_mtim};
  ::futimens(placed, times);
  return {};
}

Result<> Placer::one(const Source& source, const Entry& entry, const std::string& path, const PlaceOptions& options) {
  auto shown = "/" + path;
  bool folder_entry = S_ISDIR(entry.st.st_mode);
  Ownership owner = options.owner        ? *options.owner
                    : source.keeps_owner ? Ownership{entry.st.st_uid, entry.st.st_gid}
                                         : Ownership{};
  if (folder_entry && is_folder(path)) return entry.target.empty() ? Result<>{} : again(entry, path, owner, options);
  TRY(int dir, parent_of(path));
  auto name = split_path(path).second;
  if (name.empty()) return {};
  // Mostly nothing is there: to make it tells so as well as to ask.
  if (S_ISREG(entry.st.st_mode) && !shared_.contains({entry.st.st_dev, entry.st.st_ino})) {
    auto placed = file(source, entry, dir, name, shown);
    if (placed) return finish(source, entry, placed->get(), owner, options, shown);
    if (!placed.error().is(Kind::conflict)) return Fail(std::move(placed).error());
  }
  struct stat st{};
  if (::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(st.st_mode)) return fail(Kind::invalid, "{}: is a folder in the image, /{} is none", shown, entry.path);
    if (folder_entry) return fail(Kind::invalid, "{}: is no folder in the image, /{} is one", shown, entry.path);
    if (::unlinkat(dir, name.c_str(), 0) < 0) return fail_errno(errno, shown);
  }
  if (folder_entry) {
    if (::mkdirat(dir, name.c_str(), 0755) < 0) return fail_errno(errno, shown);
    parent_.reset();
    TRY(dir, parent_of(path));
  } else if (S_ISREG(entry.st.st_mode)) {
    TRY(bool is_linked, linked(entry, dir, name, shown));
    if (is_linked) return {};
    TRY(auto placed, file(source, entry, dir, name, shown));
    TRY_OK(finish(source, entry, placed.get(), owner, options, shown));
    if (auto it = shared_.find({entry.st.st_dev, entry.st.st_ino}); it != shared_.end()) {
      if (::fstat(placed.get(), &st) < 0) return fail_errno(errno, shown);
      it->second = {path, st.st_ino};
    }
    return {};
  } else if (S_ISLNK(entry.st.st_mode)) {
    if (::symlinkat(entry.link.c_str(), dir, name.c_str()) < 0) return fail_errno(errno, shown);
  } else if (S_ISFIFO(entry.st.st_mode)) {
    if (::mkfifoat(dir, name.c_str(), 0600) < 0) return fail_errno(errno, shown);
  } else {
    return fail(Kind::invalid, "/{}: a device node cannot be copied", entry.path);
  }
  if (::fchownat(dir, name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno(errno, shown);
  if (!S_ISLNK(entry.st.st_mode)) {
    TRY(auto mode, apply_chmod(options.chmod, entry.st.st_mode & 07777, folder_entry));
    if (::fchmodat(dir, name.c_str(), mode, 0) < 0) return fail_errno(errno, shown);
  }
  if (!folder_entry) set_times(dir, name, entry.st);
  return {};
}

std::map<FileId, Placer::Placed> Placer::shared_files(const Selection& selection) {
  std::map<FileId, Placed> shared;
  std::set<FileId> seen;
  for (const auto& entry : selection.entries)
    if (S_ISREG(entry.st.st_mode) && entry.st.st_nlink > 1)
      if (FileId id{entry.st.st_dev, entry.st.st_ino}; !seen.insert(id).second) shared[id];
  return shared;
}

Result<> Placer::place(const Ctx& ctx, const Source& source, const Selection& selection, const std::string& destination,
                       const PlaceOptions& options) {
  make_like(options);
  auto target = clean_path(destination);
  bool folder_wanted = destination.ends_with('/') || selection.needs_folder || is_folder(target);
  bool single_file = selection.entries.size() == 1 && !selection.entries[0].target.empty() &&
                     !S_ISDIR(selection.entries[0].st.st_mode);
  if (selection.entries.empty()) {  // wildcards that nothing fits
    if (selection.makes_folder) TRY_OK(folder(target));
    return {};
  }
  if (!folder_wanted && single_file) return one(source, selection.entries[0], target, options);
  TRY_OK(folder(target));
  // Several sources may bring one name twice: then the later one stays.
  constexpr std::size_t worth_it = 256;
  bool side_by_side = !selection.needs_folder && selection.entries.size() >= worth_it;
  shared_ = shared_files(selection);
  Targets files;
  for (const auto& entry : selection.entries) {
    TRY_OK(ctx.alive());
    auto path = entry.target.empty() ? target : target.empty() ? entry.target : target + "/" + entry.target;
    if (side_by_side && !S_ISDIR(entry.st.st_mode) && !shared_.contains({entry.st.st_dev, entry.st.st_ino}))
      files.emplace_back(&entry, std::move(path));
    else
      TRY_OK(one(source, entry, path, options));
  }
  return many(ctx, source, files, options);
}

Result<> Placer::many(const Ctx& ctx, const Source& source, const Targets& targets, const PlaceOptions& options) {
  constexpr std::size_t slice = 128;
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (std::size_t at = 0; at < targets.size(); at += slice)
    tasks.emplace_back([&, at](const Ctx& task) -> Result<> {
      Placer placer(root_);
      placer.make_like(options);
      for (auto n = at; n < std::min(at + slice, targets.size()); ++n) {
        TRY_OK(task.alive());
        TRY_OK(placer.one(source, *targets[n].first, targets[n].second, options));
      }
      return {};
    });
  return run_all(ctx, std::max(1U, std::thread::hardware_concurrency()), std::move(tasks));
}

Result<> Placer::write(const std::string& path, std::string_view bytes, unsigned mode, const PlaceOptions& options,
                       std::optional<std::int64_t> mtime) {
  make_like(options);
  auto clean = clean_path(path);
  TRY(int dir, parent_of(clean));
  auto name = split_path(clean).second;
  if (::unlinkat(dir, name.c_str(), 0) < 0 && errno != ENOENT) return fail_errno(errno, "/" + clean);
  Fd fd(::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "/" + clean);
  TRY_OK(write_all(fd.get(), bytes));
  auto owner = options.owner.value_or(Ownership{});
  if (::fchown(fd.get(), owner.uid, owner.gid) < 0) return fail_errno(errno, "/" + clean);
  TRY(auto final_mode, apply_chmod(options.chmod, mode, false));
  if (::fchmod(fd.get(), final_mode) < 0) return fail_errno(errno, "/" + clean);
  if (mtime) {
    timespec times[2] = {{*mtime, 0}, {*mtime, 0}};
    ::futimens(fd.get(), times);
  }
  return {};
}

}  // namespace slipway::image::detail
