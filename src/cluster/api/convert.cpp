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
