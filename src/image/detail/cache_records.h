#pragma once
// A build's cache as it travels: which step gave which layer, in an annotation of an image that holds the layers.
#include <functional>
#include <map>

#include "base/guarded.h"
#include "image/detail/step_cache.h"
#include "oci/registry.h"
#include "oci/remote.h"
#include "path/services.h"

namespace slipway::image::detail {

// Steps by key, and what is known of files copied from stages and images.
struct CacheRecords {
  std::map<std::string, CachedStep> steps;
  std::map<std::string, std::string> contents;
};

inline constexpr std::string_view cache_annotation = "dev.slipway.build-cache.v1";

std::string print(const CacheRecords& records);  // JSON
// Errors: invalid.
Result<CacheRecords> parse_cache_records(std::string_view json);

// Layers that a cache elsewhere named: fetched one by one, when a step hits them and their bytes are needed. Threads:
// any.
class FarLayers {
 public:
  FarLayers(oci::Remote* remote, store::BlobStore& blobs) : remote_(remote), blobs_(blobs) {}
  void add(const Digest& digest, const oci::Reference& where) { (*known_.lock())[digest.str()] = where; }
  bool has(const Digest& digest) const { return known_.lock()->contains(digest.str()); }
  // Into the store. Errors: not_found for others than those that it has; what could not be fetched is no longer had.
  Result<> bring(const Ctx& ctx, const oci::Descriptor& layer, const std::function<void(std::string)>& say);

 private:
  oci::Remote* remote_;
  store::BlobStore& blobs_;
  Guarded<std::map<std::string, oci::Reference>> known_;
};

// What is needed to reach caches elsewhere.
struct CachePlaces {
  oci::Registry& registry;
  oci::Remote* remote;                   // null: only our own registry
  const std::vector<std::string>& ours;  // hosts that mean our registry
  oci::Platform platform;
  FarLayers& far;
};
// Takes over what a cache holds: records the builder does not have yet. Layers of a folder come along, those of a
// registry stay there until they are needed. Errors: not_found when there is no such cache, denied, unavailable,
// invalid.
Result<std::size_t> import_cache(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& from,
                                 StepCache& steps);
// Errors: those of pushing, or of writing the folder.
Result<> export_cache(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& to,
                      const CacheRecords& records);

}  // namespace slipway::image::detail
