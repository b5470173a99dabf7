#pragma once
// Entries of caches: of actions/cache, of the packages of JavaScript actions, of GitLab's cache:. The same for all.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "store/blob.h"

namespace slipway::ci {

struct CacheLimits {
  std::uint64_t bytes = std::uint64_t{10} << 30;  // of one repository: what was used least recently goes first
  Millis unused{std::chrono::hours(24 * 7)};      // what nobody asked for in that time goes
};
struct CacheName {
  std::string repository, scope, version, key;  // scope: the ref it was written for; version: of what kind it is
};
struct CacheEntry {
  std::int64_t number = 0;  // larger than of those before it
  CacheName name;
  Digest digest;
  std::uint64_t bytes = 0;
  WallTime created, used;
};
// While the value lives the bytes stay, also when the entry goes.
struct CacheHit : CacheEntry {
  std::shared_ptr<const void> hold;
};

// Names in a database, bytes in a blob store of its own: what a cache holds is never what an image or an artifact is
// made of. A kill leaves an entry whole or not at all. Threads: any; processes: any (one writes bytes).
class CacheStore {
 public:
  // Errors: denied, unavailable, corrupt.
  static Result<std::unique_ptr<CacheStore>> open(const fs::path& root, CacheLimits limits = {});
  virtual ~CacheStore();
  const CacheLimits& limits() const;
  virtual store::BlobStore& blobs();

  // Rule: in each scope the first key itself, then for each key the newest entry that begins with it. It counts as use.
  virtual Result<std::optional<CacheHit>> find(const Ctx& ctx, const std::string& repository,
                                               const std::vector<std::string>& scopes, const std::string& version,
                                               const std::vector<std::string>& keys);
  // Of exactly this name; no use.
  virtual Result<std::optional<CacheEntry>> get(const CacheName& name);
  // Bytes that are in blobs() become an entry; gives its number. What the limits say goes then. Errors: conflict (it is
  // there and may not be replaced), invalid (larger than all of a repository may be), unavailable.
  virtual Result<std::int64_t> put(const Ctx& ctx, const CacheName& name, const Digest& digest, bool replace = false);
  // Newest first; of one repository or all.
  Result<std::vector<CacheEntry>> list(const std::string& repository = {});
  // Errors: not_found.
  Result<> remove(const Ctx& ctx, std::int64_t number);
  struct Evicted {
    std::size_t entries = 0;
    std::uint64_t bytes = 0;
  };
  Result<Evicted> evict(const Ctx& ctx);  // what the limits say, of all repositories

 protected:
  CacheStore() = default;  // of one that is elsewhere: find, get, put and blobs alone

 private:
  struct Rep;
  explicit CacheStore(std::shared_ptr<Rep> rep);
  std::shared_ptr<Rep> rep_;
};

}  // namespace slipway::ci
