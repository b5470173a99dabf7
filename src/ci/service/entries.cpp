#include "ci/service/entries.h"

#include "base/text.h"

namespace slipway::ci {

std::vector<std::string> cache_scopes(const Event& event) {
  std::vector<std::string> out = {event.ref};
  for (auto& branch : {event.base_ref, event.default_branch}) {
    auto scope = branch.starts_with("refs/") ? branch : "refs/heads/" + branch;
    if (!branch.empty() && std::find(out.begin(), out.end(), scope) == out.end()) out.push_back(std::move(scope));
  }
  return out;
}

std::string cache_entry(std::string_view repository, std::string_view scope, std::string_view version,
                        std::string_view key) {
  return fmt::format("cache/{}:{}:{}:{}", repository, scope, version, key);
}

std::string cache_version(const std::vector<std::string>& paths, CachePacking packing) {
  auto parts = paths;
  parts.emplace_back(packing == CachePacking::zstd ? "zstd-without-long" : "gzip");
  parts.emplace_back("1.0");
  return sha256_hex(join(std::span<const std::string>(parts), "|"));
}

Result<std::optional<CacheHit>> find_cache(JobCache& cache, const store::BlobStore& blobs, std::string_view repository,
                                           const std::vector<std::string>& scopes, std::string_view version,
                                           const std::vector<std::string>& keys) {
  auto usable = [&](std::string name, const std::string& value) -> std::optional<CacheHit> {
    auto digest = Digest::parse(value);
    if (!digest || !blobs.contains(*digest)) return {};
    return CacheHit{std::move(name), *digest};
  };
  if (keys.empty()) return std::optional<CacheHit>();
  for (auto& scope : scopes) {
    TRY(auto exact, cache.get(cache_entry(repository, scope, version, keys[0])));
    if (exact)
      if (auto hit = usable(keys[0], *exact)) return hit;
    for (auto& prefix : keys) {
      TRY(auto newest, cache.newest(cache_entry(repository, scope, version, prefix)));
      if (!newest) continue;
      auto name = newest->key.substr(cache_entry(repository, scope, version, "").size());
      if (auto hit = usable(std::move(name), newest->value)) return hit;
    }
  }
  return std::optional<CacheHit>();
}

}  // namespace slipway::ci
