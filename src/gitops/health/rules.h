#pragma once
// Health of kinds by written rules: kinds/*.rules, whose first lines say how one is written. A kind's rules are read
// when the first object of it is looked at; nothing happens before.
#include "gitops/health.h"

namespace slipway::gitops::health {

// By the first rule that fits. Nothing: there are no rules for the kind. Threads: any.
std::optional<HealthStatus> by_rules(const kube::Object& object);
// For an object that is being deleted: what its kind's rules say of that. Nothing: they say nothing.
std::optional<HealthStatus> deletion_by_rules(const kube::Object& object);

// What is wrong with rules as written: "line 3: ...". For the test that reads all of them.
std::vector<std::string> problems_of(std::string_view rules);
std::string_view written_rules();

// What a rule says, or a message.
struct Message {
  std::string_view text;        // as written
  std::string_view conditions;  // where the kind's conditions stand
};
std::string render(const Message& message, const doc::Value& object);
// "" when it can be rendered.
std::string problem_of(const Message& message);
}  // namespace slipway::gitops::health
