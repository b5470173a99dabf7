#pragma once
// One decision in the making.
#include "rollout/counts.h"
#include "rollout/rollout.h"
#include "rollout/spec.h"

namespace slipway::rollout::detail {

inline const std::string hash_label = "rollouts-pod-template-hash";
inline const std::string revision_annotation = "rollout.argoproj.io/revision";
inline const std::string desired_annotation = "rollout.argoproj.io/desired-replicas";
inline const std::string deadline_annotation = "scale-down-deadline";
inline const std::string managed_annotation = "argo-rollouts.argoproj.io/managed-by-rollouts";

// One ReplicaSet and what is to become of it.
struct Set {
  kube::Object object;
  doc::Value changed;  // the copy that will be written, null while nothing changed
  std::string hash;
  std::int64_t wanted = 0, replicas = 0, ready = 0, available = 0, revision = 0;
  std::optional<WallTime> deadline;
  Pods pods() const { return {wanted, available}; }
};

class Work {
 public:
  Work(const State& state, Spec spec);

  const State& state;
  Spec spec;
  std::vector<Set> sets;  // oldest revision first
  std::string new_hash;   // of the wanted template
  doc::Value status;      // becomes the new status
  Decision decision;

  doc::View before() const { return state.rollout["status"]; }
  doc::View now_status() const { return doc::View(status); }
  Set* find(const std::string& hash);  // "" finds none
  Set* fresh() { return find(new_hash); }
  Set* stable() { return find(stable_hash()); }
  std::string stable_hash() const { return now_status()["stableRS"].str_or(""); }
  bool is_stable() { return stable_hash() == new_hash && !new_hash.empty(); }
  bool aborted() const { return now_status()["abort"].bool_or(false); }
  bool promote_full() const { return now_status()["promoteFull"].bool_or(false); }
  std::int64_t step_index() const { return now_status()["currentStepIndex"].num_or(0); }
  std::int64_t step_count() const { return spec.canary ? static_cast<std::int64_t>(spec.canary->steps.size()) : 0; }

  void event(std::string reason, std::string message);
  // Run again at this time at the latest.
  void wake_at(WallTime time);
  void wake_now() { wake_at(state.now); }

  void scale(Set& set, std::int64_t replicas);
  void set_deadline(Set& set, std::optional<std::int64_t> seconds);  // nothing: never scaled down
  void clear_deadline(Set& set);
  // Puts the hash into the Service's selector; "" takes it out.
  void select(const std::string& service, const std::string& hash);
  std::string selected(const std::string& service) const;

  // Pauses are conditions in the status.
  std::optional<WallTime> paused_since(std::string_view reason) const;
  bool has_pause() const;
  void add_pause(std::string_view reason);
  void clear_pauses();
  void abort(const std::string& message);

 private:
  doc::Value& edited(Set& set);
};

// replica_sets.cpp: finds the new ReplicaSet or creates it; false: nothing more in this pass.
bool ensure_new_set(Work& work);
// After the strategy: scales those that are neither new nor stable, removes what is beyond the history's limit, and
// turns what was edited into writes. `older` pods may stay among those without a deadline.
void settle_old_sets(Work& work, std::int64_t older);
void write_sets(Work& work);

// analysis.cpp
enum class Verdict { none, running, successful, failed, inconclusive };
struct RunName {
  std::string_view type;  // Step, Background, PrePromotion, PostPromotion
  std::string suffix;     // "-2", "", "-pre", "-post"
};
// Follows the run of that name, created when it is not there.
Verdict follow_run(Work& work, const Analysis& analysis, const RunName& name, doc::Value& summary);
// Ends every run that is still going, but the one of this name.
void terminate_runs(Work& work, const std::string& keep = {});
std::string run_name(const Work& work, const std::string& suffix);

// canary.cpp, blue_green.cpp
void canary(Work& work);
void blue_green(Work& work);
// traffic.cpp: writes the weight to routes and ingresses and notes it in the status.
void set_traffic(Work& work, std::int64_t weight);
// mesh.cpp: the same for Istio's VirtualServices and DestinationRules, and SMI's TrafficSplits.
void set_mesh(Work& work, std::int64_t weight);
// restart.cpp: evicts pods older than spec.restartAt, no more at once than may be missing.
void restart_pods(Work& work);
// status.cpp
void reset_if_changed(Work& work);
void finish_status(Work& work);
doc::Value invalid_status(const State& state, const std::string& why);

}  // namespace slipway::rollout::detail
