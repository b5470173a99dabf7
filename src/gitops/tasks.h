#pragma once
// The order of a sync: phases, waves, kinds, hooks. Rules: Argo CD's sync waves and resource hooks.
#include <set>
#include <string>
#include <vector>

#include "gitops/options.h"
#include "kube/object.h"

namespace slipway::gitops {

enum class SyncPhase { pre_sync, sync, post_sync, sync_fail };
std::string_view to_string(SyncPhase phase);  // PreSync ...

enum class DeletePolicy { before_creation, succeeded, failed };

struct Task {
  doc::Value object;
  kube::Type type;
  kube::Key key;
  SyncPhase phase = SyncPhase::sync;
  int wave = 0;
  bool hook = false;
  std::set<DeletePolicy> delete_policies;  // hooks only
  SyncOptions options;
  bool ignore_health = false;
  bool only_create = false;  // left alone once it is there
  bool leave = false;        // neither made nor changed, but still a part of it
  std::string id() const { return id(type, key); }
  static std::string id(const kube::Type& type, const kube::Key& key);  // group/kind:namespace/name
};

// Hooks named for more than one phase give a task each; hook Skip and unknown hook words give none. A hook word that
// will never be acted on although its author meant it to be goes to `warnings`.
std::vector<Task> tasks_of(const std::vector<doc::Value>& objects, const SyncOptions& options,
                           std::vector<std::string>& warnings);

// Tasks that go together: same phase and wave, kinds in Argo's order within.
struct Step {
  SyncPhase phase;
  int wave;
  std::vector<const Task*> tasks;
};
// Steps of PreSync, Sync and PostSync in order (SyncFail hooks come from sync_fail_tasks). A Namespace or CRD that a
// task needs is pulled up before it.
std::vector<Step> steps_of(const std::vector<Task>& tasks);

// The wave that an object's annotations name.
int wave_of(const kube::Object& object);
// Rank of a kind within a wave; unknown kinds come last.
int kind_rank(std::string_view kind);

}  // namespace slipway::gitops
