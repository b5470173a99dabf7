// HorizontalPodAutoscaler between autoscaling/v1 and v2. What v1 has no field for stands there in annotations, each a
// JSON text. Rule: pkg/apis/autoscaling/v1/conversion.go.
#include <map>

#include "base/text.h"
#include "cluster/api/convert.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::cluster {
namespace {

constexpr std::string_view prefix = "autoscaling.alpha.kubernetes.io/";

// Where a member of v2's metrics stands in v1's flat form. "{}" is "target" in a spec and "current" in a status; in
// v1's names it is the same word before a capital letter.
struct Member {
  std::string_view v2, v1;
};
const std::map<std::string_view, std::vector<Member>>& members() {
  static const std::map<std::string_view, std::vector<Member>> table{
      {"resource",
       {{"name", "name"}, {"{}.averageUtilization", "{}AverageUtilization"}, {"{}.averageValue", "{}AverageValue"}}},
      {"containerResource",
       {{"name", "name"},
        {"container", "container"},
        {"{}.averageUtilization", "{}AverageUtilization"},
        {"{}.averageValue", "{}AverageValue"}}},
      {"pods", {{"metric.name", "metricName"}, {"metric.selector", "selector"}, {"{}.averageValue", "{}AverageValue"}}},
      {"object",
       {{"describedObject", "target"},
        {"metric.name", "metricName"},
        {"metric.selector", "selector"},
        {"{}.value", "{}Value"},
        {"{}.averageValue", "averageValue"}}},
      {"external",
       {{"metric.name", "metricName"},
        {"metric.selector", "metricSelector"},
        {"{}.value", "{}Value"},
        {"{}.averageValue", "{}AverageValue"}}}};
  return table;
}

doc::View at(doc::View value, std::string_view path) {
  for (auto part : split(path, '.')) value = value[part];
  return value;
}
void put(doc::Value& in, std::string_view path, const doc::Value& what) {
  auto* place = &in;
  for (auto part : split(path, '.')) place = &(*place)[part];
  *place = what;
}

// One metric; `word` is "target" or "current".
doc::Value flat(const doc::View& metric, const std::string& word) {
  doc::Value out = doc::Map{{"type", metric["type"].text()}};
  for (const auto& [source, names] : members())
    for (const auto& name : names)
      if (auto value = at(metric[source], replace_all(std::string(name.v2), "{}", word)); value.present())
        out[source][replace_all(std::string(name.v1), "{}", word)] = value.value();
  return out;
}
doc::Value deep(const doc::View& metric, const std::string& word) {
  doc::Value out = doc::Map{{"type", metric["type"].text()}};
  for (const auto& [source, names] : members()) {
    if (!metric[source].present()) continue;
    for (const auto& name : names)
      if (auto value = metric[source][replace_all(std::string(name.v1), "{}", word)]; value.present())
        put(out[source], replace_all(std::string(name.v2), "{}", word), value.value());
    if (word != "target") continue;
    auto& target = out[source]["target"];
    target["type"] = target.find("averageUtilization") != nullptr ? "Utilization"
                     : target.find("value") != nullptr            ? "Value"
                                                                  : "AverageValue";
  }
  return out;
}

doc::Value taken(doc::Value& from, std::string_view key) {
  if (!from.is_map()) return {};
  auto* found = from.map().find(key);
  if (found == nullptr) return {};
  auto value = std::move(*found);
  from.map().erase(key);
  return value;
}

void note(doc::Value& o, std::string_view what, const doc::Value& value) {
  o["metadata"]["annotations"][fmt::format("{}{}", prefix, what)] = doc::print_json(value);
}
// What an annotation said, which is gone then; null: nothing, or no JSON.
doc::Value noted(doc::Value& o, std::string_view what) {
  auto* metadata = o.map().find("metadata");
  if (metadata == nullptr || !metadata->is_map()) return {};
  auto* annotations = metadata->map().find("annotations");
  if (annotations == nullptr || !annotations->is_map()) return {};
  auto text = taken(*annotations, fmt::format("{}{}", prefix, what));
  if (annotations->map().empty()) metadata->map().erase("annotations");
  if (text.if_string() == nullptr) return {};
  return doc::parse_json(*text.if_string()).value_or(doc::Value());
}

// Takes the CPU's utilization out of `metrics`: v1 has a field for it alone.
doc::Value without_cpu(const doc::Value& metrics, const std::string& word, doc::Value& utilization) {
  doc::List rest;
  for (const auto& metric : doc::View(metrics).items()) {
    auto share = metric["resource"][word]["averageUtilization"];
    if (metric["type"].text() == "Resource" && metric["resource"]["name"].text() == "cpu" && share.present())
      utilization = share.value();
    else
      rest.push_back(flat(metric, word));
  }
  return rest;
}
void with_cpu(doc::List& metrics, const std::string& word, const doc::Value& utilization) {
  if (utilization.is_null()) return;
  doc::Value metric = doc::Map{{"type", "Resource"}, {"resource", doc::Map{{"name", "cpu"}}}};
  if (word == "target") metric["resource"][word]["type"] = "Utilization";
  metric["resource"][word]["averageUtilization"] = utilization;
  metrics.insert(metrics.begin(), std::move(metric));
}
doc::List all_deep(const doc::Value& metrics, const std::string& word) {
  doc::List out;
  for (const auto& metric : doc::View(metrics).items()) out.push_back(deep(metric, word));
  return out;
}

}  // namespace

void autoscaler_to_v1(doc::Value& o) {
  auto& spec = o["spec"];
  doc::Value utilization;
  auto rest = without_cpu(taken(spec, "metrics"), "target", utilization);
  if (!utilization.is_null()) o["spec"]["targetCPUUtilizationPercentage"] = utilization;
  if (!rest.if_list()->empty()) note(o, "metrics", rest);
  if (auto behavior = taken(o["spec"], "behavior"); !behavior.is_null()) note(o, "behavior", behavior);
  auto* status = o.map().find("status");
  if (status == nullptr || !status->is_map()) return;
  auto conditions = taken(*status, "conditions"), metrics = taken(*status, "currentMetrics");
  doc::Value current;
  auto others = without_cpu(metrics, "current", current);
  if (!current.is_null()) (*status)["currentCPUUtilizationPercentage"] = current;
  if (!conditions.is_null()) note(o, "conditions", conditions);
  if (!others.if_list()->empty()) note(o, "current-metrics", others);
}

void autoscaler_to_v2(doc::Value& o) {
  auto metrics = all_deep(noted(o, "metrics"), "target"), current = all_deep(noted(o, "current-metrics"), "current");
  auto behavior = noted(o, "behavior"), conditions = noted(o, "conditions");
  with_cpu(metrics, "target", taken(o["spec"], "targetCPUUtilizationPercentage"));
  if (!metrics.empty()) o["spec"]["metrics"] = std::move(metrics);
  if (!behavior.is_null()) o["spec"]["behavior"] = std::move(behavior);
  auto* status = o.map().find("status");
  if (status == nullptr || !status->is_map()) return;
  with_cpu(current, "current", taken(*status, "currentCPUUtilizationPercentage"));
  if (!current.empty()) (*status)["currentMetrics"] = std::move(current);
  if (!conditions.is_null()) (*status)["conditions"] = std::move(conditions);
}

}  // namespace slipway::cluster
