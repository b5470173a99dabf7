#pragma once
// The parts of one look at an ApplicationSet.
#include "gitops/appset/set.h"
#include "kube/selector.h"

namespace slipway::gitops::appset::detail {

// What may be done to Applications: syncPolicy.applicationsSync.
struct Policy {
  bool update = true, remove = true;
  bool preserve = false;  // preserveResourcesOnDeletion
};
Result<Policy> policy_of(doc::View spec);

// The Applications that a set wants. One that is not valid is left as it is, and holds up no other.
struct Wanted {
  std::vector<doc::Value> applications;
  std::set<std::string> names;  // also of those that are not valid: they are not taken for gone
  std::string problem;          // of the first of those, "" for none
};
// Errors: invalid.
Result<Wanted> wanted_applications(const Renderer& renderer, const kube::Object& set,
                                   const std::vector<Instance>& instances, const Policy& policy);

// `live` as it should be: spec, labels, annotations and finalizers of `wanted`, but for what others may set.
// Errors: invalid (ignoreApplicationDifferences).
Result<doc::Value> updated(const Ctx& ctx, const kube::Object& set, const kube::Object& live, const doc::Value& wanted);
bool is_owned(const kube::Object& application, const kube::Object& set);

// Progressive syncs: strategy.type RollingSync.
class Rollout {
 public:
  // Errors: invalid.
  static Result<Rollout> from(const kube::Object& set);
  bool active() const { return !steps_.empty(); }
  // Which step an Application belongs to, from 1; 0: none, it is synced by hand.
  std::size_t step_of(const kube::StringMap& labels) const;
  // Syncs what may be synced now. Gives status.applicationStatus.
  Result<doc::Value> advance(const Ctx& ctx, kube::Client& client, const kube::Object& set,
                             const std::vector<kube::Object>& applications) const;
  bool reverse_deletion() const { return reverse_; }

 private:
  struct Step {
    kube::LabelSelector selector;
    std::string most;  // maxUpdate: a number or a percentage, "" for all
  };
  std::vector<Step> steps_;
  bool reverse_ = false;
};

}  // namespace slipway::gitops::appset::detail
