#include "cluster/api/convert.h"

#include "base/text.h"

namespace slipway::cluster {
namespace {

void rename(doc::Value& in, std::string_view from, std::string_view to) {
  auto* value = in.map().find(from);
  if (value == nullptr) return;
  auto moved = std::move(*value);
  in.map().erase(from);
  in[to] = std::move(moved);
}

// core/v1 <-> events.k8s.io/v1 (kubernetes/pkg/apis/core/v1/conversion.go).
constexpr std::pair<std::string_view, std::string_view> event_names[] = {{"involvedObject", "regarding"},
                                                                         {"message", "note"},
                                                                         {"source", "deprecatedSource"},
                                                                         {"firstTimestamp", "deprecatedFirstTimestamp"},
                                                                         {"lastTimestamp", "deprecatedLastTimestamp"},
                                                                         {"count", "deprecatedCount"},
                                                                         {"reportingComponent", "reportingController"}};

void autoscaler_to_v1(doc::Value& o) {
  auto& spec = o["spec"];
  auto* metrics = spec.map().find("metrics");
  if (metrics == nullptr) return;
  for (const auto& metric : doc::View(*metrics).items())
    if (metric["resource"]["name"].text() == "cpu" && metric["resource"]["target"]["averageUtilization"].present())
      spec["targetCPUUtilizationPercentage"] = metric["resource"]["target"]["averageUtilization"].num_or(80);
  spec.map().erase("metrics");
}
void autoscaler_to_v2(doc::Value& o) {
  auto& spec = o["spec"];
  const auto* target = spec.find("targetCPUUtilizationPercentage");
  if (target == nullptr) return;
  spec["metrics"] = doc::List{doc::Map{
      {"type", "Resource"},
      {"resource",
       doc::Map{{"name", "cpu"}, {"target", doc::Map{{"type", "Utilization"}, {"averageUtilization", *target}}}}}}};
  spec.map().erase("targetCPUUtilizationPercentage");
}

}  // namespace

doc::Value convert(doc::Value object, const kube::Type& to) {
  auto from = object.str_at({"apiVersion"});
  if (from == to.api_version || !object.is_map()) return object;
  object["apiVersion"] = to.api_version;
  if (to.kind == "Event" && to.api_version == "v1")
    for (auto [core, events] : event_names) rename(object, events, core);
  if (to.kind == "Event" && to.api_version == "events.k8s.io/v1")
    for (auto [core, events] : event_names) rename(object, core, events);
  if (to.kind == "HorizontalPodAutoscaler" && to.api_version == "autoscaling/v1") autoscaler_to_v1(object);
  if (to.kind == "HorizontalPodAutoscaler" && to.api_version == "autoscaling/v2") autoscaler_to_v2(object);
  return object;
}

}  // namespace slipway::cluster
