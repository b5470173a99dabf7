#pragma once
// The loop of every controller: watch objects, queue their keys, reconcile each until it holds. Keys are
// deduplicated; one key is never reconciled by two threads at once; an error is retried with back-off.
#include <functional>
#include <string>
#include <vector>

#include "base/keyed_queue.h"
#include "kube/client.h"

namespace slipway::kube {

struct Reconciled {
  std::optional<Millis> again;  // run once more after this time
};
using Reconcile = std::function<Result<Reconciled>(const Ctx&, const Key&)>;

struct Source {
  Type type;
  // Which keys an event of this object concerns; absent: the object's own. Of an object that went while nobody watched,
  // the event has its type and its metadata without annotations, as they were seen last.
  std::function<std::vector<Key>(const Event&)> keys;
  WatchOptions options = {};
};
// A write was refused because its namespace is being deleted: expected, since what wanted it goes as well, soon.
bool is_namespace_going(const Error& error);
// For Source::keys: the controller owner of the given kind.
std::function<std::vector<Key>(const Event&)> keys_of_owner(std::string kind);

struct ControllerOptions {
  std::string name;  // for logs and metrics
  std::vector<Source> sources;
  std::size_t workers = 1;
  Millis backoff_first{20}, backoff_max{30000};
  KeyedQueue<Key>* queue = nullptr;  // the caller's, who then wakes keys by other means than events too
};
// Runs until the context stops. A lost or expired watch is renewed with jittered back-off. One thread a source
// and `workers` threads. Errors: only cancelled, in the end.
Result<> run_controller(const Ctx& ctx, Client& client, const ControllerOptions& options, const Reconcile& reconcile);

}  // namespace slipway::kube
