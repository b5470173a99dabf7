#pragma once
// The one way to reach objects. Two implementations: the embedded cluster's (a function call, shared snapshots)
// and HTTP (a real cluster). A stage cannot tell which it has.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "kube/object.h"

namespace slipway::kube {

struct ListOptions {
  std::string ns;  // "" for all namespaces
  std::string label_selector, field_selector;
  // Texts, of which each object that is wanted has one: what has none may be left out. Where the store is at hand that
  // spares making objects out of their text; other servers are not asked for it.
  std::vector<std::string> mentions = {};
};
struct ObjectList {
  std::vector<Object> items;
  std::string resource_version;
};

struct WatchOptions {
  std::string ns;
  std::string label_selector, field_selector;
  std::string resource_version;  // events after it; "" starts with an `added` for each present object
};
struct Event {
  enum class Type { added, modified, deleted, bookmark };
  Type type = Type::added;
  Object object;  // for deleted: the last state
};
class Watch {
 public:
  virtual ~Watch() = default;
  // Blocks for the next event. Errors: cancelled, timeout, conflict (resource version too old: list again),
  // unavailable (connection lost: watch again from the last version seen).
  virtual Result<Event> next(const Ctx& ctx) = 0;
};

enum class PatchType { json, merge, strategic };
struct WriteOptions {
  std::string field_manager = "slipway";
  std::string subresource;  // "status", "scale" ...
  bool dry_run = false;
  bool force = false;  // apply only: take over fields others own
};
struct RemoveOptions {
  enum class Propagation { background, foreground, orphan };
  Propagation propagation = Propagation::background;
  std::optional<std::int64_t> grace_seconds;
  std::string uid, resource_version;  // preconditions; "" for none
};

// Errors of every call: unavailable, timeout, cancelled; writes also invalid (with the field), conflict
// (resourceVersion, already exists, field managers), denied, not_found. Threads: any.
class Client {
 public:
  virtual ~Client() = default;
  virtual Result<std::optional<Object>> get(const Ctx& ctx, const Type& type, const Key& key) = 0;
  virtual Result<ObjectList> list(const Ctx& ctx, const Type& type, const ListOptions& options) = 0;
  // The same one after the other, never all of them in memory; gives the list's resource version. An object may come
  // twice where a server's pages ran out of history. What `visit` answers as an error ends it.
  using Visit = std::function<Result<>(Object)>;
  virtual Result<std::string> for_each(const Ctx& ctx, const Type& type, const ListOptions& options,
                                       const Visit& visit);
  virtual Result<std::unique_ptr<Watch>> watch(const Ctx& ctx, const Type& type, const WatchOptions& options) = 0;
  // metadata.generateName is honoured. The namespace of a namespaced object defaults to "default".
  virtual Result<Object> create(const Ctx& ctx, doc::Value object, const WriteOptions& options) = 0;
  // With metadata.resourceVersion: only if unchanged since (else conflict).
  virtual Result<Object> update(const Ctx& ctx, doc::Value object, const WriteOptions& options) = 0;
  virtual Result<Object> patch(const Ctx& ctx, const Type& type, const Key& key, PatchType kind,
                               const doc::Value& patch, const WriteOptions& options) = 0;
  // Server-side apply: creates or merges by field ownership.
  virtual Result<Object> apply(const Ctx& ctx, doc::Value object, const WriteOptions& options) = 0;
  // Absent is not_found. Returns once the deletion is accepted, which finalizers may delay.
  virtual Result<> remove(const Ctx& ctx, const Type& type, const Key& key, const RemoveOptions& options) = 0;
  // Whether the server knows the kind, and its place. Errors: not_found.
  struct Resource {
    Type type;
    std::string plural, singular;
    bool namespaced = true;
    std::vector<std::string> short_names = {};
    bool watchable = true;  // and can be listed
  };
  virtual Result<Resource> resource(const Ctx& ctx, const Type& type) = 0;
  virtual Result<std::vector<Resource>> resources(const Ctx& ctx) = 0;
};

// Reads, changes, writes; again on conflict (at most 10 times). `change` returns false for "nothing to do".
Result<Object> modify(const Ctx& ctx, Client& client, const Type& type, const Key& key, const WriteOptions& options,
                      const std::function<Result<bool>(doc::Value&)>& change);
// Writes .status through the status subresource, only if it differs.
Result<Object> write_status(const Ctx& ctx, Client& client, const Object& object, doc::Value status,
                            std::string_view manager = "slipway");
// Waits until `done` is true for the object (also of its absence: an empty Object). Errors: timeout, cancelled.
Result<Object> await(const Ctx& ctx, Client& client, const Type& type, const Key& key,
                     const std::function<bool(const Object&)>& done);

}  // namespace slipway::kube
