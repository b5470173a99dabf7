#pragma once
// What the workload controllers share: reading pods, owning objects, hashes of templates. Private to the room.
#include "base/time.h"
#include "cluster/controllers.h"
#include "kube/controller.h"
#include "kube/events.h"
#include "kube/selector.h"

namespace slipway::cluster {

inline const kube::Type pod_type{"v1", "Pod"}, namespace_type{"v1", "Namespace"}, service_type{"v1", "Service"},
    node_type{"v1", "Node"}, endpoints_type{"v1", "Endpoints"}, claim_type{"v1", "PersistentVolumeClaim"},
    slice_type{"discovery.k8s.io/v1", "EndpointSlice"}, replicaset_type{"apps/v1", "ReplicaSet"},
    deployment_type{"apps/v1", "Deployment"}, statefulset_type{"apps/v1", "StatefulSet"},
    daemonset_type{"apps/v1", "DaemonSet"}, revision_type{"apps/v1", "ControllerRevision"}, job_type{"batch/v1", "Job"},
    cronjob_type{"batch/v1", "CronJob"};

// What a controller may use. Threads: any.
struct Env {
  kube::Client& client;
  const ControllerSettings& settings;
  std::string name;  // field manager and event source

  kube::WriteOptions write(std::string subresource = {}) const {
    return {.field_manager = name, .subresource = std::move(subresource)};
  }
  void event(const Ctx& ctx, const kube::Object& about, std::string_view type, std::string_view reason,
             std::string message) const {
    kube::record_event(ctx, client, about, {std::string(type), std::string(reason), std::move(message), name});
  }
};

// Runs one controller; each file of this folder has one. Errors: only cancelled, in the end.
Result<> run_namespaces(const Ctx& ctx, const Env& env);
Result<> run_token_secrets(const Ctx& ctx, const Env& env);
Result<> run_deployments(const Ctx& ctx, const Env& env);
Result<> run_replicasets(const Ctx& ctx, const Env& env);
Result<> run_jobs(const Ctx& ctx, const Env& env);
Result<> run_cronjobs(const Ctx& ctx, const Env& env);
Result<> run_statefulsets(const Ctx& ctx, const Env& env);
Result<> run_daemonsets(const Ctx& ctx, const Env& env);
Result<> run_autoscalers(const Ctx& ctx, const Env& env);
Result<> run_endpoints(const Ctx& ctx, const Env& env);
Result<> run_garbage_collector(const Ctx& ctx, const Env& env);
Result<> run_scheduler(const Ctx& ctx, const Env& env);

std::string phase_of(const kube::Object& pod);
bool is_finished(const kube::Object& pod);  // Succeeded or Failed
bool is_active(const kube::Object& pod);    // neither finished nor being deleted
bool is_ready(const kube::Object& pod);
std::int64_t restarts_of(const kube::Object& pod);
std::optional<WallTime> time_at(doc::View view);
WallTime created_at(const kube::Object& object);
// Ready for at least `min_ready`; otherwise, when it is a matter of time alone, how long still.
struct Availability {
  bool available = false;
  std::optional<Millis> wait;
};
Availability availability(const kube::Object& pod, Millis min_ready, WallTime now);

// "25%" of `total`, rounded up or down; a number as it is.
std::int64_t scaled(doc::View value, std::int64_t total, bool round_up, std::int64_t fallback);

bool is_owned_by(const kube::Object& object, const kube::Object& owner);
// The objects that belong to `owner`: its own that match, and matching orphans, which it adopts; its own that no longer
// match are released.
Result<std::vector<kube::Object>> claim(const Ctx& ctx, const Env& env, const kube::Object& owner,
                                        const kube::LabelSelector& selector, std::vector<kube::Object> objects);
// What may be claim()ed says one of these: the owner's uid, or a label that its selector wants.
std::vector<std::string> mentions_of(const kube::Object& owner);
Result<std::vector<kube::Object>> claimed_pods(const Ctx& ctx, const Env& env, const kube::Object& owner,
                                               const kube::LabelSelector& selector);
Result<kube::LabelSelector> selector_of(const kube::Object& object);  // .spec.selector
// Wakes the owners that may adopt or must count a pod: the controller owner, or every object of the type in the
// namespace when a pod has none.
kube::Source pods_of(kube::Client& client, const kube::Type& owner_type, const Ctx& ctx);

doc::Value pod_from_template(const kube::Object& owner, const doc::Value& pod_template);
// Eight to ten characters without vowels, equal for equal values whatever the order of keys.
std::string hash_text(const doc::Value& value, std::int64_t salt);
// Equal but for the labels that controllers add.
bool same_template(const doc::Value& a, const doc::Value& b);

// Removes and forgives that it is gone already.
Result<> remove_quietly(const Ctx& ctx, const Env& env, const kube::Object& object, kube::RemoveOptions options = {});
// As write_status(), but fine when the object went away meanwhile.
Result<> put_status(const Ctx& ctx, const Env& env, const kube::Object& object, doc::Value status);

// Conditions inside a status that is being made.
const doc::Value* find_condition(const doc::Value& status, std::string_view type);
struct Condition {
  std::string_view type, status, reason;
  std::string message;
  bool update_time = false;  // has lastUpdateTime (Deployments)
};
// Replaces by type; lastTransitionTime moves with status alone. True: something changed.
bool put_condition(doc::Value& status, const Condition& condition, WallTime now);
void drop_condition(doc::Value& status, std::string_view type);

}  // namespace slipway::cluster
