#include "gitops/health/functions.h"
#include "gitops/rules/fields.h"

#include "base/text.h"

namespace slipway::gitops::health {
namespace {

using namespace rules;

// OpenTelemetryCollector: "2/3" replicas are ready.
std::optional<HealthStatus> ready_of_all(const doc::Value& object) {
  auto text = object.str_at({"status", "scale", "statusReplicas"});
  auto parts = cut(text, "/");
  auto ready = parts ? to_int(parts->first) : std::nullopt, all = parts ? to_int(parts->second) : std::nullopt;
  if (!ready || !all) return std::nullopt;
  if (*all == 0 && object.str_at({"spec", "mode"}) == "daemonset")
    return HealthStatus{Health::healthy, "DaemonSet has no eligible nodes (0/0)"};
  if (*ready == 0 && *all > 0) return HealthStatus{Health::degraded, "No replicas are ready"};
  if (*ready < *all) return HealthStatus{Health::progressing, "Replicas are starting up"};
  return HealthStatus{Health::healthy, "All replicas are ready"};
}

// InferenceService: its transition and what is not True, by their numbers.
std::string inference_steps(const doc::Value& object) {
  std::string out;
  if (auto transition = object.str_at({"status", "modelStatus", "transitionStatus"}); !transition.empty())
    out = "0: transitionStatus | " + transition;
  std::size_t index = 0;
  for (const auto* one : at(object, ".status.conditions[]")) {
    ++index;
    if (one->str_at({"status"}) == "True" || one->str_at({"type"}) == "Stopped") continue;
    out += fmt::format(" | {}: {} | {}", index, one->str_at({"type"}), one->str_at({"status"}));
    for (auto key : {"reason", "message"})
      if (auto text = one->str_at({key}); !text.empty()) out += " | " + text;
  }
  return out;
}

std::string subscription_state(const doc::Value& object) {
  auto state = object.str_at({"status", "state"});
  return state.empty() ? ".status.state not yet known\n" : fmt::format(".status.state is '{}'\n", state);
}

}  // namespace

Check find_check(std::string_view name) {
  if (name == "gateway_route") return gateway_route;
  if (name == "gateway_policy") return gateway_policy;
  if (name == "change_transfer_policy") return change_transfer_policy;
  if (name == "promotion_strategy") return promotion_strategy;
  if (name == "ready_of_all") return ready_of_all;
  return nullptr;
}

Words find_words(std::string_view name) {
  if (name == "inference_steps") return inference_steps;
  if (name == "subscription_state") return subscription_state;
  return nullptr;
}

}  // namespace slipway::gitops::health
