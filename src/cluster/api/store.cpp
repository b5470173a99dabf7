#include "cluster/api/store.h"

#include "base/log.h"
#include "base/time.h"
#include "cluster/api_server.h"
#include "doc/json.h"
#include "doc/shrink.h"

namespace slipway::cluster {
namespace {

const std::vector<std::string> migrations{R"(
CREATE TABLE objects (
  kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (kind, ns, name));
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
)"};

enum class Journal { durable, lazy, none };
Journal journal_of(std::string_view table) {
  if (table == "events") return Journal::lazy;
  if (table == "leases.coordination.k8s.io") return Journal::none;
  return Journal::durable;
}

// Revisions are reserved in blocks, so that none is used twice after a crash that lost unjournaled writes.
constexpr Revision reserve = 100'000;

struct Table {
  std::string name;
  Journal journal = Journal::durable;
  struct Held {
    StoredPtr object;
    Revision revision = 0;
  };
  std::map<kube::Key, Held> objects;
  std::deque<ChangePtr> history;
  Revision floor = 0;                                 // history holds everything after it
  Revision last = 0;                                  // of the latest change
  std::deque<std::pair<Revision, kube::Key>> by_age;  // of lazy tables
  std::condition_variable_any changed;
};

struct Entry {
  Table* table;
  kube::Key key;
  ChangePtr change;
};

}  // namespace

struct ObjectStore::Rep {
  StoreOptions options;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<Resident> resident;
  mutable std::mutex mutex;
  std::map<std::string, std::unique_ptr<Table>, std::less<>> tables;
  Revision revision = 1, opened = 1, durable = 1, reserved = 0, queued = 0;
  std::vector<Entry> queue, lazy;
  Clock::time_point lazy_since = Clock::time_point::max();
  std::optional<Error> broken;  // the last commit failed; the journal goes on trying
  std::uint64_t failures = 0;
  bool stopping = false, flush_lazy = false, deferring = false;
  std::condition_variable_any work, synced;
  std::function<void()> published;
  std::thread journal;

  Table& table(const std::string& name) {
    auto& slot = tables[name];
    if (!slot) {
      slot = std::make_unique<Table>();
      slot->name = name;
      slot->journal = options.durable ? journal_of(name) : Journal::none;
      slot->floor = slot->last = opened;  // nothing happened to it since
    }
    return *slot;
  }
  Revision visible(const Table& t) const { return t.journal == Journal::durable ? durable : revision; }

  Result<> load();
  void trim(Table& t);
  void enqueue(Table& t, const kube::Key& key, ChangePtr change);
  Result<kube::Object> commit(std::unique_lock<std::mutex>& lock, const Ctx& ctx, Table& t, const kube::Key& key,
                              doc::Value value, bool erase);
  Result<> await_durable(std::unique_lock<std::mutex>& lock, const Ctx& ctx, Revision wanted);
  void bound_events(Table& t);
  void run();
  Result<> write(const std::vector<Entry>& batch, Revision reserve_to);
};

Result<> ObjectStore::Rep::load() {
  return database->read([this](store::Database& db) -> Result<> {
    {
      TRY(auto state, db.prepare("SELECT value FROM state WHERE name = 'reserved'"));
      TRY(bool row, state.step());
      if (row) revision = static_cast<Revision>(state.number(0));
    }
    TRY(auto rows, db.prepare("SELECT kind, ns, name, revision, body FROM objects"));
    std::size_t kept = 0;
    for (;;) {
      TRY(bool row, rows.step());
      if (!row) break;
      auto name = rows.text(0);
      kube::Key key{rows.text(1), rows.text(2)};
      auto at = static_cast<Revision>(rows.number(3));
      std::string text(rows.text(4));
      auto value = doc::parse_json_bare(text, fmt::format("{} {}", name, key.str()));
      if (!value) return Fail(std::move(value).error().as(Kind::corrupt));
      auto& t = table(name);
      StoredPtr object;
      if (kept < options.resident) {  // a small cluster whole
        object = std::make_shared<const Stored>(kube::Object(*std::move(value)));
        resident->use(object);
        ++kept;
      } else {
        object = std::make_shared<const Stored>(std::move(text));
      }
      t.objects[key] = {std::move(object), at};
      if (t.journal == Journal::lazy) t.by_age.emplace_back(at, key);
      revision = std::max(revision, at);
    }
    for (auto& [name, t] : tables) {
      t->floor = t->last = revision;
      std::sort(t->by_age.begin(), t->by_age.end());
    }
    durable = opened = revision;
    return {};
  });
}

void ObjectStore::Rep::trim(Table& t) {
  auto old = real_clock().now() - options.history_age;
  while (!t.history.empty() && (t.history.size() > options.history || t.history.front()->when < old)) {
    // What watches have not been shown yet stays.
    if (t.history.front()->revision > visible(t)) return;
    t.floor = t.history.front()->revision;
    t.history.pop_front();
  }
}

void ObjectStore::Rep::enqueue(Table& t, const kube::Key& key, ChangePtr change) {
  if (t.journal == Journal::none) {
    if (revision + reserve / 2 > reserved) work.notify_one();
    return;
  }
  if (t.journal == Journal::lazy) {
    if (lazy.empty()) lazy_since = real_clock().now();
    lazy.push_back({&t, key, std::move(change)});
    if (lazy.size() == 1) work.notify_one();
    return;
  }
  queue.push_back({&t, key, std::move(change)});
  queued = revision;
  if (!deferring) work.notify_one();
}

Result<> ObjectStore::Rep::await_durable(std::unique_lock<std::mutex>& lock, const Ctx& ctx, Revision wanted) {
  auto seen = failures;
  auto ready = [&] { return durable >= wanted || failures != seen; };
  if (ctx.deadline == Clock::time_point::max())
    synced.wait(lock, ctx.stop, ready);
  else
    synced.wait_until(lock, ctx.stop, ctx.deadline, ready);
  if (durable >= wanted) return {};
  if (failures != seen && broken) return Fail(Error(*broken));
  return ctx.alive();
}

Result<kube::Object> ObjectStore::Rep::commit(std::unique_lock<std::mutex>& lock, const Ctx& ctx, Table& t,
                                              const kube::Key& key, doc::Value value, bool erase) {
  auto change = std::make_shared<Change>();
  change->revision = ++revision;
  change->when = real_clock().now();
  change->deleted = erase;
  change->key = key;
  value["metadata"]["resourceVersion"] = std::to_string(change->revision);
  kube::Object object(std::move(value));
  change->now = std::make_shared<const Stored>(object);
  resident->use(change->now);
  auto it = t.objects.find(key);
  if (it != t.objects.end()) change->before = it->second.object;
  if (erase)
    t.objects.erase(key);
  else
    t.objects[key] = {change->now, change->revision};
  t.last = change->revision;
  t.history.push_back(change);
  auto at = change->revision;
  enqueue(t, key, std::move(change));
  trim(t);
  if (t.journal == Journal::durable) {
    if (deferring) return object;
    TRY_OK(await_durable(lock, ctx, at));
    return object;
  }
  if (t.journal == Journal::lazy && !erase) {
    t.by_age.emplace_back(at, key);
    bound_events(t);
  }
  t.changed.notify_all();
  auto call = published;
  lock.unlock();
  if (call) call();
  return object;
}

// Events live in a ring: the oldest make room.
void ObjectStore::Rep::bound_events(Table& t) {
  auto old = real_clock().wall() - options.event_age;
  while (!t.by_age.empty()) {
    auto [at, key] = t.by_age.front();
    auto it = t.objects.find(key);
    if (it == t.objects.end() || it->second.revision != at) {
      t.by_age.pop_front();
      continue;
    }
    bool aged = false;
    if (auto made = parse_rfc3339(it->second.object->object().value().str_at({"metadata", "creationTimestamp"})))
      aged = *made < old;
    if (!aged && t.objects.size() <= options.events) return;
    auto change = std::make_shared<Change>();
    change->revision = ++revision;
    change->when = real_clock().now();
    change->deleted = true;
    change->key = key;
    change->before = it->second.object;
    auto last = change->previous().copy();
    last["metadata"]["resourceVersion"] = std::to_string(change->revision);
    change->now = std::make_shared<const Stored>(kube::Object(std::move(last)));
    resident->use(change->now);
    t.objects.erase(it);
    t.last = change->revision;
    t.history.push_back(change);
    enqueue(t, key, std::move(change));
    t.by_age.pop_front();
  }
}

Result<> ObjectStore::Rep::write(const std::vector<Entry>& batch, Revision reserve_to) {
  // Of several writes to one object the last counts.
  std::map<std::pair<Table*, kube::Key>, const Change*> latest;
  for (const auto& e : batch) latest[{e.table, e.key}] = e.change.get();
  return database->transact([&](store::Database& db) -> Result<> {
    for (const auto& [where, change] : latest) {
      const auto& [table, key] = where;
      if (change->deleted) {
        TRY(auto drop, db.prepare("DELETE FROM objects WHERE kind = ?1 AND ns = ?2 AND name = ?3"));
        TRY_OK(drop.bind(1, table->name).bind(2, key.ns).bind(3, key.name).run());
        continue;
      }
      TRY(auto put,
          db.prepare("INSERT INTO objects (kind, ns, name, revision, body) VALUES (?1, ?2, ?3, ?4, ?5) "
                     "ON CONFLICT (kind, ns, name) DO UPDATE SET revision = excluded.revision, body = excluded.body"));
      TRY_OK(put.bind(1, table->name)
                 .bind(2, key.ns)
                 .bind(3, key.name)
                 .bind(4, static_cast<std::int64_t>(change->revision))
                 .bind(5, change->json())
                 .run());
    }
    if (reserve_to > 0) {
      TRY(auto keep, db.prepare("INSERT INTO state (name, value) VALUES ('reserved', ?1) ON CONFLICT (name) DO UPDATE "
                                "SET value = excluded.value"));
      TRY_OK(keep.bind(1, static_cast<std::int64_t>(reserve_to)).run());
    }
    return {};
  });
}

void ObjectStore::Rep::run() {
  std::vector<Entry> batch;
  std::unique_lock lock(mutex);
  for (;;) {
    auto lazy_due = [&] {
      return !lazy.empty() && (flush_lazy || stopping || real_clock().now() - lazy_since >= Millis(10000));
    };
    auto busy = [&] {
      return stopping || (!deferring && (!queue.empty() || queued > durable)) || !batch.empty() ||
             revision + reserve / 2 > reserved || lazy_due();
    };
    if (!busy()) {
      if (lazy.empty())
        work.wait(lock, busy);
      else
        work.wait_until(lock, lazy_since + Millis(10000), busy);
      if (!busy()) continue;
    }
    if (stopping && queue.empty() && batch.empty() && lazy.empty()) break;
    // Lazy entries ride along with a commit that happens anyway.
    for (auto* from : {&queue, &lazy}) {
      batch.insert(batch.end(), std::make_move_iterator(from->begin()), std::make_move_iterator(from->end()));
      from->clear();
    }
    std::stable_sort(batch.begin(), batch.end(),
                     [](const Entry& a, const Entry& b) { return a.change->revision < b.change->revision; });
    flush_lazy = false;
    Revision upto = queued;
    Revision reserve_to = revision + reserve / 2 > reserved ? revision + reserve : 0;
    lock.unlock();
    auto result = write(batch, reserve_to);
    lock.lock();
    if (!result) {
      if (!broken) LOG(error, "cluster.journal.failed", {"error", result.error().print()});
      broken = std::move(result).error().in("cluster store");
      ++failures;
      synced.notify_all();
      if (stopping) break;
      work.wait_for(lock, std::chrono::seconds(1), [&] { return stopping; });
      continue;
    }
    broken.reset();
    if (reserve_to > 0) reserved = reserve_to;
    durable = std::max(durable, upto);
    std::set<Table*> touched;
    for (const auto& e : batch) touched.insert(e.table);
    batch.clear();
    for (auto* t : touched) t->changed.notify_all();
    synced.notify_all();
    auto call = published;
    lock.unlock();
    if (call) call();
    lock.lock();
  }
}

ObjectStore::ObjectStore(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

Result<std::unique_ptr<ObjectStore>> ObjectStore::open(StoreOptions options) {
  auto rep = std::make_unique<Rep>();
  rep->resident = std::make_unique<Resident>(options.resident);
  rep->options = std::move(options);
  TRY_IN(rep->database, "cluster store", store::Database::open(rep->options.database, migrations));
  TRY_OK_IN("cluster store", rep->load());
  auto* r = rep.get();
  rep->journal = std::thread([r] { r->run(); });
  return std::unique_ptr<ObjectStore>(new ObjectStore(std::move(rep)));
}

ObjectStore::~ObjectStore() {
  {
    std::lock_guard hold(rep_->mutex);
    rep_->stopping = true;
    rep_->work.notify_all();
  }
  rep_->journal.join();
  // A clean end gives back the reserved revisions.
  (void)rep_->write({}, rep_->revision);
}

kube::Object ObjectStore::get(const std::string& table, const kube::Key& key) const {
  StoredPtr found;
  {
    std::lock_guard hold(rep_->mutex);
    auto t = rep_->tables.find(table);
    if (t == rep_->tables.end()) return {};
    auto it = t->second->objects.find(key);
    if (it == t->second->objects.end()) return {};
    found = it->second.object;
  }
  rep_->resident->use(found);
  return found->object();
}

ObjectStore::Snapshot ObjectStore::list(const std::string& table, const std::string& ns) const {
  std::lock_guard hold(rep_->mutex);
  Snapshot out{{}, rep_->revision};
  auto t = rep_->tables.find(table);
  if (t == rep_->tables.end()) return out;
  auto& objects = t->second->objects;
  auto it = ns.empty() ? objects.begin() : objects.lower_bound(kube::Key{ns, ""});
  for (; it != objects.end() && (ns.empty() || it->first.ns == ns); ++it) out.items.push_back(it->second.object);
  return out;
}

ApiResult<ObjectStore::Snapshot> ObjectStore::list_at(const std::string& table, const std::string& ns,
                                                      Revision revision, const kube::Key& after) const {
  std::lock_guard hold(rep_->mutex);
  auto& t = rep_->table(table);
  if (revision < t.floor)
    return ApiFail(
        expired(fmt::format("The provided resource version {} is too old: history starts at {}", revision, t.floor)));
  std::map<kube::Key, StoredPtr> objects;
  auto wanted = [&](const kube::Key& key) {
    return (ns.empty() || key.ns == ns) && (after.name.empty() || after < key);
  };
  for (const auto& [key, held] : t.objects)
    if (wanted(key)) objects.emplace(key, held.object);
  for (auto it = t.history.rbegin(); it != t.history.rend() && (*it)->revision > revision; ++it) {
    const auto& key = (*it)->key;
    if (!wanted(key)) continue;
    if ((*it)->before)
      objects[key] = (*it)->before;
    else
      objects.erase(key);
  }
  Snapshot out{{}, revision};
  for (auto& [key, object] : objects) out.items.push_back(std::move(object));
  return out;
}

bool ObjectStore::any(const std::string& table) const {
  std::lock_guard hold(rep_->mutex);
  auto t = rep_->tables.find(table);
  return t != rep_->tables.end() && !t->second->objects.empty();
}

Revision ObjectStore::revision() const {
  std::lock_guard hold(rep_->mutex);
  return rep_->revision;
}

Result<std::optional<kube::Object>> ObjectStore::put(const Ctx& ctx, const std::string& table, const kube::Key& key,
                                                     doc::Value value, Revision expected) {
  value = doc::shrunk(std::move(value));
  std::unique_lock lock(rep_->mutex);
  if (rep_->broken) return Fail(Error(*rep_->broken));
  auto& t = rep_->table(table);
  auto it = t.objects.find(key);
  if ((it == t.objects.end() ? 0 : it->second.revision) != expected) return std::optional<kube::Object>();
  TRY(auto object, rep_->commit(lock, ctx, t, key, std::move(value), false));
  return std::optional(std::move(object));
}

Result<std::optional<kube::Object>> ObjectStore::erase(const Ctx& ctx, const std::string& table, const kube::Key& key,
                                                       doc::Value last, Revision expected) {
  std::unique_lock lock(rep_->mutex);
  if (rep_->broken) return Fail(Error(*rep_->broken));
  auto& t = rep_->table(table);
  auto it = t.objects.find(key);
  if (it == t.objects.end() || it->second.revision != expected) return std::optional<kube::Object>();
  TRY(auto object, rep_->commit(lock, ctx, t, key, std::move(last), true));
  return std::optional(std::move(object));
}

Result<> ObjectStore::flush(const Ctx& ctx) {
  std::unique_lock lock(rep_->mutex);
  if (rep_->broken) return Fail(Error(*rep_->broken));
  // An empty step of the durable queue carries the lazy ones.
  rep_->flush_lazy = true;
  rep_->queued = ++rep_->revision;
  rep_->work.notify_one();
  return rep_->await_durable(lock, ctx, rep_->queued);
}

Result<> ObjectStore::together(const Ctx& ctx, const std::function<Result<>()>& work) {
  auto defer = [this](bool on) {
    std::lock_guard hold(rep_->mutex);
    rep_->deferring = on;
  };
  defer(true);
  auto result = work();
  defer(false);
  TRY_OK(flush(ctx));
  return result;
}

Revision ObjectStore::visible(const std::string& table) const {
  std::lock_guard hold(rep_->mutex);
  auto t = rep_->tables.find(table);
  return t == rep_->tables.end() ? rep_->durable : rep_->visible(*t->second);
}

ApiResult<std::vector<ChangePtr>> ObjectStore::changes(const std::string& table, Revision since,
                                                       std::size_t limit) const {
  std::lock_guard hold(rep_->mutex);
  auto& t = rep_->table(table);
  if (since < t.floor) return ApiFail(expired(fmt::format("too old resource version: {} ({})", since, t.floor)));
  auto it = std::upper_bound(t.history.begin(), t.history.end(), since,
                             [](Revision r, const ChangePtr& c) { return r < c->revision; });
  auto end = rep_->visible(t);
  std::vector<ChangePtr> out;
  for (; it != t.history.end() && (*it)->revision <= end && out.size() < limit; ++it) out.push_back(*it);
  return out;
}

Result<> ObjectStore::await_changes(const Ctx& ctx, const std::string& table, Revision since) const {
  std::unique_lock lock(rep_->mutex);
  auto& t = rep_->table(table);
  auto ready = [&] {
    if (t.floor > since) return true;
    auto it = std::upper_bound(t.history.begin(), t.history.end(), since,
                               [](Revision r, const ChangePtr& c) { return r < c->revision; });
    return it != t.history.end() && (*it)->revision <= rep_->visible(t);
  };
  if (ctx.deadline == Clock::time_point::max())
    t.changed.wait(lock, ctx.stop, ready);
  else
    t.changed.wait_until(lock, ctx.stop, ctx.deadline, ready);
  return ready() ? Result<>{} : ctx.alive();
}

void ObjectStore::on_publish(std::function<void()> call) {
  std::lock_guard hold(rep_->mutex);
  rep_->published = std::move(call);
}

Result<std::optional<doc::Value>> stored_object(const fs::path& database, std::string_view table,
                                                const kube::Key& key) {
  std::optional<doc::Value> out;
  if (!path_exists(database)) return out;
  TRY(auto opened, store::Database::open(database, migrations));
  TRY_OK(opened->read([&](store::Database& db) -> Result<> {
    TRY(auto row, db.prepare("SELECT body FROM objects WHERE kind = ?1 AND ns = ?2 AND name = ?3"));
    row.bind(1, table).bind(2, key.ns).bind(3, key.name);
    TRY(bool there, row.step());
    if (!there) return {};
    TRY(out, doc::parse_json(row.text(0), key.name));
    return {};
  }));
  return out;
}

}  // namespace slipway::cluster
