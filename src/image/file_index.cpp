#include "image/detail/file_index.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace slipway::image::detail {

namespace {

constexpr std::string_view head = "slipway-files-2\n";
constexpr std::size_t digest_size = 32;
constexpr std::uint32_t kept_days = 30;

// A file changed within the clock's last tick may change again without a new time: not remembered (Git's "racy" rule).
// Asked before its bytes are read: a change meanwhile then has a later time.
bool settled(const struct stat& st) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  auto age = (now.tv_sec - st.st_ctim.tv_sec) * 1'000'000'000LL + (now.tv_nsec - st.st_ctim.tv_nsec);
  return age > 50'000'000;
}

// Of folders that come once and go, as those of jobs do, the oldest make room.
void make_room(const fs::path& folder) {
  constexpr std::size_t kept = 200;
  auto names = list_dir(folder);
  if (!names || names->size() < kept) return;
  std::vector<std::pair<std::int64_t, fs::path>> by_age;
  for (const auto& name : *names) {
    struct stat st{};
    if (::stat((folder / name).c_str(), &st) == 0) by_age.emplace_back(st.st_mtim.tv_sec, folder / name);
  }
  std::sort(by_age.begin(), by_age.end());
  for (std::size_t n = 0; n + kept / 2 < by_age.size(); ++n) ::unlink(by_age[n].second.c_str());
}

std::string hash_of(std::string_view bytes) { return Hasher().update(bytes).finish_raw(); }

}  // namespace

Result<std::string> hash_file(const Fd& file, const std::string& shown, std::uint64_t size) {
  Hasher hasher;
  static thread_local std::string buffer(256 << 10, '\0');
  for (std::uint64_t done = 0;;) {
    auto n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "/" + shown);
    if (n == 0) return hasher.finish_raw();
    hasher.update({buffer.data(), static_cast<std::size_t>(n)});
    done += static_cast<std::uint64_t>(n);
    if (done == size) return hasher.finish_raw();
  }
}

FileIndex::FileIndex(fs::path file)
    : file_(std::move(file)), today_(static_cast<std::uint32_t>(std::time(nullptr) / 86400)) {
  auto text = read_file(file_);
  if (!text) return;
  text_ = *std::move(text);
  load(text_);
}

// The head, entries each with its path behind it, the digest of all that: what a crash left of it is told from it.
void FileIndex::load(std::string_view text) {
  if (!text.starts_with(head) || text.size() < head.size() + digest_size) return;
  auto end = text.substr(text.size() - digest_size);
  text.remove_suffix(digest_size);
  if (hash_of(text) != end) return;
  text.remove_prefix(head.size());
  entries_.reserve(text.size() / 100);
  while (text.size() >= sizeof(Entry)) {
    Entry entry;
    std::memcpy(&entry, text.data(), sizeof entry);
    text.remove_prefix(sizeof entry);
    if (entry.path_size > text.size()) return;
    if (entry.day + kept_days >= today_) entries_.emplace(text.substr(0, entry.path_size), entry);
    text.remove_prefix(entry.path_size);
  }
}

FileIndex::Entry FileIndex::stamp_of(const struct stat& st) {
  Entry entry;
  entry.device = st.st_dev, entry.inode = st.st_ino, entry.size = static_cast<std::uint64_t>(st.st_size);
  entry.mtime = st.st_mtim.tv_sec, entry.mtime_nanos = static_cast<std::uint32_t>(st.st_mtim.tv_nsec);
  entry.ctime = st.st_ctim.tv_sec, entry.ctime_nanos = static_cast<std::uint32_t>(st.st_ctim.tv_nsec);
  return entry;
}

bool FileIndex::same(const Entry& a, const Entry& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size && a.mtime == b.mtime &&
         a.mtime_nanos == b.mtime_nanos && a.ctime == b.ctime && a.ctime_nanos == b.ctime_nanos;
}

std::optional<std::string> FileIndex::known(std::string_view path, const struct stat& st) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(path);
  if (it == entries_.end() || !same(it->second, stamp_of(st))) return std::nullopt;
  constexpr std::uint32_t often_enough = 7;
  if (it->second.day + often_enough < today_) it->second.day = today_, dirty_ = true;
  return std::string(it->second.digest, digest_size);
}

Result<std::string> FileIndex::digest(const std::string& path, const struct stat& st, const Fd& file) {
  bool sure = settled(st);
  TRY(auto digest, hash_file(file, path, static_cast<std::uint64_t>(st.st_size)));
  if (!sure) return digest;
  auto entry = stamp_of(st);
  entry.day = today_;
  entry.path_size = static_cast<std::uint32_t>(path.size());
  digest.copy(entry.digest, digest_size);
  std::lock_guard lock(mutex_);
  auto it = entries_.find(path);
  if (it == entries_.end()) {
    paths_.push_back(std::make_unique<std::string>(path));
    entries_.emplace(*paths_.back(), entry);
  } else {
    it->second = entry;
  }
  dirty_ = true;
  return digest;
}

void FileIndex::save() {
  std::lock_guard lock(mutex_);
  if (!dirty_) return;
  std::string text(head);
  for (const auto& [path, entry] : entries_) {
    text.append(reinterpret_cast<const char*>(&entry), sizeof entry);
    text += path;
  }
  text += hash_of(text);
  if (!make_dirs(file_.parent_path())) return;
  if (!path_exists(file_)) make_room(file_.parent_path());
  if (write_file(file_, text)) dirty_ = false;
}

}  // namespace slipway::image::detail
