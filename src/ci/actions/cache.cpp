// actions/cache, actions/cache/restore, actions/cache/save.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/run/hash_files.h"
#include "ci/service/entries.h"

namespace slipway::ci {
namespace {

// The entries that @actions/cache has too, as far as a job of its own could read them.
Result<std::optional<CacheHit>> look_up(const Ctx& ctx, ActionUse& use, const std::vector<std::string>& paths,
                                        const std::string& key, const std::vector<std::string>& prefixes) {
  auto& event = use.job.plan().event;
  TRY(auto* store, use.job.options().cache->caches());
  std::vector<std::string> keys = {key};
  keys.insert(keys.end(), prefixes.begin(), prefixes.end());
  for (auto packing : {CachePacking::zstd, CachePacking::gzip}) {
    TRY(auto hit, store->find(ctx, event.repository, cache_scopes(event), cache_version(paths, packing), keys));
    if (hit) return hit;
  }
  return std::optional<CacheHit>();
}

Result<std::size_t> unpack(const Ctx& ctx, JobRun& job, const CacheHit& hit) {
  TRY(auto* store, job.options().cache->caches());
  return unpack_files(ctx, job, hit.digest, job.folder().workspace(), Reach::home, &store->blobs());
}

Result<> save(const Ctx& ctx, JobRun& job, StepContext& step, const std::vector<std::string>& paths,
              const std::string& key) {
  auto& event = job.plan().event;
  TRY(auto* store, job.options().cache->caches());
  CacheName name{event.repository, event.ref, cache_version(paths), key};
  TRY(auto known, store->get(name));
  if (known) {
    job.say(step, fmt::format("Cache {} is already there", key));
    return {};
  }
  TRY(auto matched, match_files(ctx, job, paths, true));
  if (matched.files.empty()) {
    job.say(step,
            "##[warning]Path Validation Error: Path(s) specified in the action for caching do(es) not exist, hence no "
            "cache is being saved.");
    return {};
  }
  TRY(auto packed, pack_files(ctx, job, matched.files, job.folder().workspace(), 1, &store->blobs()));
  auto put = store->put(ctx, name, packed.digest);
  // Another job was faster, or it is more than may be kept: no reason for this one to fail.
  if (!put && (put.error().is(Kind::conflict) || put.error().is(Kind::invalid))) {
    job.say(step, fmt::format("##[warning]Cache {} is not saved: {}", key, put.error().what()));
    return {};
  }
  TRY_OK(std::move(put));
  job.say(step, fmt::format("Cache saved with key: {} ({} files, {})", key, packed.files, human_bytes(packed.bytes)));
  return {};
}

Result<> check(ActionUse& use) {
  if (!use.job.options().blobs || !use.job.options().cache)
    return fail(Kind::unavailable, "this runner keeps no caches: no store is connected");
  auto keys = use.list("restore-keys");
  keys.insert(keys.begin(), use.input("key"));
  if (keys.size() > 10)
    return fail(Kind::invalid, "Key Validation Error: Keys are limited to a maximum of 10, {} are given", keys.size());
  for (auto& key : keys) {
    if (key.size() > 512)
      return fail(Kind::invalid, "Key Validation Error: {} cannot be larger than 512 characters.", key);
    if (key.contains(',')) return fail(Kind::invalid, "Key Validation Error: {} cannot contain commas.", key);
  }
  return {};
}

// The key that was found.
Result<std::optional<std::string>> restore(const Ctx& ctx, ActionUse& use) {
  auto paths = use.list("path");
  auto key = use.input("key");
  TRY(auto hit, look_up(ctx, use, paths, key, use.list("restore-keys")));
  use.output("cache-primary-key", key);
  use.output("cache-hit", hit && hit->name.key == key ? "true" : hit ? "false" : "");
  if (!hit) {
    auto keys = use.list("restore-keys");
    keys.insert(keys.begin(), key);
    use.say(fmt::format("Cache not found for input keys: {}", join(std::span<const std::string>(keys), ", ")));
    if (use.flag("fail-on-cache-miss", false))
      return Fail(Error(Kind::not_found, fmt::format("Failed to restore cache entry. Exiting as fail-on-cache-miss is "
                                                     "set. Input key: {}",
                                                     key))
                      .with_hint("caches are seen by their own branch, its base and the default branch"));
    return std::optional<std::string>();
  }
  use.output("cache-matched-key", hit->name.key);
  if (use.flag("lookup-only", false)) {
    use.say(fmt::format("Cache found and can be restored from key: {}", hit->name.key));
  } else {
    TRY(auto files, unpack(ctx, use.job, *hit));
    use.say(fmt::format("Cache restored from key: {} ({} files)", hit->name.key, files));
  }
  return std::optional(hit->name.key);
}

// Saved when the job is over, and only when it went well.
void save_later(ActionUse& use, std::vector<std::string> paths, std::string key, bool always) {
  auto& job = use.job;
  job.defer(
      "Post " + use.step.id,
      [&job, paths = std::move(paths), key = std::move(key), always](const Ctx& later, StepContext& step) -> Result<> {
        if (!job.succeeding() && !always) return {};
        return save(later, job, step, paths, key);
      });
}

}  // namespace

Result<> cache(const Ctx& ctx, ActionUse& use) {
  TRY_OK(check(use));
  TRY(auto found, restore(ctx, use));
  if (found != use.input("key")) save_later(use, use.list("path"), use.input("key"), use.flag("save-always", false));
  return {};
}
Result<> cache_restore(const Ctx& ctx, ActionUse& use) {
  TRY_OK(check(use));
  TRY(auto found, restore(ctx, use));
  (void)found;
  return {};
}
Result<> cache_save(const Ctx& ctx, ActionUse& use) {
  TRY_OK(check(use));
  return save(ctx, use.job, use.step, use.list("path"), use.input("key"));
}

Result<std::optional<std::string>> keep_files(const Ctx& ctx, ActionUse& use, const KeptFiles& kept) {
  std::optional<std::string> found;
  if (!use.job.options().blobs || !use.job.options().cache) {
    use.say("Nothing is kept between runs: no store is connected to this runner");
    return found;
  }
  TRY(auto hit, look_up(ctx, use, kept.paths, kept.key, kept.restore_keys));
  if (hit) {
    found = hit->name.key;
    if (!kept.lookup_only) {
      TRY(auto files, unpack(ctx, use.job, *hit));
      use.say(fmt::format("Cache restored from key: {} ({} files)", hit->name.key, files));
    }
  } else {
    use.say(fmt::format("Cache not found for key: {}", kept.key));
  }
  if (kept.save && found != kept.key) save_later(use, kept.paths, kept.key, kept.save_on_failure);
  return found;
}

Result<std::string> hash_of(const Ctx& ctx, ActionUse& use, const std::vector<std::string>& patterns) {
  std::string digest;
  auto& folder = use.job.folder();
  auto hashed = folder.in_root([&](const fs::path& root) -> Result<> {
    TRY(digest, hash_files(ctx, root / folder.workspace(), patterns));
    TRY(auto files, find_files(ctx, root / folder.workspace(), patterns));
    use.job.looked_for(files);
    return {};
  });
  TRY_OK(std::move(hashed));
  return digest;
}

}  // namespace slipway::ci
