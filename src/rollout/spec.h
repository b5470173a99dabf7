#pragma once
// An Argo Rollout's spec with its defaults (argoproj.io/v1alpha1).
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "kube/object.h"

namespace slipway::rollout {

// A count or a share of the replicas.
struct Share {
  std::int64_t amount = 25;
  bool percent = true;
  std::int64_t up(std::int64_t of) const { return percent ? (amount * of + 99) / 100 : amount; }
  std::int64_t down(std::int64_t of) const { return percent ? amount * of / 100 : amount; }
  friend bool operator==(const Share&, const Share&) = default;
};

struct Analysis {
  std::vector<std::pair<std::string, bool>> templates;  // name, cluster scope
  doc::List args;                                       // as written: value or valueFrom
  std::int64_t starting_step = 0;
};
struct Step {
  enum class Kind { set_weight, pause, analysis, set_canary_scale };
  Kind kind = Kind::pause;
  std::int64_t weight = 0;
  std::optional<Millis> duration;  // of a pause; nothing: until promoted
  Analysis analysis;
  std::optional<std::int64_t> scale_replicas, scale_weight;  // setCanaryScale; neither: as the traffic's weight
};
// Istio: a VirtualService and which of its routes (none named: the only one).
struct MeshRoute {
  std::string name;
  std::vector<std::string> routes;
};
struct Canary {
  std::vector<MeshRoute> virtual_services;
  std::string destination_rule, canary_subset, stable_subset;  // Istio by subsets instead of hosts
  std::string split_name, split_root;                          // SMI: a TrafficSplit of ours and its root service
  std::vector<Step> steps;
  std::string steps_hash;
  Share surge, unavailable;
  std::string canary_service, stable_service;
  std::vector<std::string> http_routes;  // trafficRouting by HTTPRoute weights
  std::vector<std::string> ingresses;    // trafficRouting by a second Ingress with NGINX's canary annotations
  bool routed = false;
  std::optional<Analysis> analysis;  // in the background
  std::int64_t min_pods = 1;
};
struct BlueGreen {
  std::string active_service, preview_service;
  bool auto_promotion = true;
  std::optional<std::int64_t> auto_promotion_seconds;
  std::optional<std::int64_t> preview_replicas;
  std::optional<Analysis> before, after;
  Share unavailable{0, true};
};
struct Spec {
  std::int64_t replicas = 1, min_ready_seconds = 0, history_limit = 10, progress_deadline = 600;
  bool progress_abort = false, paused = false;
  doc::Value selector, pod_template;
  std::string workload;              // name of the Deployment that lends its template
  std::string workload_scale_down;   // never, onsuccess, progressively
  std::int64_t rollback_window = 0;  // revisions
  std::optional<std::int64_t> scale_down_delay, scale_down_limit, abort_scale_down_delay;
  std::optional<WallTime> restart_at;  // pods made before it are replaced
  std::optional<Canary> canary;
  std::optional<BlueGreen> blue_green;

  // Seconds an old ReplicaSet keeps its pods after traffic left it; an aborted one: nothing means for good.
  std::int64_t old_delay() const;
  std::optional<std::int64_t> abort_delay() const;
};
// `workload`: the Deployment of workloadRef, when it exists. Errors: invalid, in Argo's words where it has some; it
// becomes the condition InvalidSpec.
Result<Spec> parse_spec(const kube::Object& rollout, const kube::Object& workload);

// Label value of a template: FNV-1a over its JSON with sorted keys, in the alphabet of Kubernetes' names.
std::string template_hash(const doc::Value& pod_template, std::int64_t collisions);
// Whether `kept` (with a server's defaults) says everything that `wanted` says: to take over what Argo made.
bool covers(const doc::Value& kept, const doc::Value& wanted);

}  // namespace slipway::rollout
