// Rules over all objects together.
#include "base/text.h"
#include "lint/detail/rules.h"

namespace slipway::lint::detail {
namespace {

bool labels_match(doc::View selector, doc::View labels) {
  for (const auto& [key, value] : selector.members())
    if (!labels[key].exists() || labels[key].text() != value.text()) return false;
  return true;
}

// matchLabels and matchExpressions.
bool selector_matches(doc::View selector, doc::View labels) {
  if (!labels_match(selector["matchLabels"], labels)) return false;
  for (const auto& term : selector["matchExpressions"].items()) {
    auto label = labels[term["key"].str_or("")];
    auto values = term["values"].items();
    bool listed = label.exists() &&
                  std::any_of(values.begin(), values.end(), [&](doc::View v) { return v.text() == label.text(); });
    auto op = term["operator"].str_or("");
    if (op == "In" && !listed) return false;
    if (op == "NotIn" && listed) return false;
    if (op == "Exists" && !label.exists()) return false;
    if (op == "DoesNotExist" && label.exists()) return false;
  }
  return true;
}

bool same_namespace(const Object& a, const Object& b) {
  auto ns = [](const Object& o) { return o.ns().empty() ? std::string("default") : o.ns(); };
  return a.ns().empty() || b.ns().empty() || ns(a) == ns(b);
}

std::vector<const Object*> pods_of(std::span<const Object> objects, const Object& service) {
  std::vector<const Object*> out;
  for (const auto& o : objects)
    if (pod_spec(o) && same_namespace(o, service) && labels_match(service.view()["spec"]["selector"], pod_labels(o)))
      out.push_back(&o);
  return out;
}

bool has_port(const Object& workload, doc::View target) {
  bool declares = false;
  for (const auto& [c, init] : containers(pod_spec(workload)))
    for (const auto& port : c["ports"].items()) {
      declares = true;
      if (port["name"].str_or("") == target.text() || port["containerPort"].text() == target.text()) return true;
    }
  // Declaring ports is not needed: only what is declared can be wrong, and a name must be.
  return !declares && to_int(target.text()).has_value();
}

void service_rules(std::span<const Object> objects, const Object& service, Report& report) {
  auto spec = service.view()["spec"];
  if (!spec["selector"] || spec["selector"].members().empty() || spec["type"].str_or("") == "ExternalName") return;
  auto pods = pods_of(objects, service);
  bool any_pods =
      std::any_of(objects.begin(), objects.end(), [](const Object& o) { return static_cast<bool>(pod_spec(o)); });
  if (pods.empty()) {
    if (any_pods)
      report.add("dangling-service", service, spec["selector"], "its selector matches no pods of these manifests");
    return;
  }
  for (const auto& port : spec["ports"].items()) {
    auto target = port["targetPort"] ? port["targetPort"] : port["port"];
    bool found = std::any_of(pods.begin(), pods.end(), [&](const Object* o) { return has_port(*o, target); });
    if (!found)
      report.add("target-port", service, target,
                 fmt::format("port {} is none of {}", target.text(), pods[0]->describe()));
  }
}

void ingress_rules(std::span<const Object> objects, const Object& ingress, Report& report) {
  std::vector<doc::View> backends{ingress.view()["spec"]["defaultBackend"]["service"]};
  for (const auto& rule : ingress.view()["spec"]["rules"].items())
    for (const auto& path : rule["http"]["paths"].items()) backends.push_back(path["backend"]["service"]);
  bool services = std::any_of(objects.begin(), objects.end(), [](const Object& o) { return o.kind() == "Service"; });
  for (const auto& backend : backends) {
    if (!backend || !services) continue;
    auto name = backend["name"].str_or("");
    const Object* found = nullptr;
    for (const auto& o : objects)
      if (o.kind() == "Service" && o.name() == name && same_namespace(o, ingress)) found = &o;
    if (found == nullptr) {
      report.add("dangling-ingress", ingress, backend["name"],
                 fmt::format("Service {} is not in these manifests", name));
      continue;
    }
    auto want = backend["port"]["number"] ? backend["port"]["number"] : backend["port"]["name"];
    auto ports = found->view()["spec"]["ports"].items();
    bool fits = !want || std::any_of(ports.begin(), ports.end(), [&](doc::View p) {
      return p["port"].text() == want.text() || p["name"].str_or("") == want.text();
    });
    if (!fits)
      report.add("dangling-ingress", ingress, want, fmt::format("Service {} has no port {}", name, want.text()));
  }
}

void autoscaler_rule(std::span<const Object> objects, const Object& hpa, Report& report) {
  auto target = hpa.view()["spec"]["scaleTargetRef"];
  bool workloads = std::any_of(objects.begin(), objects.end(), [](const Object& o) { return is_workload(o); });
  bool found = std::any_of(objects.begin(), objects.end(), [&](const Object& o) {
    return o.kind() == target["kind"].str_or("") && o.name() == target["name"].str_or("");
  });
  if (workloads && !found)
    report.add("dangling-hpa", hpa, target,
               fmt::format("{} {} is not in these manifests", target["kind"].str_or(""), target["name"].str_or("")));
}

void selector_rule(const Object& object, Report& report) {
  auto selector = object.view()["spec"]["selector"];
  if (!is_workload(object) || !selector || object.kind() == "ReplicationController" ||
      object.kind() == "DeploymentConfig")
    return;
  if (!object.view()["spec"]["template"]) return;
  if (!selector_matches(selector, pod_labels(object)))
    report.add("selector-mismatch", object, selector, "the selector does not match the labels of its own pod template");
}

}  // namespace

void set_rules(std::span<const Object> objects, Report& report) {
  std::map<std::string, const Object*> seen;
  for (const auto& object : objects) {
    auto group = object.api_version().substr(0, object.api_version().find('/'));
    auto id = fmt::format("{}/{}/{}/{}", object.api_version().find('/') == std::string::npos ? "" : group,
                          object.kind(), object.ns(), object.name());
    auto [it, fresh] = seen.emplace(id, &object);
    // Overlays repeat what their base has, each in a file of its own: only a file that repeats itself is wrong.
    if (!fresh && !object.name().empty() && it->second->file == object.file)
      report.add("duplicate-object", object, object.view()["metadata"]["name"],
                 fmt::format("is also at {}:{}", it->second->file, it->second->value.mark().line));
    if (object.kind() == "Service") service_rules(objects, object, report);
    if (object.kind() == "Ingress") ingress_rules(objects, object, report);
    if (object.kind() == "HorizontalPodAutoscaler") autoscaler_rule(objects, object, report);
    selector_rule(object, report);
  }
}

}  // namespace slipway::lint::detail
