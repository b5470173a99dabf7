#pragma once
// Where manifests are read from: a folder on disk, or a commit of a bare repository without a checkout.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "git/folder_cache.h"
#include "git/submodules.h"

namespace slipway::manifest {

// Paths are relative to the source's root, with "/", without "." and ".." ("" is the root). Links are followed
// only inside the root. Threads: one.
class FileSource {
 public:
  struct Entry {
    std::string name;
    bool folder = false;
    bool link = false;  // to what `folder` says
  };
  virtual ~FileSource() = default;
  virtual Result<std::optional<std::string>> read(const std::string& path) = 0;  // nothing: no such file
  virtual Result<std::vector<Entry>> list(const std::string& folder) = 0;        // sorted by name
  virtual Result<bool> is_dir(const std::string& path) = 0;
  // How errors name the path.
  virtual std::string display(const std::string& path) const { return path.empty() ? "." : path; }
};

// The folder that a folder's files may refer to: the repository around it (what holds `.git`), else all.
fs::path root_around(const fs::path& absolute);

class DiskSource final : public FileSource {
 public:
  explicit DiskSource(fs::path root) : root_(std::move(root)) {}
  Result<std::optional<std::string>> read(const std::string& path) override;
  Result<std::vector<Entry>> list(const std::string& folder) override;
  Result<bool> is_dir(const std::string& path) override;
  std::string display(const std::string& path) const override;

 private:
  fs::path root_;
};

// Who brings the repositories behind a commit's gitlinks. Threads: one.
class Submodules {
 public:
  struct Found {
    git::Repository repository;         // has the commit
    std::unique_ptr<Submodules> below;  // for what that commit links in turn
  };
  virtual ~Submodules() = default;
  // Asked when something below the gitlink is read. Errors: invalid (its url), not_found, denied, unavailable.
  virtual Result<Found> open(const git::Submodule& module, const git::Oid& commit) = 0;
};

class GitSource final : public FileSource {
 public:
  // The repository must outlive the source; folders are kept in `cache`, which many sources may share. What is behind
  // gitlinks comes by `submodules`; without it they are empty folders, as `git clone` leaves them.
  GitSource(const git::Repository& repository, git::Oid commit, std::shared_ptr<git::FolderCache> cache = nullptr,
            std::unique_ptr<Submodules> submodules = nullptr);
  Result<std::optional<std::string>> read(const std::string& path) override;
  Result<std::vector<Entry>> list(const std::string& folder) override;
  Result<bool> is_dir(const std::string& path) override;
  // The id of what stands there, "" for nothing; no value when a link is in the way, whose target it would not tell.
  // What is in a submodule stands as long as the gitlink does: it has the gitlink's id. Fetches nothing.
  Result<std::optional<git::Oid>> id_at(const std::string& path);
  // The submodule that stands there or above, "" for none.
  Result<std::string> submodule_above(const std::string& path);
  // Whether something in a submodule was read.
  bool read_submodules() const { return mounts_.size() > 1; }

 private:
  // A repository at a commit, and where its root is seen.
  struct Mount {
    git::Repository repository;
    git::Oid commit;
    std::string at;
    int depth = 0;
    std::unique_ptr<Submodules> submodules;
    std::optional<std::vector<git::Submodule>> gitmodules;  // once read
  };
  struct Folder {
    git::FolderCache::FolderPtr entries;  // null: no such folder
    Mount* in = nullptr;
  };
  struct Found {
    git::TreeEntry entry;
    Mount* in;
  };
  Result<Folder> folder(const std::string& path);
  Result<Folder> root_of(Mount& mount);
  Result<Folder> beyond(const std::string& path, const Found& gitlink);
  Result<git::Submodule> module_at(Mount& mount, const std::string& path);
  // Follows links in every step; nothing when absent.
  Result<std::optional<std::string>> real_path(const std::string& path, int links = 0);
  Result<std::optional<Found>> entry(const std::string& path);
  std::vector<std::unique_ptr<Mount>> mounts_;  // the source's own first
  std::shared_ptr<git::FolderCache> cache_;
  std::map<std::string, Folder> folders_;
};

// Remembers what was asked for, found or not: a render whose read paths did not change need not run again.
class RecordingSource final : public FileSource {
 public:
  explicit RecordingSource(FileSource& source) : source_(&source) {}
  Result<std::optional<std::string>> read(const std::string& path) override;
  Result<std::vector<Entry>> list(const std::string& folder) override;
  Result<bool> is_dir(const std::string& path) override;
  std::string display(const std::string& path) const override { return source_->display(path); }
  const std::set<std::string>& paths() const { return paths_; }

 private:
  FileSource* source_;
  std::set<std::string> paths_;
};

// `relative` seen from `folder`, without "." and ".."; nothing when it leaves the root or is absolute.
std::optional<std::string> join_path(std::string_view folder, std::string_view relative);

}  // namespace slipway::manifest
