#pragma once
// What rules cannot say, by the name that rules give it.
#include "gitops/health.h"

namespace slipway::gitops::health {

// `Use NAME`: a verdict, or nothing for the rules after it.
using Check = std::optional<HealthStatus> (*)(const doc::Value& object);
Check find_check(std::string_view name);  // null: no such check
// `{@NAME}` in a message.
using Words = std::string (*)(const doc::Value& object);
Words find_words(std::string_view name);

// gateway_api.cpp
std::optional<HealthStatus> gateway_route(const doc::Value& object);
std::optional<HealthStatus> gateway_policy(const doc::Value& object);
// promoter.cpp
std::optional<HealthStatus> change_transfer_policy(const doc::Value& object);
std::optional<HealthStatus> promotion_strategy(const doc::Value& object);

}  // namespace slipway::gitops::health
