// CacheService: what @actions/cache saves and restores, in the entries that the built-in actions/cache has too.
#include "base/text.h"
#include "ci/service/state.h"
#include "ci/service/wire.h"

namespace slipway::ci {

Result<CacheStore*> caches_of(const ServiceCall& call) {
  if (!call.service.options.cache || call.job.job.scopes.empty())
    return fail(Kind::unavailable, "this runner keeps no caches: no store is connected");
  return call.service.options.cache->caches();
}

Result<> check_cache_name(std::string_view key, std::string_view version) {
  TRY_OK(check_cache_key(key));
  return check_cache_version(version);
}

Result<std::optional<CacheHit>> find_cache(const ServiceCall& call, const std::vector<std::string>& keys,
                                           const std::string& version, std::string& url) {
  if (keys.empty() || keys.size() > 10) return fail(Kind::invalid, "cache: want 1 to 10 keys, got {}", keys.size());
  for (const auto& key : keys) TRY_OK(check_cache_name(key, version));
  TRY(auto* store, caches_of(call));
  auto& own = call.job.job;
  TRY(auto hit, store->find(call.ctx, own.repository, own.scopes, version, keys));
  if (!hit) return hit;
  TRY(url, call.address({.stored = StoredBlob{hit->digest, hit->bytes}, .from = &store->blobs(), .hold = hit->hold}));
  return hit;
}

Result<std::int64_t> keep_cache(const ServiceCall& call, const std::string& key, const std::string& version,
                                const StoredBlob& blob) {
  TRY(auto* store, caches_of(call));
  auto& own = call.job.job;
  return store->put(call.ctx, {own.repository, own.scopes[0], version, key}, blob.digest);
}

namespace {

Result<doc::Map> create(const ServiceCall& call, doc::View request) {
  auto key = field(request, "key").str_or(""), version = field(request, "version").str_or("");
  TRY_OK(check_cache_name(key, version));
  TRY(auto* store, caches_of(call));
  auto& own = call.job.job;
  TRY(auto known, store->get({own.repository, own.scopes[0], version, key}));
  if (known) return fail(Kind::conflict, "cache entry with the same key, version, and scope already exists");
  auto limit = std::min(call.service.options.max_blob, store->limits().bytes);
  auto upload = std::make_shared<Upload>(store->blobs(), limit);
  TRY(auto url, call.address({.upload = upload}));
  std::lock_guard lock(call.job.mutex);
  call.job.uploads[fmt::format("cache {} {}", version, key)] = std::move(upload);
  return doc::Map{{"ok", true}, {"signed_upload_url", url}};
}

Result<doc::Map> finalize(const ServiceCall& call, doc::View request) {
  auto key = field(request, "key").str_or(""), version = field(request, "version").str_or("");
  TRY_OK(check_cache_name(key, version));
  auto name = fmt::format("cache {} {}", version, key);
  std::shared_ptr<Upload> upload;
  {
    std::lock_guard lock(call.job.mutex);
    if (auto found = call.job.uploads.find(name); found != call.job.uploads.end()) upload = found->second;
  }
  auto done = upload ? upload->done() : std::nullopt;
  if (!done) return fail(Kind::not_found, "cache {}: nothing was uploaded for it", key);
  auto size = to_int(field(request, "size_bytes").text());
  if (size && static_cast<std::uint64_t>(*size) != done->bytes)
    return fail(Kind::invalid, "cache {}: {} bytes were uploaded, {} are said", key, done->bytes, *size);
  TRY(auto number, keep_cache(call, key, version, *done));
  std::lock_guard lock(call.job.mutex);
  call.job.uploads.erase(name);
  return doc::Map{{"ok", true}, {"entry_id", std::to_string(number)}};
}

Result<doc::Map> find(const ServiceCall& call, doc::View request) {
  std::vector<std::string> keys = {field(request, "key").str_or("")};
  for (auto key : field(request, "restore_keys").items()) keys.push_back(key.text());
  std::string url;
  TRY(auto hit, find_cache(call, keys, field(request, "version").str_or(""), url));
  if (!hit) return doc::Map{{"ok", false}};
  return doc::Map{{"ok", true}, {"signed_download_url", url}, {"matched_key", hit->name.key}};
}

}  // namespace

Result<doc::Map> cache_call(const ServiceCall& call, std::string_view method, doc::View request) {
  if (method == "CreateCacheEntry") return create(call, request);
  if (method == "FinalizeCacheEntryUpload") return finalize(call, request);
  if (method == "GetCacheEntryDownloadURL") return find(call, request);
  return fail(Kind::not_found, "CacheService has no method {}", method);
}

}  // namespace slipway::ci
