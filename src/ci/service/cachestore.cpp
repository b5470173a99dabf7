#include "ci/cachestore.h"

#include <map>
#include <mutex>

#include "base/log.h"
#include "base/text.h"
#include "store/database.h"

namespace slipway::ci {
namespace {

const std::vector<std::string> migrations = {
    "CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT, repository TEXT NOT NULL, scope TEXT NOT NULL, "
    "version TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, bytes INTEGER NOT NULL, created INTEGER NOT NULL, "
    "used INTEGER NOT NULL, UNIQUE (repository, scope, version, key));"
    "CREATE INDEX entry_use ON entry (repository, used);"
    "CREATE INDEX entry_digest ON entry (digest);"};
constexpr std::string_view columns = "number, repository, scope, version, key, digest, bytes, created, used";
constexpr Millis young{3600 * 1000};  // bytes without an entry: somebody may be about to make one

std::int64_t millis(WallTime t) { return std::chrono::duration_cast<Millis>(t.time_since_epoch()).count(); }

CacheEntry row_of(const store::Statement& row) {
  CacheEntry out;
  out.number = row.number(0);
  out.name = {row.text(1), row.text(2), row.text(3), row.text(4)};
  if (auto digest = Digest::parse(row.text(5))) out.digest = *std::move(digest);
  out.bytes = static_cast<std::uint64_t>(row.number(6));
  out.created = WallTime(Millis(row.number(7))), out.used = WallTime(Millis(row.number(8)));
  return out;
}

}  // namespace

struct CacheStore::Rep {
  CacheLimits limits;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<store::BlobStore> blobs;
  // Orders "are its bytes there? then keep them" against "does nobody need them? then remove them".
  std::mutex mutex;
  std::map<Digest, int> held;
  bool swept = false;

  std::shared_ptr<const void> hold(const std::shared_ptr<Rep>& self, const Digest& digest);
  void drop(const Digest& digest);
  Result<std::optional<CacheEntry>> one(std::string_view where, const std::vector<std::string>& values);
  Result<std::optional<CacheHit>> usable(const Ctx& ctx, const std::shared_ptr<Rep>& self,
                                         std::optional<CacheEntry> entry);
  Result<> forget(const std::vector<CacheEntry>& entries);
  Result<std::vector<CacheEntry>> overdue(std::int64_t now, const std::string& repository);
  Result<> sweep(const Ctx& ctx);
};

// Under the mutex: its bytes go when no entry has them and nobody reads them.
void CacheStore::Rep::drop(const Digest& digest) {
  if (held.contains(digest)) return;
  bool needed = true;
  auto read = database->read([&](store::Database& d) -> Result<> {
    TRY(auto rows, d.prepare("SELECT 1 FROM entry WHERE digest = ?"));
    TRY(needed, rows.bind(1, digest.str()).step());
    return {};
  });
  if (read && !needed) (void)blobs->remove(digest);
}

std::shared_ptr<const void> CacheStore::Rep::hold(const std::shared_ptr<Rep>& self, const Digest& digest) {
  ++held[digest];
  return {static_cast<const void*>(this), [self, digest](const void*) {
            std::lock_guard lock(self->mutex);
            if (auto at = self->held.find(digest); at != self->held.end() && --at->second == 0) self->held.erase(at);
            self->drop(digest);
          }};
}

Result<std::optional<CacheEntry>> CacheStore::Rep::one(std::string_view where, const std::vector<std::string>& values) {
  std::optional<CacheEntry> out;
  TRY_OK(database->read([&](store::Database& d) -> Result<> {
    TRY(auto rows, d.prepare(fmt::format("SELECT {} FROM entry WHERE {} LIMIT 1", columns, where)));
    for (std::size_t i = 0; i < values.size(); ++i) rows.bind(static_cast<int>(i) + 1, values[i]);
    TRY(bool there, rows.step());
    if (there) out = row_of(rows);
    return {};
  }));
  return out;
}

// An entry without its bytes (a disk that lost them) is none, and goes; so is one whose time is over.
Result<std::optional<CacheHit>> CacheStore::Rep::usable(const Ctx& ctx, const std::shared_ptr<Rep>& self,
                                                        std::optional<CacheEntry> entry) {
  std::optional<CacheHit> out;
  if (!entry) return out;
  auto now = ctx.clock->wall();
  std::lock_guard lock(mutex);
  if (!blobs->contains(entry->digest)) {
    TRY_OK(forget({*entry}));
    return out;
  }
  if (entry->used + limits.unused < now) return out;
  entry->used = now;
  TRY_OK(database->transact([&](store::Database& d) -> Result<> {
    TRY(auto row, d.prepare("UPDATE entry SET used = ? WHERE number = ?"));
    return row.bind(1, millis(now)).bind(2, entry->number).run();
  }));
  out.emplace();
  static_cast<CacheEntry&>(*out) = *std::move(entry);
  out->hold = hold(self, out->digest);
  return out;
}

// Under the mutex. Names first: a kill in between leaves bytes that sweep() finds, never a name without bytes.
Result<> CacheStore::Rep::forget(const std::vector<CacheEntry>& entries) {
  if (entries.empty()) return {};
  TRY_OK(database->transact([&](store::Database& d) -> Result<> {
    for (const auto& entry : entries) {
      TRY(auto row, d.prepare("DELETE FROM entry WHERE number = ?"));
      TRY_OK(row.bind(1, entry.number).run());
    }
    return {};
  }));
  for (const auto& entry : entries) drop(entry.digest);
  return {};
}

Result<std::vector<CacheEntry>> CacheStore::Rep::overdue(std::int64_t now, const std::string& repository) {
  std::vector<CacheEntry> out;
  TRY_OK(database->read([&](store::Database& d) -> Result<> {
    TRY(auto rows,
        d.prepare(fmt::format("SELECT {} FROM entry WHERE repository = ? ORDER BY used DESC, number DESC", columns)));
    rows.bind(1, repository);
    std::uint64_t total = 0;
    for (;;) {
      TRY(bool there, rows.step());
      if (!there) return {};
      auto entry = row_of(rows);
      total += entry.bytes;
      if (total > limits.bytes || millis(entry.used) + limits.unused.count() < now) out.push_back(std::move(entry));
    }
  }));
  return out;
}

// What a kill left: bytes without a name.
Result<> CacheStore::Rep::sweep(const Ctx& ctx) {
  std::map<Digest, bool> named;
  TRY_OK(database->read([&](store::Database& d) -> Result<> {
    TRY(auto rows, d.prepare("SELECT DISTINCT digest FROM entry"));
    for (;;) {
      TRY(bool there, rows.step());
      if (!there) return {};
      if (auto digest = Digest::parse(rows.text(0))) named[*digest] = true;
    }
  }));
  auto keep = [&](const Digest& digest) { return named.contains(digest) || held.contains(digest); };
  TRY(auto gone, blobs->sweep(ctx, keep, young));
  if (gone.removed > 0) LOG(info, "cache.swept", {"blobs", gone.removed}, {"bytes", gone.bytes});
  return {};
}

CacheStore::CacheStore(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
CacheStore::~CacheStore() = default;
const CacheLimits& CacheStore::limits() const { return rep_->limits; }
store::BlobStore& CacheStore::blobs() { return *rep_->blobs; }

Result<std::unique_ptr<CacheStore>> CacheStore::open(const fs::path& root, CacheLimits limits) {
  TRY_OK(make_dirs(root));
  auto rep = std::make_shared<Rep>();
  rep->limits = limits;
  TRY(rep->blobs, store::BlobStore::open(root / "blobs"));
  TRY(rep->database, store::Database::open(root / "entries.db", migrations));
  return std::unique_ptr<CacheStore>(new CacheStore(std::move(rep)));
}

Result<std::optional<CacheEntry>> CacheStore::get(const CacheName& name) {
  TRY(auto found, rep_->one("repository = ? AND scope = ? AND version = ? AND key = ?",
                            {name.repository, name.scope, name.version, name.key}));
  if (found && !rep_->blobs->contains(found->digest)) found.reset();
  return found;
}

Result<std::optional<CacheHit>> CacheStore::find(const Ctx& ctx, const std::string& repository,
                                                 const std::vector<std::string>& scopes, const std::string& version,
                                                 const std::vector<std::string>& keys) {
  if (keys.empty()) return std::optional<CacheHit>();
  for (const auto& scope : scopes) {
    TRY(auto exact,
        rep_->one("repository = ? AND scope = ? AND version = ? AND key = ?", {repository, scope, version, keys[0]}));
    TRY(auto hit, rep_->usable(ctx, rep_, std::move(exact)));
    if (hit) return hit;
    for (const auto& prefix : keys) {
      TRY(auto newest, rep_->one("repository = ?1 AND scope = ?2 AND version = ?3 AND substr(key, 1, length(?4)) = ?4 "
                                 "ORDER BY number DESC",
                                 {repository, scope, version, prefix}));
      TRY(hit, rep_->usable(ctx, rep_, std::move(newest)));
      if (hit) return hit;
    }
  }
  return std::optional<CacheHit>();
}

Result<std::int64_t> CacheStore::put(const Ctx& ctx, const CacheName& name, const Digest& digest, bool replace) {
  TRY(auto bytes, rep_->blobs->size(digest));
  if (!bytes) return fail(Kind::unavailable, "cache {}: its bytes are gone, save it again", name.key);
  if (*bytes > rep_->limits.bytes)
    return Fail(Error(Kind::invalid, fmt::format("cache {}: {} are more than all caches of a repository may have, {}",
                                                 name.key, human_bytes(*bytes), human_bytes(rep_->limits.bytes)))
                    .with_hint("slipway up --cache-size says how much that is"));
  std::int64_t number = 0;
  auto now = millis(ctx.clock->wall());
  std::lock_guard lock(rep_->mutex);
  if (!rep_->blobs->contains(digest))
    return fail(Kind::unavailable, "cache {}: its bytes are gone, save it again", name.key);
  std::optional<Digest> before;
  TRY_OK(rep_->database->transact([&](store::Database& d) -> Result<> {
    TRY(auto there, rep_->one("repository = ? AND scope = ? AND version = ? AND key = ?",
                              {name.repository, name.scope, name.version, name.key}));
    if (there && !replace && rep_->blobs->contains(there->digest))
      return fail(Kind::conflict, "cache entry with the same key, version, and scope already exists");
    if (there) {
      before = there->digest;
      TRY(auto old, d.prepare("DELETE FROM entry WHERE number = ?"));
      TRY_OK(old.bind(1, there->number).run());
    }
    TRY(auto row, d.prepare("INSERT INTO entry (repository, scope, version, key, digest, bytes, created, used) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
    row.bind(1, name.repository).bind(2, name.scope).bind(3, name.version).bind(4, name.key).bind(5, digest.str());
    row.bind(6, static_cast<std::int64_t>(*bytes)).bind(7, now).bind(8, now);
    TRY_OK(row.run());
    TRY(auto last, d.prepare("SELECT last_insert_rowid()"));
    TRY(bool row_there, last.step());
    if (row_there) number = last.number(0);
    return {};
  }));
  if (before && *before != digest) rep_->drop(*before);
  // The entry stands: what fails from here on is tried again by the next one.
  if (!std::exchange(rep_->swept, true))
    if (auto swept = rep_->sweep(ctx); !swept) LOG(warn, "cache.sweep", {"error", swept.error().what()});
  if (auto late = rep_->overdue(now, name.repository); late && !late->empty()) {
    LOG(info, "cache.evicted", {"repository", name.repository}, {"entries", late->size()});
    if (auto gone = rep_->forget(*late); !gone) LOG(warn, "cache.evict", {"error", gone.error().what()});
  }
  return number;
}

Result<std::vector<CacheEntry>> CacheStore::list(const std::string& repository) {
  std::vector<CacheEntry> out;
  TRY_OK(rep_->database->read([&](store::Database& d) -> Result<> {
    TRY(auto rows,
        d.prepare(fmt::format("SELECT {} FROM entry WHERE ?1 = '' OR repository = ?1 ORDER BY number DESC", columns)));
    rows.bind(1, repository);
    for (;;) {
      TRY(bool there, rows.step());
      if (!there) return {};
      out.push_back(row_of(rows));
    }
  }));
  return out;
}

Result<> CacheStore::remove(const Ctx&, std::int64_t number) {
  TRY(auto found, rep_->one("number = CAST(? AS INTEGER)", {std::to_string(number)}));
  if (!found) return fail(Kind::not_found, "there is no cache entry {}", number);
  std::lock_guard lock(rep_->mutex);
  return rep_->forget({*found});
}

Result<CacheStore::Evicted> CacheStore::evict(const Ctx& ctx) {
  TRY(auto all, list());
  std::map<std::string, bool> repositories;
  for (const auto& entry : all) repositories[entry.name.repository] = true;
  Evicted out;
  std::lock_guard lock(rep_->mutex);
  for (const auto& [repository, there] : repositories) {
    TRY(auto late, rep_->overdue(millis(ctx.clock->wall()), repository));
    TRY_OK(rep_->forget(late));
    out.entries += late.size();
    for (const auto& entry : late) out.bytes += entry.bytes;
  }
  TRY_OK(rep_->sweep(ctx));
  return out;
}

}  // namespace slipway::ci
