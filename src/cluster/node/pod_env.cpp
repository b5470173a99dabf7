// The environment of a container: literal values, references, whole maps, services of the namespace.
#include <cmath>

#include "base/encode.h"
#include "base/text.h"
#include "cluster/node/pod.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

// labels['key'] -> key
std::optional<std::string> subscript(std::string_view path, std::string_view map) {
  if (!path.starts_with(map)) return std::nullopt;
  path.remove_prefix(map.size());
  if (path.size() < 4 || !path.starts_with("['") || !path.ends_with("']")) return std::nullopt;
  return std::string(path.substr(2, path.size() - 4));
}

std::string quoted_lines(const kube::StringMap& map) {
  std::string text;
  for (const auto& [key, value] : map) {
    if (!text.empty()) text += '\n';
    text += fmt::format("{}=\"{}\"", key,
                        replace_all(replace_all(replace_all(value, "\\", "\\\\"), "\"", "\\\""), "\n", "\\n"));
  }
  return text;
}

bool environment_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return name.find_first_of("= \t\n") == std::string_view::npos;
}

struct Lookup {
  const kube::Object& pod;
  const Find& find;

  Result<std::optional<kube::Object>> object(const kube::Type& type, doc::View ref) const {
    auto name = ref["name"].str_or("");
    TRY(auto found, find(type, name));
    if (!found && !ref["optional"].bool_or(false))
      return fail(Kind::not_found, "{} \"{}\" not found", lower(type.kind), name);
    return found;
  }
  Result<std::optional<std::string>> key(const kube::Type& type, doc::View ref) const {
    TRY(auto found, object(type, ref));
    if (!found) return std::nullopt;
    auto data = data_of(*found);
    auto at = data.find(ref["key"].str_or(""));
    if (at != data.end()) return at->second;
    if (ref["optional"].bool_or(false)) return std::nullopt;
    return fail(Kind::not_found, "couldn't find key {} in {} {}/{}", ref["key"].str_or(""), type.kind, pod.ns(),
                ref["name"].str_or(""));
  }
};

Result<> add_maps(kube::StringMap& env, doc::View container, const Lookup& lookup) {
  for (auto from : container["envFrom"].items()) {
    auto prefix = from["prefix"].str_or("");
    bool secret = from["secretRef"].present();
    TRY(auto object,
        lookup.object(secret ? secret_type : config_map_type, from[secret ? "secretRef" : "configMapRef"]));
    if (!object) continue;
    for (auto& [key, value] : data_of(*object))
      if (environment_name(prefix + key)) env[prefix + key] = value;
  }
  return {};
}

}  // namespace

std::vector<PodContainer> containers_of(const kube::Object& pod) {
  std::vector<PodContainer> list;
  for (auto c : pod["spec"]["initContainers"].items())
    list.push_back({c["name"].str_or(""), c["restartPolicy"].str_or("") == "Always" ? Role::sidecar : Role::init, c});
  for (auto c : pod["spec"]["containers"].items()) list.push_back({c["name"].str_or(""), Role::main, c});
  return list;
}

kube::StringMap data_of(const kube::Object& object) {
  kube::StringMap data;
  bool secret = object.kind() == "Secret";
  for (const auto& [key, value] : object["data"].members())
    data[key] = secret ? from_base64(value.text()).value_or("") : value.text();
  for (const auto& [key, value] : object["binaryData"].members()) data[key] = from_base64(value.text()).value_or("");
  for (const auto& [key, value] : object["stringData"].members()) data[key] = value.text();
  return data;
}

Result<std::string> field_ref(const kube::Object& pod, const PodFacts& facts, std::string_view path) {
  if (path == "metadata.name") return pod.name();
  if (path == "metadata.namespace") return pod.ns();
  if (path == "metadata.uid") return pod.uid();
  if (path == "metadata.labels") return quoted_lines(pod.labels());
  if (path == "metadata.annotations") return quoted_lines(pod.annotations());
  if (path == "spec.nodeName") return facts.node_name;
  if (path == "spec.serviceAccountName") return pod["spec"]["serviceAccountName"].str_or("default");
  if (path == "status.hostIP" || path == "status.hostIPs") return facts.host_ip;
  if (path == "status.podIP" || path == "status.podIPs") return facts.pod_ip;
  if (auto key = subscript(path, "metadata.labels")) return pod.label(*key);
  if (auto key = subscript(path, "metadata.annotations")) return pod.annotation(*key);
  return fail(Kind::invalid,
              "fieldPath \"{}\": not supported, want metadata.*, spec.nodeName, spec.serviceAccountName, status.hostIP "
              "or status.podIP",
              path);
}

Result<std::string> resource_ref(const kube::Object& pod, const PodFacts& facts, doc::View ref,
                                 std::string_view container) {
  auto name = ref["containerName"].str_or(container);
  auto resource = ref["resource"].str_or("");
  auto parts = cut(resource, ".");
  if (!parts || (parts->first != "limits" && parts->first != "requests"))
    return fail(Kind::invalid, "resource \"{}\": want limits.cpu, requests.memory ...", resource);
  bool cpu = parts->second == "cpu";
  for (const auto& c : containers_of(pod)) {
    if (c.name != name) continue;
    auto written = c.spec["resources"][parts->first][parts->second].text();
    if (written.empty() && parts->first == "requests") written = c.spec["resources"]["limits"][parts->second].text();
    double value =
        cpu ? static_cast<double>(facts.node_cpu_millis) / 1000 : static_cast<double>(facts.node_memory_bytes);
    if (!written.empty()) {
      TRY(auto quantity, kube::Quantity::parse(written));
      value = static_cast<double>(quantity.nanos) / 1e9;
    }
    auto divisor_text = ref["divisor"].text();
    double divisor = 1;
    if (!divisor_text.empty() && divisor_text != "0") {
      TRY(auto quantity, kube::Quantity::parse(divisor_text));
      divisor = static_cast<double>(quantity.nanos) / 1e9;
    }
    return std::to_string(static_cast<std::int64_t>(std::ceil(value / (divisor > 0 ? divisor : 1) - 1e-9)));
  }
  return fail(Kind::not_found, "container \"{}\": not in the pod", name);
}

Result<kube::StringMap> container_env(const kube::Object& pod, doc::View container, const PodFacts& facts,
                                      const kube::StringMap& services, const Find& find) {
  Lookup lookup{pod, find};
  auto env = services;
  TRY_OK(add_maps(env, container, lookup));
  for (auto entry : container["env"].items()) {
    auto name = entry["name"].str_or("");
    auto from = entry["valueFrom"];
    if (!from) {
      env[name] = expand(entry["value"].text(), env);
      continue;
    }
    std::optional<std::string> value;
    if (auto ref = from["fieldRef"]) {
      TRY(value, field_ref(pod, facts, ref["fieldPath"].str_or("")));
    } else if (auto resource = from["resourceFieldRef"]) {
      TRY(value, resource_ref(pod, facts, resource, container["name"].str_or("")));
    } else if (auto map = from["configMapKeyRef"]) {
      TRY(value, lookup.key(config_map_type, map));
    } else if (auto secret = from["secretKeyRef"]) {
      TRY(value, lookup.key(secret_type, secret));
    }
    if (value) env[name] = *value;
  }
  return env;
}

std::string expand(std::string_view text, const kube::StringMap& env) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    auto end = text[i + 1] == '(' ? text.find(')', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += '$';
      continue;
    }
    auto found = env.find(std::string(text.substr(i + 2, end - i - 2)));
    out += found != env.end() ? found->second : std::string(text.substr(i, end - i + 1));
    i = end;
  }
  return out;
}

}  // namespace slipway::cluster
