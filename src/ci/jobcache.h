#pragma once
// What was done is not done again: results of whole jobs, and the entries of caches.
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"
#include "ci/cachestore.h"

namespace slipway::ci {

// A small durable map of texts, with the store of caches beside it. Keys start with what they are for: "job/".
// Threads: any.
class JobCache {
 public:
  virtual ~JobCache() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  virtual Result<> put(std::string_view key, std::string_view value) = 0;
  struct Entry {
    std::string key, value;
  };
  // The entry put last among those whose key starts so.
  virtual Result<std::optional<Entry>> newest(std::string_view prefix) = 0;
  virtual Result<> remove(std::string_view key) = 0;
  // Opened when it is first asked for; lives as long as this.
  virtual Result<CacheStore*> caches() = 0;
};
// One file an entry, below `root`; safe against a kill at any time. Caches are in root/caches. Errors: denied,
// unavailable.
Result<std::unique_ptr<JobCache>> open_file_job_cache(fs::path root, CacheLimits limits = {});

}  // namespace slipway::ci
