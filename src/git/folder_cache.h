#pragma once
// Folders of a repository by their tree's id, parsed once for all that look into them: ten thousand Applications read
// below one folder of ten thousand entries.
#include <memory>
#include <unordered_map>

#include "base/guarded.h"
#include "git/repository.h"

namespace slipway::git {

// Threads: any.
class FolderCache {
 public:
  class Folder {
   public:
    explicit Folder(std::vector<TreeEntry> entries) : entries_(std::move(entries)) {}
    const std::vector<TreeEntry>& entries() const { return entries_; }  // by name
    const TreeEntry* find(std::string_view name) const;                 // null: no such entry

   private:
    std::vector<TreeEntry> entries_;
  };
  using FolderPtr = std::shared_ptr<const Folder>;

  // Errors: corrupt (the repository has lost it).
  Result<FolderPtr> get(const Repository& repository, const Oid& tree);

 private:
  static constexpr std::size_t most_entries = 65536;  // of all folders held: about 8 MB
  struct Held {
    std::unordered_map<Oid, FolderPtr> folders;
    std::size_t entries = 0;
  };
  Guarded<Held> held_;
};

}  // namespace slipway::git
