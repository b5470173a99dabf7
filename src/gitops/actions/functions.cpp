// Actions that make objects, or count.
#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "gitops/actions/table.h"

namespace slipway::gitops::actions {
namespace {

// A name for what is made now: "hello-01785012345".
std::string name_of_now(const kube::Object& object, const ActionCall& call) {
  auto now = parse_rfc3339(call.now).value_or(WallTime{});
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return fmt::format("{}-{:011}", object.name().substr(0, 50), std::max<std::int64_t>(seconds, 0));
}

doc::Value child_of(const kube::Object& object, const kube::Type& type, const ActionCall& call) {
  auto child = kube::make_object(type, {object.ns(), name_of_now(object, call)});
  child["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(object)};
  return child;
}

void take(doc::Value& child, const char* what, const doc::View& metadata) {
  if (!metadata[what].members().empty()) child["metadata"][what] = metadata[what].value();
}

Result<std::vector<ActionWrite>> create_job(const kube::Object& object, const ActionCall& call) {
  auto job = child_of(object, {"batch/v1", "Job"}, call);
  auto written = object["spec"]["jobTemplate"];
  take(job, "labels", written["metadata"]);
  take(job, "annotations", written["metadata"]);
  job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] = "manual";  // as kubectl create job --from
  job["spec"] = written["spec"].value();
  return std::vector<ActionWrite>{{true, std::move(job)}};
}

Result<std::vector<ActionWrite>> workflow_of_schedule(const kube::Object& object, const ActionCall& call) {
  auto flow = child_of(object, {"argoproj.io/v1alpha1", "Workflow"}, call);
  auto metadata = object["spec"]["workflowMetadata"];
  take(flow, "labels", metadata);
  take(flow, "annotations", metadata);
  flow["metadata"]["labels"]["workflows.argoproj.io/cron-workflow"] = object.name();
  flow["metadata"]["annotations"]["workflows.argoproj.io/scheduled-time"] = call.now;
  flow["spec"] = object["spec"]["workflowSpec"].value();
  return std::vector<ActionWrite>{{true, std::move(flow)}};
}

Result<std::vector<ActionWrite>> workflow_of_template(const kube::Object& object, const ActionCall& call) {
  auto flow = child_of(object, {"argoproj.io/v1alpha1", "Workflow"}, call);
  auto metadata = object["spec"]["workflowMetadata"];
  take(flow, "labels", metadata);
  take(flow, "annotations", metadata);
  flow["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] = object.name();
  flow["spec"]["workflowTemplateRef"]["name"] = object.name();
  return std::vector<ActionWrite>{{true, std::move(flow)}};
}

doc::Value& status_of(doc::Value& object) {
  auto& status = object["status"];
  if (!status.is_map()) status = doc::Map{};
  return status;
}

// Rollouts before 1.0 know no promoteFull: they wrote a hash where the generation stands now, and end at the last step.
Result<std::vector<ActionWrite>> promote_full(const kube::Object& object, const ActionCall&) {
  auto changed = object.copy();
  auto steps = object["spec"]["strategy"]["canary"]["steps"].items().size();
  auto& status = status_of(changed);
  if (to_int(object["status"]["observedGeneration"].text())) {
    status["promoteFull"] = true;
  } else {
    status.map().erase("abort");
    status.map().erase("pauseConditions");
    if (steps > 0) status["currentStepIndex"] = static_cast<std::int64_t>(steps);
  }
  return std::vector<ActionWrite>{{false, std::move(changed)}};
}

Result<std::vector<ActionWrite>> skip_step(const kube::Object& object, const ActionCall&) {
  auto changed = object.copy();
  auto steps = static_cast<std::int64_t>(object["spec"]["strategy"]["canary"]["steps"].items().size());
  auto& status = status_of(changed);
  status["currentStepIndex"] = std::min(object["status"]["currentStepIndex"].num_or(0), steps - 1) + 1;
  status.map().erase("pauseConditions");
  return std::vector<ActionWrite>{{false, std::move(changed)}};
}

// CloudNativePG: "cluster-2", "2", or "any" of those that are healthy and not the primary.
Result<std::vector<ActionWrite>> promote_instance(const kube::Object& object, const ActionCall& call) {
  auto asked = call.parameters.find("instance");
  auto wanted = asked == call.parameters.end() ? std::string("any") : asked->second;
  auto primary = object["status"]["currentPrimary"].text();
  std::vector<std::string> others;
  for (const auto& one : object["status"]["instancesStatus"]["healthy"].items())
    if (one.text() != primary) others.push_back(one.text());
  auto found = std::find_if(others.begin(), others.end(), [&](const auto& name) {
    return wanted == "any" || name == wanted || name == object.name() + "-" + wanted;
  });
  if (found == others.end())
    return fail(Kind::invalid, "{} is no healthy replica of {}; there are: {}", wanted, object.name(),
                others.empty() ? "none" : join(others, ", "));
  auto changed = object.copy();
  auto& status = status_of(changed);
  status["targetPrimary"] = *found;
  status["targetPrimaryTimestamp"] = call.now;
  status["phase"] = "Switchover in progress";
  status["phaseReason"] = "Switching over to " + *found;
  return std::vector<ActionWrite>{{false, std::move(changed)}};
}

}  // namespace

Function find_function(std::string_view name) {
  if (name == "create_job") return create_job;
  if (name == "workflow_of_schedule") return workflow_of_schedule;
  if (name == "workflow_of_template") return workflow_of_template;
  if (name == "promote_full") return promote_full;
  if (name == "skip_step") return skip_step;
  if (name == "promote_instance") return promote_instance;
  return nullptr;
}

}  // namespace slipway::gitops::actions
