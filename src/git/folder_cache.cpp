#include "git/folder_cache.h"

#include <algorithm>

namespace slipway::git {

const TreeEntry* FolderCache::Folder::find(std::string_view name) const {
  auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                             [](const TreeEntry& entry, std::string_view wanted) { return entry.path < wanted; });
  return at != entries_.end() && at->path == name ? &*at : nullptr;
}

Result<FolderCache::FolderPtr> FolderCache::get(const Repository& repository, const Oid& tree) {
  {
    auto held = held_.lock();
    if (auto known = held->folders.find(tree); known != held->folders.end()) return known->second;
  }
  TRY(auto entries, repository.folder(tree));
  auto folder = std::make_shared<const Folder>(std::move(entries));
  auto held = held_.lock();
  if (held->entries > most_entries) *held = {};
  if (held->folders.emplace(tree, folder).second) held->entries += 1 + folder->entries().size();
  return folder;
}

}  // namespace slipway::git
