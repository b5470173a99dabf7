#pragma once
// The checks of health.cpp that stand in files of their own.
#include "gitops/health.h"

namespace slipway::gitops::detail {

// A condition by its type; absent: there is none.
inline doc::View condition(const kube::Object& object, std::string_view type) {
  for (const auto& c : object["status"]["conditions"].items())
    if (c["type"].text() == type) return c;
  return object["status"]["conditions"]["none"];
}
inline HealthStatus progressing(std::string message) { return {Health::progressing, std::move(message)}; }

// argoproj.io's own kinds.
HealthStatus rollout(const kube::Object& object);
HealthStatus analysis_run(const kube::Object& object);
HealthStatus experiment(const kube::Object& object);
HealthStatus application_set(const kube::Object& object);
HealthStatus workflow(const kube::Object& object);
HealthStatus application(const kube::Object& object);

// What the object's kind says of it; deletion does not count. Nothing: the kind has no check.
std::optional<HealthStatus> own_health(const kube::Object& object);

}  // namespace slipway::gitops::detail
