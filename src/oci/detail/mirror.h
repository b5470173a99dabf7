#pragma once
// Images of other registries through this one: fetched when somebody asks, kept, served when the other is away.
#include <condition_variable>
#include <map>
#include <memory>

#include "base/guarded.h"
#include "net/server.h"
#include "oci/registry.h"

namespace slipway::oci::detail {

// Threads: any.
class Mirror {
 public:
  explicit Mirror(Registry::Rep& rep);
  ~Mirror();

  struct Found {
    std::optional<StoredManifest> manifest;  // nothing: it is not there either
    std::string warning;                     // why it may not be the newest
  };
  // By digest: once, for ever. By tag: compared with the other registry's when the last look is too long ago.
  // Errors: unavailable, timeout, denied (nothing is here and the other registry does not give it).
  Result<Found> manifest(const Ctx& ctx, const Upstream& up, const std::string& repository,
                         const std::string& reference);
  // Any blob that a manifest here names; streamed while it is stored. Nothing: no manifest names it.
  Result<std::optional<net::Response>> blob(const Ctx& ctx, const Upstream& up, const std::string& repository,
                                            const Digest& digest, bool whole_first);
  // Those of the other registry; when it is away, those that are here.
  Result<std::vector<std::string>> tags(const Ctx& ctx, const Upstream& up, const std::string& repository);
  // What refers to the manifest there, by either way that registries have, and what is known here; when it is away,
  // the latter alone. Descriptors as JSON.
  Result<std::vector<std::string>> referrers(const Ctx& ctx, const Upstream& up, const std::string& repository,
                                             const Digest& subject, std::string_view artifact_type);

 private:
  struct Line;    // to one registry
  struct Flight;  // one blob on its way
  std::shared_ptr<Line> line(const Upstream& up);
  Result<Found> fetch(const Ctx& ctx, const Upstream& up, const std::string& repository, const std::string& reference);
  bool is_here(const Digest& digest) const;
  // The bytes get their names. Errors: corrupt (they have another digest).
  Result<> keep(const std::string& repository, const Digest& digest, std::uint64_t size,
                store::BlobStore::Writer& writer);
  Result<std::optional<std::uint64_t>> size_of(const std::string& repository, const Digest& digest) const;
  // Brings the blob into the store, its bytes to `client` as they come: all but the last piece before they are known
  // to be right.
  Result<> relay(const Ctx& ctx, const Upstream& up, const std::string& repository, const Digest& digest,
                 std::uint64_t size, net::BodyWriter* client);
  Result<> download(const Ctx& ctx, const Upstream& up, const std::string& repository, const Digest& digest,
                    std::uint64_t size, net::BodyWriter* client);

  Registry::Rep& rep_;
  Guarded<std::map<std::string, std::shared_ptr<Line>>> lines_;
  Guarded<std::map<std::string, std::shared_ptr<Flight>>> flights_;
};

}  // namespace slipway::oci::detail
