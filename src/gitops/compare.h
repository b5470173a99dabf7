#pragma once
// Desired against live. Equality is what the server itself says: a dry-run of our apply that changes nothing means
// synced, so defaults, quantities and webhooks never show as differences. What was compared is remembered by the
// desired object's digest and the live resourceVersion: an unchanged pair costs no call.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "gitops/application.h"
#include "gitops/health.h"
#include "gitops/tasks.h"
#include "kube/client.h"

namespace slipway::gitops {

inline constexpr std::string_view field_manager = "slipway-gitops";
inline constexpr std::string_view tracking_annotation = "argocd.argoproj.io/tracking-id";

enum class SyncState { synced, out_of_sync, unknown };
std::string_view to_string(SyncState state);  // Synced, OutOfSync, Unknown

struct Compared {
  kube::Type type;
  kube::Key key;
  SyncState state = SyncState::unknown;
  bool missing = false;           // desired, not live
  bool extra = false;             // live and ours, no longer desired
  kube::Object live;
  const Task* task = nullptr;     // null for extras
  std::optional<HealthStatus> health;
  std::vector<std::string> fields;  // paths that differ, at most 20
  std::string message;            // why unknown
};

// Threads: any.
class Comparer {
 public:
  Result<Compared> compare(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task);
  void forget(const std::string& application);

 private:
  struct Known {
    std::string desired, live_version;
    SyncState state;
    std::vector<std::string> fields;
  };
  Guarded<std::map<std::string, Known>> known_;
};

// What is applied: the task's object with the tracking annotation and without status.
doc::Value applied_object(const Application& app, const Task& task);
// The same, with what others rightly own taken from the live object: ignoreDifferences, and the pod hash that a
// Rollout puts into a Service's selector (which is one atomic field).
Result<doc::Value> applied_over(const Application& app, const Task& task, const kube::Object& live);
std::string tracking_id(const Application& app, const Task& task);

}  // namespace slipway::gitops
