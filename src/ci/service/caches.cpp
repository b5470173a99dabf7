// CacheService: what @actions/cache saves and restores, in the entries that the built-in actions/cache has too.
#include "base/text.h"
#include "ci/service/entries.h"
#include "ci/service/state.h"
#include "ci/service/wire.h"

namespace slipway::ci {
namespace {

struct Wanted {
  std::string key, version;
  std::string name() const { return version + " " + key; }
};

Result<Wanted> wanted(doc::View request) {
  Wanted out{field(request, "key").str_or(""), field(request, "version").str_or("")};
  TRY_OK(check_cache_key(out.key));
  TRY_OK(check_cache_version(out.version));
  return out;
}

Result<doc::Map> create(const ServiceCall& call, doc::View request) {
  auto& service = call.service;
  auto& job = call.job;
  TRY(auto what, wanted(request));
  auto& own = job.job;
  TRY(auto known, service.options.cache->get(cache_entry(own.repository, own.scopes[0], what.version, what.key)));
  auto digest = known ? Digest::parse(*known) : Result<Digest>(Digest());
  if (known && digest && service.options.blobs->contains(*digest))
    return fail(Kind::conflict, "cache entry with the same key, version, and scope already exists");
  auto upload = std::make_shared<Upload>(*service.options.blobs, service.options.max_blob);
  TRY(auto url, call.address({.upload = upload}));
  std::lock_guard lock(job.mutex);
  job.uploads["cache " + what.name()] = std::move(upload);
  return doc::Map{{"ok", true}, {"signed_upload_url", url}};
}

Result<doc::Map> finalize(const ServiceCall& call, doc::View request) {
  auto& service = call.service;
  auto& job = call.job;
  TRY(auto what, wanted(request));
  std::shared_ptr<Upload> upload;
  {
    std::lock_guard lock(job.mutex);
    if (auto found = job.uploads.find("cache " + what.name()); found != job.uploads.end()) upload = found->second;
  }
  auto done = upload ? upload->done() : std::nullopt;
  if (!done) return fail(Kind::not_found, "cache {}: nothing was uploaded for it", what.key);
  auto size = to_int(field(request, "size_bytes").text());
  if (size && static_cast<std::uint64_t>(*size) != done->bytes)
    return fail(Kind::invalid, "cache {}: {} bytes were uploaded, {} are said", what.key, done->bytes, *size);
  auto& own = job.job;
  TRY_OK(service.options.cache->put(cache_entry(own.repository, own.scopes[0], what.version, what.key),
                                    done->digest.str()));
  std::lock_guard lock(job.mutex);
  job.uploads.erase("cache " + what.name());
  auto number = std::stoull(std::string(done->digest.hex().substr(0, 12)), nullptr, 16);
  return doc::Map{{"ok", true}, {"entry_id", std::to_string(number)}};
}

Result<doc::Map> find(const ServiceCall& call, doc::View request) {
  auto& service = call.service;
  auto& job = call.job;
  TRY(auto what, wanted(request));
  std::vector<std::string> keys = {what.key};
  for (auto key : field(request, "restore_keys").items()) {
    keys.push_back(key.text());
    TRY_OK(check_cache_key(keys.back()));
  }
  if (keys.size() > 10) return fail(Kind::invalid, "cache: at most 10 keys, got {}", keys.size());
  auto& own = job.job;
  TRY(auto hit,
      find_cache(*service.options.cache, *service.options.blobs, own.repository, own.scopes, what.version, keys));
  if (!hit) return doc::Map{{"ok", false}};
  TRY(auto size, service.options.blobs->size(hit->digest));
  TRY(auto url, call.address({.stored = StoredBlob{hit->digest, size.value_or(0)}}));
  return doc::Map{{"ok", true}, {"signed_download_url", url}, {"matched_key", hit->key}};
}

}  // namespace

Result<doc::Map> cache_call(const ServiceCall& call, std::string_view method, doc::View request) {
  if (!call.service.options.cache || call.job.job.scopes.empty())
    return fail(Kind::unavailable, "this runner keeps no caches: no store is connected");
  if (method == "CreateCacheEntry") return create(call, request);
  if (method == "FinalizeCacheEntryUpload") return finalize(call, request);
  if (method == "GetCacheEntryDownloadURL") return find(call, request);
  return fail(Kind::not_found, "CacheService has no method {}", method);
}

}  // namespace slipway::ci
