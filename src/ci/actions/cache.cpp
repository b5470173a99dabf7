// actions/cache, actions/cache/restore, actions/cache/save.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/service/entries.h"

namespace slipway::ci {
namespace {

// The entries that @actions/cache has too, as far as a job of its own could read them.
Result<std::optional<CacheHit>> look_up(ActionUse& use, const std::vector<std::string>& paths, const std::string& key,
                                        const std::vector<std::string>& prefixes) {
  auto& options = use.job.options();
  auto& event = use.job.plan().event;
  std::vector<std::string> keys = {key};
  keys.insert(keys.end(), prefixes.begin(), prefixes.end());
  for (auto packing : {CachePacking::zstd, CachePacking::gzip}) {
    TRY(auto hit, find_cache(*options.cache, *options.blobs, event.repository, cache_scopes(event),
                             cache_version(paths, packing), keys));
    if (hit) return hit;
  }
  return std::optional<CacheHit>();
}

Result<> save(const Ctx& ctx, JobRun& job, StepContext& step, const std::vector<std::string>& paths,
              const std::string& key) {
  auto& options = job.options();
  auto& event = job.plan().event;
  auto entry = cache_entry(event.repository, event.ref, cache_version(paths), key);
  TRY(auto known, options.cache->get(entry));
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
  TRY(auto packed, pack_files(ctx, job, matched.files, job.folder().workspace()));
  TRY_OK(options.cache->put(entry, packed.digest.str()));
  job.say(step, fmt::format("Cache saved with key: {} ({} files, {})", key, packed.files, human_bytes(packed.bytes)));
  return {};
}

Result<> check(ActionUse& use) {
  if (!use.job.options().blobs || !use.job.options().cache)
    return fail(Kind::unavailable, "this runner keeps no caches: no store is connected");
  if (use.input("key").empty()) return fail(Kind::invalid, "Input required and not supplied: key");
  if (use.list("path").empty()) return fail(Kind::invalid, "Input required and not supplied: path");
  if (use.input("key").size() > 512 || use.input("key").contains(','))
    return fail(Kind::invalid, "cache key: want at most 512 characters and no commas");
  return {};
}

Result<bool> restore(const Ctx& ctx, ActionUse& use) {
  auto paths = use.list("path");
  auto key = use.input("key");
  TRY(auto hit, look_up(use, paths, key, use.list("restore-keys")));
  use.output("cache-primary-key", key);
  use.output("cache-hit", hit && hit->key == key ? "true" : hit ? "false" : "");
  if (!hit) {
    use.say(fmt::format("Cache not found for input keys: {}", key));
    if (use.flag("fail-on-cache-miss", false))
      return fail(Kind::not_found, "Failed to restore cache entry. Input key: {}", key);
    return false;
  }
  use.output("cache-matched-key", hit->key);
  if (!use.flag("lookup-only", false)) {
    TRY(auto files, unpack_files(ctx, use.job, hit->digest, use.job.folder().workspace(), Reach::home));
    use.say(fmt::format("Cache restored from key: {} ({} files)", hit->key, files));
  }
  return hit->key == key;
}

}  // namespace

Result<> cache(const Ctx& ctx, ActionUse& use) {
  TRY_OK(check(use));
  TRY(auto exact, restore(ctx, use));
  if (exact || use.flag("lookup-only", false)) return {};
  auto& job = use.job;
  // Saved when the job is over, and only when it went well.
  job.defer("Post " + use.step.id,
            [&job, paths = use.list("path"), key = use.input("key"), always = use.flag("save-always", false)](
                const Ctx& later, StepContext& step) -> Result<> {
              if (!job.succeeding() && !always) return {};
              return save(later, job, step, paths, key);
            });
  return {};
}
Result<> cache_restore(const Ctx& ctx, ActionUse& use) {
  TRY_OK(check(use));
  TRY(auto exact, restore(ctx, use));
  (void)exact;
  return {};
}
Result<> cache_save(const Ctx& ctx, ActionUse& use) {
  TRY_OK(check(use));
  return save(ctx, use.job, use.step, use.list("path"), use.input("key"));
}

}  // namespace slipway::ci
