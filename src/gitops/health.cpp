#include <map>

#include "doc/json.h"
#include "gitops/detail/health.h"
#include "gitops/health/rules.h"

namespace slipway::gitops {
namespace {

using namespace detail;
using Check = HealthStatus (*)(const kube::Object&);

// The controller has not looked at the newest spec yet.
bool stale(const kube::Object& object) {
  return object.generation() > object["status"]["observedGeneration"].num_or(0);
}

HealthStatus deployment(const kube::Object& o) {
  auto status = o["status"];
  auto want = o["spec"]["replicas"].num_or(1);
  if (o["spec"]["paused"].bool_or(false)) return {Health::suspended, "Deployment is paused"};
  if (stale(o))
    return progressing("Waiting for rollout to finish: observed deployment generation less than desired generation");
  if (condition(o, "Progressing")["reason"].text() == "ProgressDeadlineExceeded")
    return {Health::degraded, fmt::format("Deployment \"{}\" exceeded its progress deadline", o.name())};
  auto updated = status["updatedReplicas"].num_or(0), replicas = status["replicas"].num_or(0),
       available = status["availableReplicas"].num_or(0);
  if (updated < want)
    return progressing(
        fmt::format("Waiting for rollout to finish: {} out of {} new replicas have been updated...", updated, want));
  if (replicas > updated)
    return progressing(
        fmt::format("Waiting for rollout to finish: {} old replicas are pending termination...", replicas - updated));
  if (available < updated)
    return progressing(
        fmt::format("Waiting for rollout to finish: {} of {} updated replicas are available...", available, updated));
  return {};
}

HealthStatus replica_set(const kube::Object& o) {
  if (stale(o))
    return progressing("Waiting for rollout to finish: observed replica set generation less than desired generation");
  auto failure = condition(o, "ReplicaFailure");
  if (failure["status"].text() == "True") return {Health::degraded, failure["message"].text()};
  auto want = o["spec"]["replicas"].num_or(1), available = o["status"]["availableReplicas"].num_or(0);
  if (available < want)
    return progressing(
        fmt::format("Waiting for rollout to finish: {} out of {} new replicas are available...", available, want));
  return {};
}

HealthStatus stateful_set(const kube::Object& o) {
  auto status = o["status"];
  if (status["observedGeneration"].num_or(0) == 0 || stale(o))
    return progressing("Waiting for statefulset spec update to be observed...");
  auto want = o["spec"]["replicas"].num_or(1), ready = status["readyReplicas"].num_or(0),
       updated = status["updatedReplicas"].num_or(0);
  if (ready < want) return progressing(fmt::format("Waiting for {} pods to be ready...", want - ready));
  auto strategy = o["spec"]["updateStrategy"];
  if (strategy["type"].text() == "OnDelete") return {};
  if (strategy["rollingUpdate"].present()) {
    auto partition = strategy["rollingUpdate"]["partition"].num_or(0);
    if (updated < want - partition)
      return progressing(
          fmt::format("Waiting for partitioned roll out to finish: {} out of {} new pods have been updated...", updated,
                      want - partition));
    return {};
  }
  if (status["updateRevision"].text() != status["currentRevision"].text())
    return progressing(fmt::format("waiting for statefulset rolling update to complete {} pods at revision {}...",
                                   updated, status["updateRevision"].text()));
  return {};
}

HealthStatus daemon_set(const kube::Object& o) {
  auto status = o["status"];
  if (stale(o))
    return progressing("Waiting for rollout to finish: observed daemon set generation less than desired generation");
  if (o["spec"]["updateStrategy"]["type"].text() == "OnDelete") return {};
  auto want = status["desiredNumberScheduled"].num_or(0), updated = status["updatedNumberScheduled"].num_or(0),
       available = status["numberAvailable"].num_or(0);
  if (updated < want)
    return progressing(
        fmt::format("Waiting for daemon set \"{}\" rollout to finish: {} out of {} new pods have been updated...",
                    o.name(), updated, want));
  if (available < want)
    return progressing(
        fmt::format("Waiting for daemon set \"{}\" rollout to finish: {} of {} updated pods are available...", o.name(),
                    available, want));
  return {};
}

// A container that waits with an error, by the names the node agent gives.
std::string waiting_error(const kube::Object& o) {
  for (const auto& container : o["status"]["containerStatuses"].items()) {
    auto reason = container["state"]["waiting"]["reason"].text();
    if (reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff"))
      return container["state"]["waiting"]["message"].str_or(reason);
  }
  return {};
}

HealthStatus pod(const kube::Object& o) {
  auto phase = o["status"]["phase"].text();
  auto message = o["status"]["message"].text();
  bool always = o["spec"]["restartPolicy"].str_or("Always") == "Always";
  if (always) {
    if (auto error = waiting_error(o); !error.empty()) return {Health::degraded, error};
  }
  if (phase == "Pending") return progressing(message);
  if (phase == "Succeeded") return {Health::healthy, message};
  if (phase == "Failed") {
    for (const auto& container : o["status"]["containerStatuses"].items()) {
      auto ended = container["state"]["terminated"];
      if (message.empty() && ended["exitCode"].num_or(0) != 0)
        message = ended["message"].str_or(fmt::format("container \"{}\" failed with exit code {}",
                                                      container["name"].text(), ended["exitCode"].num_or(0)));
    }
    return {Health::degraded, message};
  }
  if (phase != "Running") return {Health::unknown, message};
  if (!always) return progressing(message);
  if (condition(o, "Ready")["status"].text() == "True") return {Health::healthy, message};
  for (const auto& container : o["status"]["containerStatuses"].items())
    if (container["lastState"]["terminated"].present()) return {Health::degraded, message};
  return progressing(message);
}

HealthStatus job(const kube::Object& o) {
  if (auto c = condition(o, "Failed"); c.exists()) return {Health::degraded, c["message"].text()};
  if (auto c = condition(o, "Suspended"); c["status"].text() == "True") return {Health::suspended, c["message"].text()};
  if (auto c = condition(o, "Complete"); c.exists()) return {Health::healthy, c["message"].text()};
  return progressing(o["status"]["message"].text());
}

HealthStatus service(const kube::Object& o) {
  if (o["spec"]["type"].text() == "LoadBalancer" && o["status"]["loadBalancer"]["ingress"].items().empty())
    return progressing("");
  return {};
}

HealthStatus volume_claim(const kube::Object& o) {
  auto phase = o["status"]["phase"].text();
  if (phase == "Bound") return {};
  if (phase == "Lost") return {Health::degraded, ""};
  return {phase == "Pending" ? Health::progressing : Health::unknown, ""};
}

HealthStatus autoscaler(const kube::Object& o) {
  bool good = false;
  for (const auto& c : o["status"]["conditions"].items()) {
    auto reason = c["reason"].text();
    if (reason.starts_with("FailedGet") || reason == "FailedUpdateScale" || reason == "FailedComputeMetricsReplicas" ||
        reason == "InvalidSelector")
      return {Health::degraded, c["message"].text()};
    if ((c["type"].text() == "AbleToScale" || c["type"].text() == "ScalingLimited") && c["status"].text() == "True")
      good = true;
  }
  return good ? HealthStatus{} : progressing("Waiting to Autoscale");
}

// autoscaling/v1 tells its conditions in an annotation.
HealthStatus old_autoscaler(const kube::Object& o) {
  auto text = o.annotation("autoscaling.alpha.kubernetes.io/conditions");
  if (text.empty()) return progressing("Waiting to Autoscale");
  auto conditions = doc::parse_json(text);
  if (!conditions) return {Health::unknown, "the annotation autoscaling.alpha.kubernetes.io/conditions is no JSON"};
  auto object = o.copy();
  object["status"]["conditions"] = *std::move(conditions);
  return autoscaler(kube::Object(std::move(object)));
}

HealthStatus cron_job(const kube::Object& o) {
  auto status = o["status"];
  if (o["spec"]["suspend"].bool_or(false)) return {Health::healthy, "CronJob is Suspended"};
  if (!status["active"].items().empty())
    return {Health::healthy, "The job is running. Its last execution may not have been successful"};
  auto scheduled = parse_rfc3339(status["lastScheduleTime"].text()),
       succeeded = parse_rfc3339(status["lastSuccessfulTime"].text());
  if (!scheduled) return {Health::healthy, "CronJob has not been scheduled yet"};
  if (!succeeded) return {Health::healthy, "The CronJob never completed successfully. It may not be healthy"};
  if (*succeeded < *scheduled) return {Health::degraded, "CronJob has not completed its last execution successfully"};
  return {Health::healthy, "CronJob has completed its last execution successfully"};
}

HealthStatus api_service(const kube::Object& o) {
  auto c = condition(o, "Available");
  if (!c.exists()) return progressing("Waiting to be processed");
  auto message = fmt::format("{}: {}", c["reason"].text(), c["message"].text());
  return {c["status"].text() == "True" ? Health::healthy : Health::progressing, message};
}

HealthStatus custom_definition(const kube::Object& o) {
  for (const auto& c : o["status"]["conditions"].items())
    if (c["type"].text() == "NamesAccepted" && c["status"].text() == "False")
      return {Health::degraded, c["message"].text()};
  if (condition(o, "Established")["status"].text() == "True") return {Health::healthy, "CRD is healthy"};
  return progressing("Status conditions not found");
}

HealthStatus ingress(const kube::Object& o) {
  return o["status"]["loadBalancer"]["ingress"].items().empty() ? progressing("") : HealthStatus{};
}

const std::map<std::pair<std::string_view, std::string_view>, Check>& checks() {
  static const std::map<std::pair<std::string_view, std::string_view>, Check> table{
      {{"apps", "Deployment"}, deployment},
      {{"apps", "ReplicaSet"}, replica_set},
      {{"apps", "StatefulSet"}, stateful_set},
      {{"apps", "DaemonSet"}, daemon_set},
      {{"", "Pod"}, pod},
      {{"batch", "Job"}, job},
      {{"", "Service"}, service},
      {{"", "PersistentVolumeClaim"}, volume_claim},
      {{"autoscaling", "HorizontalPodAutoscaler"}, autoscaler},
      {{"batch", "CronJob"}, cron_job},
      {{"apiregistration.k8s.io", "APIService"}, api_service},
      {{"argoproj.io", "Application"}, application},
      {{"argoproj.io", "Rollout"}, rollout},
      {{"argoproj.io", "AnalysisRun"}, analysis_run},
      {{"argoproj.io", "Experiment"}, experiment},
      {{"argoproj.io", "ApplicationSet"}, application_set},
      {{"argoproj.io", "Workflow"}, workflow},
      {{"networking.k8s.io", "Ingress"}, ingress},
      {{"extensions", "Ingress"}, ingress},
      {{"apiextensions.k8s.io", "CustomResourceDefinition"}, custom_definition},
  };
  return table;
}

constexpr std::string_view names[] = {"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"};

}  // namespace

std::string_view to_string(Health health) { return names[static_cast<int>(health)]; }

std::optional<Health> parse_health(std::string_view text) {
  for (int i = 0; i < 6; ++i)
    if (names[i] == text) return static_cast<Health>(i);
  return std::nullopt;
}

std::optional<HealthStatus> detail::own_health(const kube::Object& object) {
  auto type = object.type();
  auto found = checks().find({type.group(), type.kind});
  if (found == checks().end()) return health::by_rules(object);
  if (type.kind == "HorizontalPodAutoscaler" && type.version() == "v1") return old_autoscaler(object);
  return found->second(object);
}

std::optional<HealthStatus> health_of(const kube::Object& object) {
  if (!object.deleting()) return detail::own_health(object);
  return health::deletion_by_rules(object).value_or(HealthStatus{Health::progressing, "Pending deletion"});
}

}  // namespace slipway::gitops
