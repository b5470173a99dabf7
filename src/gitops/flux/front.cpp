// Flux's Kustomization as a front of the engine: its status as `flux get` and kubectl read it.
#include "gitops/front.h"

#include <algorithm>

#include "base/text.h"
#include "gitops/flux/expressions.h"
#include "gitops/flux/kustomization.h"
#include "gitops/flux/objects.h"

namespace slipway::gitops {
namespace {

using namespace flux;

bool is_error(const AppCondition& condition) { return !condition.type.ends_with("Warning"); }

// Flux's word for what is wrong.
std::string reason_of(const AppStatus& status, const AppCondition* wrong) {
  if (wrong != nullptr && wrong->type == "DependencyNotReady") return "DependencyNotReady";
  if (wrong != nullptr && wrong->type == "ArtifactFailed") return "ArtifactFailed";
  if (wrong != nullptr && wrong->type == "InvalidSpecError") return "InvalidSpec";
  if (wrong != nullptr && wrong->type == "InvalidExpressionError") return "InvalidCELExpression";
  if (wrong != nullptr && wrong->type == "ComparisonError") return "BuildFailed";
  return status.operation.message.starts_with("health check failed") ? "HealthCheckFailed" : "ReconciliationFailed";
}

// The newest revision that everything is equal to: a commit that changes nothing needs no operation.
std::string applied_revision(const AppStatus& status, const kube::Object& before) {
  const auto& op = status.operation;
  if (op.phase != "Succeeded") return before["status"]["lastAppliedRevision"].text();
  bool wrong = std::any_of(status.conditions.begin(), status.conditions.end(), is_error);
  return status.sync == "Synced" && !wrong && !status.revision().empty() ? status.revision() : op.revision();
}

void ready_conditions(const AppStatus& status, const kube::Object& before, Conditions& conditions) {
  const auto& op = status.operation;
  const AppCondition* wrong = nullptr;
  for (const auto& condition : status.conditions)
    if (wrong == nullptr && is_error(condition)) wrong = &condition;
  bool running = op.running(), failed = !op.phase.empty() && !running && op.phase != "Succeeded";
  bool gate = before["spec"]["wait"].bool_or(false) || !before["spec"]["healthChecks"].items().empty();
  bool sick = wrong == nullptr && op.phase == "Succeeded" && before["spec"]["wait"].bool_or(false) &&
              status.health == "Degraded";
  auto message = wrong != nullptr ? wrong->message : op.message;
  bool stalled = wrong != nullptr && (wrong->type == "InvalidSpecError" || wrong->type == "InvalidExpressionError");
  if (stalled)
    conditions.set("Stalled", "True", reason_of(status, wrong), message);
  else if (running)
    conditions.set("Reconciling", "True", "Progressing", message.empty() ? "Reconciliation in progress" : message);
  else if (wrong != nullptr || failed || sick)
    conditions.set("Reconciling", "True", "ProgressingWithRetry", message);
  if (wrong != nullptr || failed)
    conditions.set("Ready", "False", reason_of(status, wrong), message);
  else if (sick)
    conditions.set("Ready", "False", "HealthCheckFailed", "health check failed: " + status.health_message);
  else if (running || op.phase.empty())
    conditions.set("Ready", "Unknown", "Progressing", "Reconciliation in progress");
  else
    conditions.set("Ready", "True", "ReconciliationSucceeded", "Applied revision: " + applied_revision(status, before));
  if (gate && wrong == nullptr && op.phase == "Succeeded")
    conditions.set("Healthy", sick ? "False" : "True", sick ? "HealthCheckFailed" : "Succeeded",
                   sick ? status.health_message : "Health check passed");
}

class FluxFront final : public Front {
 public:
  kube::Type type() const override { return kustomization_type; }
  std::string owner(const kube::Key& key) const override { return fmt::format("Kustomization/{}", key.str()); }

  Result<Application> read(const Ctx& ctx, kube::Client& home, const kube::Object& object) const override {
    return read_kustomization(ctx, home, object);
  }
  std::string condition_of(const Error& error) const override {
    if (!error.is(Kind::invalid)) return "ArtifactFailed";
    return is_of_an_expression(error) ? "InvalidExpressionError" : "InvalidSpecError";
  }
  std::vector<Task> tasks(const std::vector<doc::Value>& objects, const Application& app,
                          std::vector<std::string>&) const override {
    return kustomization_tasks(objects, app.options);
  }
  void mark(doc::Value& object, const Application& app, const Task&) const override {
    auto& labels = object["metadata"].map()["labels"].map();
    labels.set(flux_name_label, app.key.name), labels.set(flux_namespace_label, app.key.ns);
  }

  AppStatus status_from(const kube::Object& object) const override {
    AppStatus status;
    auto view = object["status"];
    for (const auto& entry : view["inventory"]["entries"].items())
      if (auto id = inventory_id(entry)) status.inventory.push_back({id->type, id->key});
    status.operation = operation_from(view["operationState"]);
    // Written by Flux itself: what it applied last is what was done last.
    if (auto applied = view["lastAppliedRevision"].text(); status.operation.phase.empty() && !applied.empty())
      status.operation.phase = "Succeeded", status.operation.revisions = {applied};
    if (auto attempted = view["lastAttemptedRevision"].text(); !attempted.empty()) status.revisions = {attempted};
    return status;
  }

  doc::Value to_doc(const AppStatus& status, const kube::Object& before, const std::string& now) const override {
    doc::Map map;
    Conditions conditions(before, now);
    ready_conditions(status, before, conditions);
    map.set("conditions", conditions.take());
    doc::List entries;
    for (const auto& entry : status.inventory) entries.push_back(inventory_entry(entry.type, entry.key));
    map.set("inventory", doc::Map{{"entries", std::move(entries)}});
    const auto& op = status.operation;
    auto applied = applied_revision(status, before);
    if (!applied.empty()) map.set("lastAppliedRevision", applied);
    if (!status.revision().empty()) map.set("lastAttemptedRevision", status.revision());
    auto handled = before.annotation(requested_at);
    if (handled.empty()) handled = before["status"]["lastHandledReconcileAt"].text();
    if (!handled.empty()) map.set("lastHandledReconcileAt", handled);
    map.set("observedGeneration", before.generation());
    if (!op.phase.empty()) map.set("operationState", operation_doc(op));
    return map;
  }
  std::string_view end_reason(bool succeeded) const override {
    return succeeded ? "ReconciliationSucceeded" : "ReconciliationFailed";
  }
  std::string status_subresource() const override { return "status"; }

  std::optional<kube::RemoveOptions::Propagation> cascade_of(const kube::Object& object) const override {
    auto spec = object["spec"];
    auto policy = spec["deletionPolicy"].str_or("MirrorPrune");
    bool takes = policy == "Delete" || policy == "WaitForTermination" ||
                 (policy == "MirrorPrune" && spec["prune"].bool_or(false));
    if (!takes || spec["suspend"].bool_or(false)) return std::nullopt;
    return kube::RemoveOptions::Propagation::background;
  }
  // Only where the policy says so, and no longer than the timeout.
  std::optional<Millis> deletion_patience(const kube::Object& object) const override {
    auto spec = object["spec"];
    if (spec["deletionPolicy"].text() != "WaitForTermination") return Millis(0);
    auto interval = duration(spec["interval"], Millis(600000)).value_or(Millis(600000));
    return duration(spec["timeout"], interval).value_or(interval);
  }
  bool is_our_finalizer(std::string_view name) const override { return name == finalizer; }
  bool takes_definitions() const override { return true; }

  std::string unready(const kube::Object& dependency, const Application& waiting) const override {
    auto status = dependency["status"];
    if (status["observedGeneration"].num_or(-1) != dependency.generation() ||
        kube::condition_status(dependency, "Ready") != "True")
      return "is not ready";
    bool same_source = waiting.source_name == source_name_of(dependency);
    return same_source && status["lastAppliedRevision"].text() != waiting.revision_text ? "revision is not up to date"
                                                                                        : "";
  }
};

}  // namespace

const Front& flux_front() {
  static const FluxFront front;
  return front;
}

}  // namespace slipway::gitops
