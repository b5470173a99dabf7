#include "image/detail/file_index.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/text.h"

namespace slipway::image::detail {

namespace {

std::string stamp_of(const struct stat& st) {
  return fmt::format("{}.{}.{}.{}.{}.{}.{}", st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

// A file changed within the clock's last tick may change again without a new time: not remembered (Git's "racy" rule).
bool settled(const struct stat& st) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  auto age = (now.tv_sec - st.st_ctim.tv_sec) * 1'000'000'000LL + (now.tv_nsec - st.st_ctim.tv_nsec);
  return age > 50'000'000;
}

}  // namespace

Result<std::string> hash_file(const fs::path& file) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno(errno, file.native());
  Hasher hasher;
  std::string buffer(256 << 10, '\0');
  for (;;) {
    auto n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, file.native());
    if (n == 0) return hasher.finish_hex();
    hasher.update({buffer.data(), static_cast<std::size_t>(n)});
  }
}

FileIndex::FileIndex(fs::path file) : file_(std::move(file)) {
  auto text = read_file(file_);
  if (!text) return;
  std::string_view rest = *text;
  if (!rest.starts_with("slipway-files-1\n")) return;
  rest.remove_prefix(16);
  while (!rest.empty()) {  // digest SP stamp SP path NUL
    auto end = rest.find('\0');
    if (end == std::string_view::npos || end < 66) return;
    auto line = rest.substr(0, end);
    auto space = line.find(' ', 65);
    if (space == std::string_view::npos) return;
    entries_[std::string(line.substr(space + 1))] = {std::string(line.substr(65, space - 65)),
                                                     std::string(line.substr(0, 64)), false};
    rest.remove_prefix(end + 1);
  }
}

Result<std::string> FileIndex::digest(const std::string& path, const struct stat& st, const fs::path& on_disk) {
  auto stamp = stamp_of(st);
  {
    std::lock_guard lock(mutex_);
    if (auto it = entries_.find(path); it != entries_.end() && it->second.stamp == stamp) {
      it->second.used = true;
      return it->second.digest;
    }
  }
  TRY(auto digest, hash_file(on_disk));
  std::lock_guard lock(mutex_);
  if (settled(st)) {
    entries_[path] = {stamp, digest, true};
    dirty_ = true;
  }
  return digest;
}

void FileIndex::save() {
  std::lock_guard lock(mutex_);
  if (!dirty_) return;
  std::string text = "slipway-files-1\n";
  for (const auto& [path, entry] : entries_)
    if (entry.used) text += entry.digest + " " + entry.stamp + " " + path + '\0';
  if (make_dirs(file_.parent_path()) && write_file(file_, text)) dirty_ = false;
}

}  // namespace slipway::image::detail
