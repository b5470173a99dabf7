#pragma once
// Files and folders. Paths are std::filesystem::path; errors name the path.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace slipway {

namespace fs = std::filesystem;

// The whole file. `limit` guards against hostile input. Errors: not_found, denied, invalid (over the limit).
Result<std::string> read_file(const fs::path& path, std::size_t limit = std::size_t{1} << 30);

enum class Durable { no, yes };
// Writes beside the target and renames: readers see the old text or the new, never half. With Durable::yes
// file and folder are synced before it returns.
Result<> write_file(const fs::path& path, std::string_view text, unsigned mode = 0644, Durable durable = Durable::no);

Result<> make_dirs(const fs::path& path, unsigned mode = 0755);
// Removes a tree; never follows links, makes unwritable folders writable first. Absent is fine.
Result<> remove_tree(const fs::path& path);
// Copies a tree with links, modes and (as root) owners.
Result<> copy_tree(const fs::path& from, const fs::path& to);
// Names in a folder, sorted.
Result<std::vector<std::string>> list_dir(const fs::path& path);
bool path_exists(const fs::path& path);

// Opens `relative` below `root` without ever leaving it, whatever links it holds (openat2 RESOLVE_IN_ROOT).
Result<Fd> open_beneath(const fs::path& root, const fs::path& relative, int flags, unsigned mode = 0);

// A folder of its own under TMPDIR that goes away with the value.
class TempDir {
 public:
  static Result<TempDir> make(std::string_view prefix = "slipway");
  static Result<TempDir> make_in(const fs::path& parent, std::string_view prefix);
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TempDir();
  const fs::path& path() const { return path_; }
  // Keeps the folder.
  fs::path release() { return std::exchange(path_, {}); }

 private:
  explicit TempDir(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

// An exclusive lock on a file, held until the value goes (and by the kernel until the process does).
// Errors: conflict when somebody else holds it.
class FileLock {
 public:
  static Result<FileLock> take(const fs::path& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace slipway
