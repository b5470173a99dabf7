#pragma once
// Desired against live. Equality is what the server itself says: a dry-run of our apply that changes nothing means
// synced, so defaults, quantities and webhooks never show as differences. What was compared is remembered by the
// desired object's digest and the live resourceVersion: an unchanged pair costs no call. Neither does one whose
// managedFields say that the server would find nothing to do.
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "gitops/application.h"
#include "gitops/health.h"
#include "gitops/tasks.h"
#include "gitops/tracking.h"
#include "kube/client.h"

namespace slipway::gitops {

inline constexpr std::string_view field_manager = "slipway-gitops";

enum class SyncState { synced, out_of_sync, unknown };
std::string_view to_string(SyncState state);  // Synced, OutOfSync, Unknown

struct Compared {
  kube::Type type;
  kube::Key key;
  SyncState state = SyncState::unknown;
  bool missing = false;  // desired, not live
  bool extra = false;    // live and ours, no longer desired
  kube::Object live;
  const Task* task = nullptr;  // null for extras
  std::optional<HealthStatus> health;
  std::vector<std::string> fields;   // paths that differ, at most 20
  std::vector<std::string> dropped;  // fields that the server does not know and leaves out
  std::string shared_with;           // the other Application that says the object is its own
  bool needs_consent = false;        // a person must agree before it is deleted
  bool extraneous = false;           // extra, and to be taken no notice of
  std::string message;               // why the server refuses it
  std::set<std::string> warnings;    // what is wrong with rules of what to ignore in it
};

// Threads: any.
class Comparer {
 public:
  // Errors: invalid (a rule of what to ignore that cannot be followed: nothing can be said then), and the client's.
  Result<Compared> compare(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task);
  // The task was applied just now and this is what the server has since: nothing differs. Not noted where a jq path
  // has a say: it may have something to say of the new version.
  void applied(const Application& app, const Task& task, const kube::Object& live);
  // Whether this very version of an object was compared with what the Application wants.
  bool knows(const kube::Key& application, const std::string& object, const std::string& version) const;
  void forget(const std::string& application);

 private:
  struct Known {
    std::string desired, live_version;
    SyncState state = SyncState::unknown;
    std::vector<std::string> fields, dropped;
    std::set<std::string> warnings;
  };
  void remember(const Application& app, const Task& task, Known known);
  using Objects = std::map<std::string, Known>;              // by Task::id()
  Guarded<std::unordered_map<std::string, Objects>> known_;  // by application
};

// What is compared of an object: as it is, and as the server would have it. Fields that are not ours, now or before,
// are the doing of others (webhooks that fill in what Git does not say) and count only where an Application wants that.
struct Sides {
  doc::Value live, would;
};
Sides compared_sides(const Application& app, const kube::Object& live, const kube::Object& would);

// Fields of `wanted` that `stored` does not have although it could: misspelt ones, which the server drops.
std::vector<std::string> dropped_fields(const doc::Value& wanted, const doc::Value& stored);

// What is applied: the task's object as its owner marks it and without status.
doc::Value applied_object(const Application& app, const Task& task);
// The same, with what others rightly own taken from the live object: ignoreDifferences, and the pod hash that a
// Rollout puts into a Service's selector (which is one atomic field). Errors: invalid (a rule of what to ignore that
// cannot be followed), cancelled.
struct Applied {
  doc::Value object;
  std::set<std::string> warnings;
};
Result<Applied> applied_over(const Ctx& ctx, const Application& app, const Task& task, const kube::Object& live);
// Whether another deployer (Argo CD, Flux) owns fields of it by server-side apply, or kubectl in any way.
bool has_former_manager(const kube::Object& live, bool all_of_kubectl = false);

}  // namespace slipway::gitops
