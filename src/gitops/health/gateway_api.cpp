// Gateway API: routes tell how they do for each parent, policies for each ancestor.
#include "base/text.h"
#include "gitops/health/functions.h"
#include "gitops/rules/fields.h"

namespace slipway::gitops::health {
namespace {

using namespace rules;

// A status entry that one controller writes.
struct Entry {
  std::string who;  // "Parent web"
  const doc::Value* value;

  const doc::Value* bad(std::string_view types) const {
    for (const auto* one : at(*value, fmt::format(".conditions[type={},status=False]", types))) return one;
    return nullptr;
  }
  std::string says(const doc::Value& condition) const {
    auto message = condition.str_at({"message"});
    if (message.empty()) message = "Failed condition: " + condition.str_at({"type"});
    return fmt::format("{}: {}", who, message);
  }
};

std::vector<Entry> entries(const doc::Value& object, std::string_view list, std::string_view word,
                           std::string_view reference) {
  std::vector<Entry> found;
  for (const auto* one : at(object, fmt::format(".status.{}[]", list)))
    found.push_back({fmt::format("{} {}", word, first_text(*one, fmt::format(".{}.name", reference))), one});
  return found;
}

std::optional<HealthStatus> by_entries(const doc::Value& object, const std::vector<Entry>& all) {
  auto kind = object.str_at({"kind"});
  auto generation = to_int(first_text(object, ".metadata.generation")).value_or(0);
  for (const auto& entry : all)
    for (const auto* one : at(*entry.value, ".conditions[].observedGeneration"))
      if (to_int(text_of(*one)).value_or(generation) < generation)
        return HealthStatus{Health::progressing, fmt::format("Waiting for {} to update {} status", entry.who, kind)};
  for (const auto& entry : all)
    if (const auto* condition = entry.bad("Accepted|ResolvedRefs"))
      return HealthStatus{Health::degraded, entry.says(*condition)};
  for (const auto& entry : all)
    if (const auto* condition = entry.bad("Programmed"))
      return HealthStatus{Health::progressing, entry.says(*condition)};
  return std::nullopt;
}

}  // namespace

std::optional<HealthStatus> gateway_route(const doc::Value& object) {
  return by_entries(object, entries(object, "parents", "Parent", "parentRef"));
}

std::optional<HealthStatus> gateway_policy(const doc::Value& object) {
  auto all = entries(object, "ancestors", "Ancestor", "ancestorRef");
  if (auto verdict = by_entries(object, all)) return verdict;
  // A controller that says something, but not that it accepts.
  for (const auto& entry : all)
    if (!at(*entry.value, ".conditions[]").empty() && at(*entry.value, ".conditions[type=Accepted]").empty())
      return HealthStatus{Health::degraded, fmt::format("{}: {} is not accepted", entry.who, object.str_at({"kind"}))};
  return std::nullopt;
}

}  // namespace slipway::gitops::health
