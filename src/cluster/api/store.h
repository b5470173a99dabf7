#pragma once
// The objects: memory is the truth for reads and watches, SQLite makes it durable. One revision counts all writes.
//
// A write is in memory at once (so that the next one sees it) and is acknowledged, and shown to watches, after the
// commit that holds it; commits are grouped by one journal thread. Events are journaled lazily, leases not at all.
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "cluster/api/status.h"
#include "cluster/api/stored.h"
#include "kube/client.h"
#include "store/database.h"

namespace slipway::cluster {

using Revision = std::uint64_t;

// One write, as history and watches keep it. Threads: any (immutable).
struct Change {
  Revision revision = 0;
  kube::Key key;
  StoredPtr now, before;  // before: none for a creation; now of a deletion: the last state
  bool deleted = false;
  Clock::time_point when;
  kube::Object object() const { return now->object(); }
  kube::Object previous() const { return before ? before->object() : kube::Object(); }
  const std::string& json() const { return now->text(); }  // shared by journal and watches
};
using ChangePtr = std::shared_ptr<const Change>;

struct StoreOptions {
  fs::path database;
  bool durable = true;          // false: nothing is written, all is lost with the process
  std::size_t history = 8192;   // changes kept a table, at most
  std::size_t events = 2000;    // Event objects kept, at most
  std::size_t resident = 4096;  // objects kept as trees, at most; the others as text
  Millis history_age{300000}, event_age{3600000};
};

// Threads: any.
class ObjectStore {
 public:
  static Result<std::unique_ptr<ObjectStore>> open(StoreOptions options);
  ~ObjectStore();  // flushes

  kube::Object get(const std::string& table, const kube::Key& key) const;  // empty: none
  struct Snapshot {
    std::vector<StoredPtr> items;  // by namespace and name
    Revision revision = 0;
  };
  Snapshot list(const std::string& table, const std::string& ns) const;
  // As it was at a revision, what comes after a key. Errors: 410 when history does not reach back so far.
  ApiResult<Snapshot> list_at(const std::string& table, const std::string& ns, Revision revision,
                              const kube::Key& after = {}) const;
  bool any(const std::string& table) const;
  Revision revision() const;

  // `expected`: the revision the object must have now, 0 that there must be none. Nothing: somebody was faster.
  // Blocks until durable. Errors: unavailable (the disk), timeout, cancelled (the write may stand nevertheless).
  Result<std::optional<kube::Object>> put(const Ctx& ctx, const std::string& table, const kube::Key& key,
                                          doc::Value value, Revision expected);
  Result<std::optional<kube::Object>> erase(const Ctx& ctx, const std::string& table, const kube::Key& key,
                                            doc::Value last, Revision expected);
  Result<> flush(const Ctx& ctx);
  // Writes inside are acknowledged at once and durable together when it returns: for what is made at start.
  Result<> together(const Ctx& ctx, const std::function<Result<>()>& work);

  // Changes after `since` that watches may see, at most `limit`. Errors: 410.
  ApiResult<std::vector<ChangePtr>> changes(const std::string& table, Revision since, std::size_t limit) const;
  // Blocks until changes() has something.
  Result<> await_changes(const Ctx& ctx, const std::string& table, Revision since) const;
  Revision visible(const std::string& table) const;
  // Called (without locks) after each published group.
  void on_publish(std::function<void()> call);

 private:
  struct Rep;
  explicit ObjectStore(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::cluster
