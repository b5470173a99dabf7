// Health of argoproj.io's kinds. Rules: Argo CD's checks for them, restated.
#include "base/text.h"
#include "gitops/detail/health.h"

namespace slipway::gitops::detail {
namespace {

// Old controllers wrote a hash where the generation stands now: anything that cannot be a generation counts as seen.
bool seen(std::string_view observed, std::int64_t generation) {
  if (observed.empty()) return false;
  auto number = to_int(observed);
  return !number || *number >= generation;
}

bool is_observed(const kube::Object& o) {
  auto status = o["status"];
  if (!status.present() || status.members().empty()) return false;
  if (!seen(status["observedGeneration"].text(), o.generation())) return false;
  auto workload = o.annotation("rollout.argoproj.io/workload-generation");
  if (!o["spec"]["workloadRef"].present() || workload.empty() || !status["workloadObservedGeneration"].present())
    return true;
  return seen(status["workloadObservedGeneration"].text(), to_int(workload).value_or(0));
}

// Before phases there were only counts.
HealthStatus rollout_by_counts(const kube::Object& o) {
  auto status = o["status"];
  if (!status["pauseConditions"].items().empty() || o["spec"]["paused"].bool_or(false))
    return {Health::suspended, "Rollout is paused"};
  auto want = o["spec"]["replicas"].num_or(1), all = status["replicas"].num_or(0),
       updated = status["updatedReplicas"].num_or(0), available = status["availableReplicas"].num_or(0);
  bool blue_green = o["spec"]["strategy"]["blueGreen"].present();
  if (updated < want) return progressing("Waiting for roll out to finish: More replicas need to be updated");
  if (available < updated)
    return progressing("Waiting for roll out to finish: updated replicas are still becoming available");
  if (!blue_green && all > updated)
    return progressing("Waiting for roll out to finish: old replicas are pending termination");
  if (blue_green && status["blueGreen"]["activeSelector"].present() &&
      status["blueGreen"]["activeSelector"].text() != status["currentPodHash"].text())
    return progressing("active service cutover pending");
  return {};
}

struct Words {
  std::string_view phase;
  Health health;
  std::string_view message;
};
template <std::size_t N>
HealthStatus by_phase(const kube::Object& o, const Words (&table)[N], std::string_view otherwise) {
  auto phase = o["status"]["phase"].text(), message = o["status"]["message"].text();
  for (const auto& words : table)
    if (words.phase == phase) return {words.health, message.empty() ? std::string(words.message) : message};
  return progressing(std::string(otherwise));
}

}  // namespace

HealthStatus rollout(const kube::Object& o) {
  if (!is_observed(o)) return progressing("Waiting for rollout spec update to be observed");
  for (const auto& c : o["status"]["conditions"].items()) {
    auto type = c["type"].text(), reason = c["reason"].text();
    if (type == "InvalidSpec" ||
        (type == "Progressing" && (reason == "RolloutAborted" || reason == "ProgressDeadlineExceeded")))
      return {Health::degraded, c["message"].text()};
  }
  auto phase = o["status"]["phase"].text(), message = o["status"]["message"].text();
  if (phase.empty()) return rollout_by_counts(o);
  if (phase == "Healthy") return {Health::healthy, message};
  if (phase == "Degraded") return {Health::degraded, message};
  if (phase == "Paused") return {Health::suspended, message};
  return progressing(message);
}

HealthStatus analysis_run(const kube::Object& o) {
  static constexpr Words table[] = {{"Pending", Health::progressing, "Analysis run is running"},
                                    {"Running", Health::progressing, "Analysis run is running"},
                                    {"Successful", Health::healthy, "Analysis run completed successfully"},
                                    {"Failed", Health::degraded, "Analysis run failed"},
                                    {"Error", Health::degraded, "Analysis run had an error"},
                                    {"Inconclusive", Health::unknown, "Analysis run was inconclusive"}};
  return by_phase(o, table, "Waiting for analysis run to finish: status has not been reconciled.");
}

HealthStatus experiment(const kube::Object& o) {
  static constexpr Words table[] = {{"Pending", Health::progressing, "Experiment is pending"},
                                    {"Running", Health::progressing, "Experiment is running"},
                                    {"Successful", Health::healthy, "Experiment is successful"},
                                    {"Failed", Health::degraded, "Experiment has failed"},
                                    {"Error", Health::degraded, "Experiment had an error"}};
  auto health = by_phase(o, table, "Waiting for experiment to finish: status has not been reconciled.");
  // Unlike a run's, an experiment's own message is not what is shown.
  for (const auto& words : table)
    if (words.phase == o["status"]["phase"].text()) health.message = words.message;
  return health;
}

// Argo CD has no check of its own for this, so waves do not wait for child Applications there unless an owner writes
// one. Here they do: as the child says itself, of what its spec says now.
HealthStatus application(const kube::Object& o) {
  auto status = o["status"], spec = o["spec"];
  auto compared = status["sync"]["comparedTo"];
  std::string_view sources = spec["sources"].present() ? "sources" : "source";
  if (status["sync"]["status"].text().empty()) return progressing("Waiting for the Application to be looked at");
  if (compared[sources].value() != spec[sources].value() ||
      compared["destination"].value() != spec["destination"].value())
    return progressing("Waiting for the Application to be compared with its new spec");
  if (status["operationState"]["phase"].text() == "Running")
    return progressing(status["operationState"]["message"].text());
  if (spec["syncPolicy"]["automated"].exists() && status["sync"]["status"].text() == "OutOfSync")
    return progressing("Waiting for the Application to be synced");
  auto health = parse_health(status["health"]["status"].text());
  return {health.value_or(Health::progressing), status["health"]["message"].text()};
}

HealthStatus workflow(const kube::Object& o) {
  auto phase = o["status"]["phase"].text(), message = o["status"]["message"].text();
  if (phase == "Failed" || phase == "Error") return {Health::degraded, message};
  if (phase == "Succeeded") return {Health::healthy, message};
  if (phase.empty() || phase == "Pending" || phase == "Running") return progressing(message);
  return {Health::unknown, message};
}

HealthStatus application_set(const kube::Object& o) {
  auto conditions = o["status"]["conditions"].items();
  if (conditions.empty()) return progressing("Waiting for the status to be reported");
  for (const auto& c : conditions) {
    auto type = c["type"].text(), status = c["status"].text();
    if ((type == "ErrorOccurred" && status == "True") || (type == "ResourcesUpToDate" && status == "False"))
      return {Health::degraded, c["message"].text()};
  }
  if (auto c = condition(o, "RolloutProgressing"); c["status"].text() == "True")
    return progressing(c["message"].text());
  return {Health::healthy, condition(o, "ResourcesUpToDate")["message"].text()};
}

}  // namespace slipway::gitops::detail
