#pragma once
// Entries of actions/cache in the map of a house: the same for the built-in action and for the service.
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "ci/jobcache.h"
#include "ci/plan.h"
#include "store/blob.h"

namespace slipway::ci {

// Entries of a branch are seen by that branch and by those that come after it: own branch, base, default.
std::vector<std::string> cache_scopes(const Event& event);

// Where an entry is. What stands between the colons cannot hold one (names of repositories and refs, hex digits), so
// that no branch can be named to look like another's.
std::string cache_entry(std::string_view repository, std::string_view scope, std::string_view version,
                        std::string_view key);

// Which kind of entry: a digest of the paths as they were written, and how it is packed.
// Rule: @actions/cache, getCacheVersion.
enum class CachePacking { zstd, gzip };
std::string cache_version(const std::vector<std::string>& paths, CachePacking packing = CachePacking::zstd);

struct CacheHit {
  std::string key;
  Digest digest;
};
// Rule: in each scope the key itself, then the newest that begins with the key, then with each restore key.
Result<std::optional<CacheHit>> find_cache(JobCache& cache, const store::BlobStore& blobs, std::string_view repository,
                                           const std::vector<std::string>& scopes, std::string_view version,
                                           const std::vector<std::string>& keys);

}  // namespace slipway::ci
