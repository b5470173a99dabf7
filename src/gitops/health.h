#pragma once
// How well an object does, by its kind. Rules: Argo CD's gitops-engine health checks, restated.
#include <string>

#include "kube/object.h"

namespace slipway::gitops {

// Best to worst; an application is as well as its worst object.
enum class Health { healthy, suspended, progressing, missing, degraded, unknown };
std::string_view to_string(Health health);  // Healthy, Suspended ...
std::optional<Health> parse_health(std::string_view text);

struct HealthStatus {
  Health health = Health::healthy;
  std::string message;
};
// Nothing: the kind has no check.
std::optional<HealthStatus> health_of(const kube::Object& object);

}  // namespace slipway::gitops
