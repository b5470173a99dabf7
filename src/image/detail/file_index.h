#pragma once
// Which digest a file had when it looked like this: a build whose inputs did not change reads no file.
#include <sys/stat.h>

#include <mutex>
#include <unordered_map>

#include "base/files.h"
#include "base/hash.h"

namespace slipway::image::detail {

// One per context folder, kept under `file`; what no build asked for in a month is dropped. Threads: any.
class FileIndex {
 public:
  explicit FileIndex(fs::path file);
  // The digest (32 bytes) of the content, when device, inode, size, mtime and ctime are as they were.
  std::optional<std::string> known(std::string_view path, const struct stat& st);
  // Reads the file, which was just opened.
  Result<std::string> digest(const std::string& path, const struct stat& st, const Fd& file);
  // Writes what is new. A failure only costs time at the next build.
  void save();

 private:
  struct Entry {  // as it is in the file, before its path
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t mtime = 0, ctime = 0;
    std::uint32_t mtime_nanos = 0, ctime_nanos = 0;
    std::uint32_t day = 0;  // of the last use, since 1970
    std::uint32_t path_size = 0;
    char digest[32] = {};
  };
  static Entry stamp_of(const struct stat& st);
  static bool same(const Entry& a, const Entry& b);
  void load(std::string_view text);

  fs::path file_;
  std::mutex mutex_;
  std::string text_;  // of the file: paths of what was loaded lie in it
  std::unordered_map<std::string_view, Entry> entries_;
  std::vector<std::unique_ptr<std::string>> paths_;  // of what came since
  std::uint32_t today_ = 0;
  bool dirty_ = false;
};

// 32 bytes. `size`: as it was last seen, so that the end need not be asked for.
Result<std::string> hash_file(const Fd& file, const std::string& shown, std::uint64_t size);

}  // namespace slipway::image::detail
