#pragma once
// Which digest a file had when it looked like this: a build whose inputs did not change reads no file.
#include <sys/stat.h>

#include <mutex>
#include <unordered_map>

#include "base/files.h"
#include "base/hash.h"

namespace slipway::image::detail {

// One per context folder, kept under `file`. Threads: any.
class FileIndex {
 public:
  explicit FileIndex(fs::path file);
  // The digest of the content, from the index when device, inode, size, mtime and ctime are the same.
  Result<std::string> digest(const std::string& path, const struct stat& st, const fs::path& on_disk);
  // Writes what is new. A failure only costs time at the next build.
  void save();

 private:
  struct Entry {
    std::string stamp, digest;
    bool used = false;
  };
  fs::path file_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  bool dirty_ = false;
};

Result<std::string> hash_file(const fs::path& file);

}  // namespace slipway::image::detail
