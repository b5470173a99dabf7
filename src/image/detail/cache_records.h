#pragma once
// A build's cache as it travels: which step gave which layer, in an annotation of an image that holds the layers.
#include <map>

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

// What is needed to reach caches elsewhere.
struct CachePlaces {
  oci::Registry& registry;
  oci::Remote* remote;                   // null: only our own registry
  const std::vector<std::string>& ours;  // hosts that mean our registry
  oci::Platform platform;
};
// Takes over what a cache holds: records the builder does not have yet, and their layers. Errors: not_found when
// there is no such cache, denied, unavailable, invalid.
Result<std::size_t> import_cache(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& from,
                                 StepCache& steps);
// Errors: those of pushing, or of writing the folder.
Result<> export_cache(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& to,
                      const CacheRecords& records);

}  // namespace slipway::image::detail
