#include "ci/jobcache.h"

#include <sys/stat.h>

#include <mutex>

#include "base/hash.h"

namespace slipway::ci {
namespace {

// An entry's file: the key, a newline, the value. Its name is the digest of the key, in a folder a kind of key.
class FileJobCache final : public JobCache {
 public:
  FileJobCache(fs::path root, CacheLimits limits) : root_(std::move(root)), limits_(limits) {}

  Result<std::optional<std::string>> get(std::string_view key) override {
    auto text = read_file(file(key));
    if (!text)
      return text.error().is(Kind::not_found) ? Result<std::optional<std::string>>(std::nullopt)
                                              : Fail(std::move(text).error());
    auto end = text->find('\n');
    if (end == std::string::npos || std::string_view(*text).substr(0, end) != key) return std::optional<std::string>();
    return text->substr(end + 1);
  }

  Result<> put(std::string_view key, std::string_view value) override {
    if (key.contains('\n')) return fail(Kind::invalid, "a cache key must not have line breaks");
    TRY_OK(make_dirs(file(key).parent_path()));
    return write_file(file(key), fmt::format("{}\n{}", key, value), 0644, Durable::yes);
  }

  Result<std::optional<Entry>> newest(std::string_view prefix) override {
    auto folder = file(prefix).parent_path();
    if (!path_exists(folder)) return std::optional<Entry>();
    TRY(auto names, list_dir(folder));
    std::optional<Entry> best;
    timespec best_time{};
    for (auto& name : names) {
      struct stat info;
      if (::stat((folder / name).c_str(), &info) < 0) continue;
      bool newer = !best || std::pair(info.st_mtim.tv_sec, info.st_mtim.tv_nsec) >
                                std::pair(best_time.tv_sec, best_time.tv_nsec);
      if (!newer) continue;
      auto text = read_file(folder / name);
      auto end = text ? text->find('\n') : std::string::npos;
      if (end == std::string::npos || !std::string_view(*text).substr(0, end).starts_with(prefix)) continue;
      best = Entry{text->substr(0, end), text->substr(end + 1)};
      best_time = info.st_mtim;
    }
    return best;
  }

  Result<> remove(std::string_view key) override { return remove_tree(file(key)); }

  Result<CacheStore*> caches() override {
    std::lock_guard lock(opening_);
    if (!caches_) {
      TRY(caches_, CacheStore::open(root_ / "caches", limits_));
    }
    return caches_.get();
  }

 private:
  fs::path file(std::string_view key) const {
    auto kind = key.substr(0, key.find('/'));
    return root_ / std::string(kind) / sha256_hex(key).substr(0, 40);
  }
  fs::path root_;
  CacheLimits limits_;
  std::mutex opening_;
  std::unique_ptr<CacheStore> caches_;
};

}  // namespace

Result<std::unique_ptr<JobCache>> open_file_job_cache(fs::path root, CacheLimits limits) {
  TRY_OK(make_dirs(root));
  return std::make_unique<FileJobCache>(std::move(root), limits);
}

}  // namespace slipway::ci
