// What a HorizontalPodAutoscaler may say. Rule: pkg/apis/autoscaling/validation of Kubernetes 1.32.
#include <map>

#include "cluster/api/findings.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

constexpr std::int64_t longest_window = 3600, longest_period = 1800;  // seconds

bool is_positive(const doc::View& quantity) {
  auto parsed = kube::Quantity::parse(quantity.text());
  return parsed && parsed->nanos > 0;
}

void reference(const doc::View& ref, const std::string& field, Findings& out) {
  for (std::string_view member : {"kind", "name"}) {
    auto at = fmt::format("{}.{}", field, member);
    auto text = ref[member].text();
    if (text.empty())
      out.required(at);
    else if (!is_path_segment(text))
      out.invalid(at, text, "may not contain '/' or '%'");
  }
}

void metric_name(const doc::View& metric, const std::string& field, Findings& out) {
  auto name = metric["name"].text();
  if (name.empty())
    out.required(field + ".name", "must specify a metric name");
  else if (!is_path_segment(name))
    out.invalid(field + ".name", name, "may not contain '/' or '%'");
}

void target_of(const doc::View& target, const std::string& field, Findings& out) {
  auto type = target["type"].text();
  if (type.empty()) out.required(field + ".type", "must specify a metric target type");
  if (type != "Utilization" && type != "Value" && type != "AverageValue")
    out.invalid(field + ".type", type, "must be either Utilization, Value, or AverageValue");
  for (std::string_view member : {"value", "averageValue"})
    if (target[member].present() && !is_positive(target[member]))
      out.invalid(fmt::format("{}.{}", field, member), target[member].value(), "must be positive");
  if (target["averageUtilization"].present() && target["averageUtilization"].num_or(0) < 1)
    out.invalid(field + ".averageUtilization", target["averageUtilization"].value(), "must be greater than 0");
}

void resource_source(const doc::View& source, const std::string& field, Findings& out) {
  if (source["name"].text().empty()) out.required(field + ".name", "must specify a resource name");
  auto target = source["target"];
  target_of(target, field + ".target", out);
  bool share = target["averageUtilization"].present(), amount = target["averageValue"].present();
  if (!share && !amount)
    out.required(field + ".target.averageUtilization", "must set either a target raw value or a target utilization");
  if (share && amount)
    out.forbidden(field + ".target.averageValue", "may not set both a target raw value and a target utilization");
}
void container_source(const doc::View& source, const std::string& field, Findings& out) {
  if (source["container"].text().empty()) out.required(field + ".container", "must specify a container");
  resource_source(source, field, out);
}
void pods_source(const doc::View& source, const std::string& field, Findings& out) {
  metric_name(source["metric"], field + ".metric", out);
  target_of(source["target"], field + ".target", out);
  if (!is_positive(source["target"]["averageValue"]))
    out.required(field + ".target.averageValue", "must specify a positive target averageValue");
}
void object_source(const doc::View& source, const std::string& field, Findings& out) {
  reference(source["describedObject"], field + ".describedObject", out);
  metric_name(source["metric"], field + ".metric", out);
  target_of(source["target"], field + ".target", out);
  if (!source["target"]["value"].present() && !source["target"]["averageValue"].present())
    out.required(field + ".target.averageValue", "must set either a target value or averageValue");
}
void external_source(const doc::View& source, const std::string& field, Findings& out) {
  metric_name(source["metric"], field + ".metric", out);
  target_of(source["target"], field + ".target", out);
  bool whole = source["target"]["value"].present(), each = source["target"]["averageValue"].present();
  if (!whole && !each)
    out.required(field + ".target.averageValue", "must set either a target value for metric or a per-pod target");
  if (whole && each)
    out.forbidden(field + ".target.value", "may not set both a target value for metric and a per-pod target");
}

void metric(const doc::View& spec, const std::string& field, Findings& out) {
  using Rule = void (*)(const doc::View&, const std::string&, Findings&);
  static const std::map<std::string, std::pair<std::string, Rule>> types{
      {"ContainerResource", {"containerResource", container_source}},
      {"External", {"external", external_source}},
      {"Object", {"object", object_source}},
      {"Pods", {"pods", pods_source}},
      {"Resource", {"resource", resource_source}}};
  auto type = spec["type"].text();
  auto found = types.find(type);
  if (type.empty()) out.required(field + ".type", "must specify a metric source type");
  if (found == types.end())
    return out.unsupported(field + ".type", type, R"("ContainerResource", "External", "Object", "Pods", "Resource")");
  const auto& [own, rule] = found->second;
  if (spec[own].present())
    rule(spec[own], fmt::format("{}.{}", field, own), out);
  else
    out.required(fmt::format("{}.{}", field, own), "must populate information for the given metric source");
  for (const auto& [name, other] : types)
    if (name != type && spec[other.first].present())
      out.forbidden(fmt::format("{}.{}", field, other.first), "must populate the given metric source only");
}

void seconds(const doc::View& value, const std::string& field, std::int64_t most, Findings& out) {
  if (value.num_or(0) <= 0)
    out.invalid(field, value.value(), "must be greater than zero");
  else if (value.num_or(0) > most)
    out.invalid(field, value.value(), fmt::format("must be less than or equal to {}", most));
}

void scaling_rules(const doc::View& rules, const std::string& field, Findings& out) {
  if (!rules.present()) return;
  auto window = rules["stabilizationWindowSeconds"];
  if (window.present() && window.num_or(0) < 0)
    out.invalid(field + ".stabilizationWindowSeconds", window.value(), "must be greater than or equal to zero");
  if (window.num_or(0) > longest_window)
    out.invalid(field + ".stabilizationWindowSeconds", window.value(),
                fmt::format("must be less than or equal to {}", longest_window));
  auto select = rules["selectPolicy"].str_or("Max");
  if (select != "Max" && select != "Min" && select != "Disabled")
    out.unsupported(field + ".selectPolicy", select, R"("Disabled", "Max", "Min")");
  if (rules["policies"].items().empty()) out.required(field + ".policies", "must specify at least one Policy");
  std::size_t i = 0;
  for (const auto& policy : rules["policies"].items()) {
    auto at = fmt::format("{}.policies[{}]", field, i++);
    auto type = policy["type"].text();
    if (type != "Pods" && type != "Percent") out.unsupported(at + ".type", type, R"("Percent", "Pods")");
    if (policy["value"].num_or(0) <= 0)
      out.invalid(at + ".value", policy["value"].value(), "must be greater than zero");
    seconds(policy["periodSeconds"], at + ".periodSeconds", longest_period, out);
  }
}

}  // namespace

void check_autoscaler(const doc::View& object, Findings& out) {
  auto spec = object["spec"];
  auto least = spec["minReplicas"], most = spec["maxReplicas"];
  if (least.present() && least.num_or(1) < 1)
    out.invalid("spec.minReplicas", least.value(), "must be greater than or equal to 1");
  if (most.num_or(0) < 1) out.invalid("spec.maxReplicas", most.value(), "must be greater than 0");
  if (least.present() && most.num_or(0) < least.num_or(1))
    out.invalid("spec.maxReplicas", most.value(), "must be greater than or equal to `minReplicas`");
  reference(spec["scaleTargetRef"], "spec.scaleTargetRef", out);
  std::size_t i = 0;
  for (const auto& one : spec["metrics"].items()) metric(one, fmt::format("spec.metrics[{}]", i++), out);
  for (std::string_view way : {"scaleUp", "scaleDown"})
    scaling_rules(spec["behavior"][way], fmt::format("spec.behavior.{}", way), out);
}

}  // namespace slipway::cluster
