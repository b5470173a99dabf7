#pragma once
// What entries of actions/cache are called: the same for the built-in action and for the service.
#include <string>
#include <vector>

#include "ci/plan.h"

namespace slipway::ci {

// Entries of a branch are seen by that branch and by those that come after it: own branch, base, default.
std::vector<std::string> cache_scopes(const Event& event);

// Which kind of entry: a digest of the paths as they were written, and how it is packed.
// Rule: @actions/cache, getCacheVersion.
enum class CachePacking { zstd, gzip };
std::string cache_version(const std::vector<std::string>& paths, CachePacking packing = CachePacking::zstd);

}  // namespace slipway::ci
