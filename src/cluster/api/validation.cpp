#include <set>

#include "base/text.h"
#include "cluster/api/defaults.h"
#include "cluster/api/findings.h"
#include "kube/selector.h"

namespace slipway::cluster {
namespace {

constexpr std::size_t annotations_limit = 262'144, data_limit = 1'048'576;

bool dns_label(std::string_view name) {
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 63 || !alnum(name.front()) || !alnum(name.back())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return alnum(c) || c == '-'; });
}
bool dns_subdomain(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  auto parts = split(name, '.');
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !part.empty() && alnum(part.front()) && alnum(part.back()) &&
           std::all_of(part.begin(), part.end(), [&](char c) { return alnum(c) || c == '-'; });
  });
}

constexpr std::string_view subdomain_rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric "
    "character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view label_rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character "
    "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

void labels(const doc::View& map, const std::string& field, Findings& out) {
  for (const auto& [key, value] : map.members()) {
    if (!kube::valid_label_key(key))
      out.invalid(field, key,
                  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                  "alphanumeric character");
    if (const auto* text = value.value().if_string(); text != nullptr && !kube::valid_label_value(*text))
      out.invalid(field, *text,
                  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                  "must start and end with an alphanumeric character");
  }
}

void metadata(const KindInfo& kind, const doc::View& o, Findings& out) {
  auto name = o["metadata"]["name"].str_or("");
  if (name.empty())
    out.required("metadata.name", "name or generateName is required");
  else if (kind.group == "rbac.authorization.k8s.io" || kind.table == "leases.coordination.k8s.io" ||
           kind.table == "events") {
    if (!is_path_segment(name)) out.invalid("metadata.name", name, "may not contain '/' or '%'");
  } else if (kind.table == "namespaces") {
    if (!dns_label(name)) out.invalid("metadata.name", name, label_rule);
  } else if (kind.table == "services") {
    if (!dns_label(name) || (name[0] >= '0' && name[0] <= '9'))
      out.invalid("metadata.name", name,
                  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                  "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex "
                  "used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')");
  } else if (!dns_subdomain(name)) {
    out.invalid("metadata.name", name, subdomain_rule);
  }
  labels(o["metadata"]["labels"], "metadata.labels", out);
  std::size_t size = 0;
  for (const auto& [key, value] : o["metadata"]["annotations"].members()) {
    size += key.size() + value.text().size();
    if (!kube::valid_label_key(lower(key)))
      out.invalid("metadata.annotations", key,
                  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                  "alphanumeric character");
  }
  if (size > annotations_limit) out.too_long("metadata.annotations", annotations_limit);
  for (const auto& finalizer : o["metadata"]["finalizers"].items())
    if (!kube::valid_label_key(finalizer.text()))
      out.invalid("metadata.finalizers", finalizer.value(), "name part must consist of alphanumeric characters");
}

void port(const doc::View& v, const std::string& field, Findings& out) {
  auto n = v.num_or(0);
  if (v.present() && (n < 1 || n > 65535)) out.invalid(field, v.value(), "must be between 1 and 65535, inclusive");
}

void containers(const doc::View& list, const std::string& field, std::set<std::string>& names,
                const std::set<std::string>& volumes, Findings& out) {
  std::size_t i = 0;
  for (const auto& c : list.items()) {
    auto at = fmt::format("{}[{}]", field, i++);
    auto name = c["name"].str_or("");
    if (name.empty())
      out.required(at + ".name");
    else if (!dns_label(name))
      out.invalid(at + ".name", name, label_rule);
    else if (!names.insert(name).second)
      out.duplicate(at + ".name", name);
    if (c["image"].str_or("").empty()) out.required(at + ".image");
    std::size_t j = 0;
    for (const auto& p : c["ports"].items()) {
      auto place = fmt::format("{}.ports[{}].containerPort", at, j++);
      if (!p["containerPort"].present())
        out.required(place);
      else
        port(p["containerPort"], place, out);
    }
    j = 0;
    for (const auto& mount : c["volumeMounts"].items()) {
      auto place = fmt::format("{}.volumeMounts[{}]", at, j++);
      auto volume = mount["name"].str_or("");
      if (!volumes.contains(volume))
        out.causes.push_back({"FieldValueNotFound", fmt::format("Not found: \"{}\"", volume), place + ".name"});
      if (mount["mountPath"].str_or("").empty()) out.required(place + ".mountPath");
    }
    auto policy = c["imagePullPolicy"].str_or("Always");
    if (policy != "Always" && policy != "IfNotPresent" && policy != "Never")
      out.unsupported(at + ".imagePullPolicy", policy, "\"Always\", \"IfNotPresent\", \"Never\"");
  }
}

void pod_spec(const doc::View& spec, const std::string& field, Findings& out,
              const std::set<std::string>& claims = {}) {
  std::set<std::string> volumes = claims, names;
  std::size_t i = 0;
  for (const auto& v : spec["volumes"].items()) {
    auto name = v["name"].str_or("");
    auto at = fmt::format("{}.volumes[{}].name", field, i++);
    if (!dns_label(name))
      out.invalid(at, name, label_rule);
    else if (!volumes.insert(name).second && !claims.contains(name))
      out.duplicate(at, name);
  }
  if (spec["containers"].items().empty()) out.required(field + ".containers");
  containers(spec["containers"], field + ".containers", names, volumes, out);
  containers(spec["initContainers"], field + ".initContainers", names, volumes, out);
  auto policy = spec["restartPolicy"].str_or("Always");
  if (policy != "Always" && policy != "OnFailure" && policy != "Never")
    out.unsupported(field + ".restartPolicy", policy, "\"Always\", \"OnFailure\", \"Never\"");
}

void changed(const doc::View& now, const kube::Object& before, std::string_view member, Findings& out) {
  if (!before || !before["spec"].present()) return;
  const auto& was = before["spec"][member].value();
  if (!(was == now["spec"][member].value()))
    out.invalid(fmt::format("spec.{}", member), now["spec"][member].value(), "field is immutable");
}

void workload(const doc::View& o, const kube::Object& before, Findings& out) {
  auto spec = o["spec"];
  auto selector = kube::LabelSelector::from(spec["selector"]);
  std::set<std::string> claims;
  for (const auto& claim : spec["volumeClaimTemplates"].items()) claims.insert(claim["metadata"]["name"].text());
  if (!spec["selector"].present())
    out.required("spec.selector");
  else if (!selector)
    out.invalid("spec.selector", spec["selector"].value(), selector.error().what());
  else if (selector->everything())
    out.invalid("spec.selector", spec["selector"].value(), "empty selector is invalid for deployment");
  kube::StringMap pod_labels;
  for (const auto& [key, value] : spec["template"]["metadata"]["labels"].members()) pod_labels[key] = value.text();
  if (spec["selector"].present() && selector && !selector->everything() && !selector->matches(pod_labels))
    out.invalid("spec.template.metadata.labels", spec["template"]["metadata"]["labels"].value(),
                "`selector` does not match template `labels`");
  labels(spec["template"]["metadata"]["labels"], "spec.template.metadata.labels", out);
  pod_spec(spec["template"]["spec"], "spec.template.spec", out, claims);
  if (auto policy = spec["template"]["spec"]["restartPolicy"].str_or("Always"); policy != "Always")
    out.unsupported("spec.template.spec.restartPolicy", policy, "\"Always\"");
  if (spec["replicas"].num_or(0) < 0)
    out.invalid("spec.replicas", spec["replicas"].value(), "must be greater than or equal to 0");
  changed(o, before, "selector", out);
}

void stateful_set(const doc::View& o, const kube::Object& before, Findings& out) {
  workload(o, before, out);
  if (!before) return;
  for (std::string_view member : {"serviceName", "volumeClaimTemplates", "podManagementPolicy"}) {
    if (before["spec"][member].value() == o["spec"][member].value()) continue;
    out.forbidden(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
        "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
    return;
  }
}

void deployment(const doc::View& o, const kube::Object& before, Findings& out) {
  workload(o, before, out);
  auto type = o["spec"]["strategy"]["type"].str_or("RollingUpdate");
  if (type != "RollingUpdate" && type != "Recreate")
    out.unsupported("spec.strategy.type", type, "\"Recreate\", \"RollingUpdate\"");
  if (type == "Recreate" && o["spec"]["strategy"]["rollingUpdate"].present())
    out.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
}

void job(const doc::View& o, const kube::Object& before, Findings& out) {
  auto spec = o["spec"];
  pod_spec(spec["template"]["spec"], "spec.template.spec", out);
  auto policy = spec["template"]["spec"]["restartPolicy"].str_or("");
  if (policy != "OnFailure" && policy != "Never")
    out.unsupported("spec.template.spec.restartPolicy", policy, "\"OnFailure\", \"Never\"");
  changed(o, before, "selector", out);
  // A suspended Job's template may be changed.
  if (before && !before["spec"]["suspend"].bool_or(false)) changed(o, before, "template", out);
  changed(o, before, "completionMode", out);
}

void cron_job(const doc::View& o, const kube::Object&, Findings& out) {
  if (o["spec"]["schedule"].str_or("").empty()) out.required("spec.schedule");
  auto pods = o["spec"]["jobTemplate"]["spec"]["template"]["spec"];
  pod_spec(pods, "spec.jobTemplate.spec.template.spec", out);
  auto policy = pods["restartPolicy"].str_or("");
  if (policy != "OnFailure" && policy != "Never")
    out.unsupported("spec.jobTemplate.spec.template.spec.restartPolicy", policy, "\"OnFailure\", \"Never\"");
}

// Of a pod's spec only these may change once it is there.
void pod(const doc::View& o, const kube::Object& before, Findings& out) {
  pod_spec(o["spec"], "spec", out);
  if (!before) return;
  auto reduce = [](const doc::Value& spec) {
    doc::Value copy = spec;
    for (std::string_view key : {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds",
                                 "schedulingGates", "nodeName", "ephemeralContainers"})
      copy.map().erase(key);
    for (std::string_view list : {"containers", "initContainers"})
      if (auto* cs = copy.map().find(list); cs != nullptr && cs->is_list())
        for (auto& c : cs->list())
          if (c.is_map()) c.map().erase("image"), c.map().erase("resources");
    return copy;
  };
  bool moved =
      !before["spec"]["nodeName"].text().empty() && before["spec"]["nodeName"].text() != o["spec"]["nodeName"].text();
  if (moved || !(reduce(before["spec"].value()) == reduce(o["spec"].value())))
    out.forbidden("spec",
                  "pod updates may not change fields other than "
                  "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec."
                  "tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow "
                  "it to be set to 1 if it was previously negative)");
}

void service(const doc::View& o, const kube::Object&, Findings& out) {
  auto spec = o["spec"];
  auto type = spec["type"].str_or("ClusterIP");
  if (type != "ClusterIP" && type != "NodePort" && type != "LoadBalancer" && type != "ExternalName")
    return out.unsupported("spec.type", type, "\"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"");
  auto ports = spec["ports"].items();
  if (ports.empty() && type != "ExternalName" && spec["clusterIP"].text() != "None") out.required("spec.ports");
  if (type == "ExternalName" && spec["externalName"].text().empty()) out.required("spec.externalName");
  std::set<std::string> names, numbers;
  std::size_t i = 0;
  for (const auto& p : ports) {
    auto at = fmt::format("spec.ports[{}]", i++);
    auto name = p["name"].str_or("");
    if (ports.size() > 1 && name.empty()) out.required(at + ".name");
    if (!name.empty() && !names.insert(name).second) out.duplicate(at + ".name", name);
    if (!p["port"].present()) out.required(at + ".port");
    port(p["port"], at + ".port", out);
    auto protocol = p["protocol"].str_or("TCP");
    if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP")
      out.unsupported(at + ".protocol", protocol, "\"SCTP\", \"TCP\", \"UDP\"");
    if (!numbers.insert(p["port"].text() + protocol).second) out.duplicate(at, p.value());
  }
}

bool data_key(std::string_view key) {
  return !key.empty() && key.size() <= 253 && key != "." && key != ".." &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
         });
}

// The bytes that base64 text stands for.
std::size_t decoded_size(std::string_view text) {
  auto digits = std::count_if(text.begin(), text.end(), [](char c) { return c != '=' && c != '\n' && c != '\r'; });
  return static_cast<std::size_t>(digits) * 3 / 4;
}
// Of the values alone, as ValidateConfigMap and ValidateSecret of pkg/apis/core/validation count them.
std::size_t data_size(const doc::View& o) {
  std::size_t size = 0;
  bool secret = o["kind"].text() == "Secret";
  for (std::string_view map : {"data", "binaryData"})
    for (const auto& [key, value] : o[map].members())
      if (const auto* text = value.value().if_string())
        size += secret || map == "binaryData" ? decoded_size(*text) : text->size();
  return size;
}

void data(const doc::View& o, const kube::Object& before, Findings& out) {
  for (std::string_view map : {"data", "binaryData", "stringData"})
    for (const auto& [key, value] : o[map].members())
      if (!data_key(key))
        out.invalid(fmt::format("{}[{}]", map, key), key,
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'");
  // A ConfigMap as a whole is too long, of a Secret its data: "[]" is how the empty path is written.
  if (data_size(o) > data_limit) out.too_long(o["kind"].text() == "Secret" ? "data" : "[]", data_limit);
  if (!before || !before["immutable"].bool_or(false)) return;
  if (!o["immutable"].bool_or(false)) out.forbidden("immutable", "field is immutable when `immutable` is set");
  for (std::string_view map : {"data", "binaryData"})
    if (!(o[map].value() == before[map].value()))
      out.forbidden(std::string(map), "field is immutable when `immutable` is set");
}
void secret(const doc::View& o, const kube::Object& before, Findings& out) {
  data(o, before, out);
  if (before && before["type"].text() != o["type"].text()) out.invalid("type", o["type"].value(), "field is immutable");
}

void binding(const doc::View& o, const kube::Object& before, Findings& out) {
  if (o["roleRef"]["name"].text().empty()) out.required("roleRef.name");
  if (before && !(before["roleRef"].value() == o["roleRef"].value()))
    out.invalid("roleRef", o["roleRef"].value(), "cannot change roleRef");
}

void claim(const doc::View& o, const kube::Object& before, Findings& out) {
  if (o["spec"]["accessModes"].items().empty()) out.required("spec.accessModes", "at least 1 access mode is required");
  if (o["spec"]["resources"]["requests"]["storage"].text().empty()) out.required("spec.resources[storage]");
  changed(o, before, "accessModes", out), changed(o, before, "storageClassName", out);
}

void autoscaler(const doc::View& o, const kube::Object&, Findings& out) { check_autoscaler(o, out); }

}  // namespace

bool is_path_segment(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/%") == std::string_view::npos;
}

std::vector<Cause> validate(const KindInfo& kind, const doc::Value& object, const kube::Object& before) {
  using Rule = void (*)(const doc::View&, const kube::Object&, Findings&);
  static const std::map<std::string_view, Rule> rules{{"pods", pod},
                                                      {"deployments.apps", deployment},
                                                      {"replicasets.apps", workload},
                                                      {"daemonsets.apps", workload},
                                                      {"statefulsets.apps", stateful_set},
                                                      {"jobs.batch", job},
                                                      {"cronjobs.batch", cron_job},
                                                      {"services", service},
                                                      {"configmaps", data},
                                                      {"secrets", secret},
                                                      {"rolebindings.rbac.authorization.k8s.io", binding},
                                                      {"clusterrolebindings.rbac.authorization.k8s.io", binding},
                                                      {"persistentvolumeclaims", claim},
                                                      {"horizontalpodautoscalers.autoscaling", autoscaler}};
  Findings out;
  doc::View view(object);
  metadata(kind, view, out);
  if (auto it = rules.find(kind.table); it != rules.end()) it->second(view, before, out);
  return std::move(out.causes);
}

}  // namespace slipway::cluster
