#pragma once
// The order of a sync: phases, waves, kinds, hooks. Rules: Argo CD's sync waves and resource hooks.
#include <set>
#include <string>
#include <vector>

#include "gitops/options.h"
#include "kube/object.h"

namespace slipway::gitops {

enum class SyncPhase { pre_sync, sync, post_sync, sync_fail, pre_delete, post_delete };
std::string_view to_string(SyncPhase phase);  // PreSync ...
// The phases of deleting an Application: no sync runs them.
constexpr bool is_deletion(SyncPhase phase) { return phase >= SyncPhase::pre_delete; }
// Under which Argo CD keeps an Application for the hooks of its deletion, and for clearing up after them.
std::string hook_finalizer(SyncPhase phase, bool cleanup = false);
bool is_hook_finalizer(std::string_view finalizer);

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

// When a hook of this phase goes. Without a word of its author the next operation replaces it; nothing comes after a
// deletion, so that hooks of one go when they are done.
std::set<DeletePolicy> delete_policies_of(const kube::Object& hook, SyncPhase phase);

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
// Steps of PreSync, Sync and PostSync in order (SyncFail hooks run when one fails). A Namespace or CRD that a
// task needs is pulled up before it.
std::vector<Step> steps_of(const std::vector<Task>& tasks);
// Those of one phase of a deletion, wave by wave.
std::vector<Step> deletion_steps(const std::vector<Task>& tasks, SyncPhase phase);

// The wave that an object's annotations name.
int wave_of(const kube::Object& object);
// Rank of a kind within a wave; unknown kinds come last.
int kind_rank(std::string_view kind);

}  // namespace slipway::gitops
