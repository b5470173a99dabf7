#include "gitops/orphans.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"

namespace slipway::gitops {
namespace {

bool fits(std::string_view pattern, std::string_view text) { return pattern == "*" || glob_match(pattern, text); }

// What Argo CD leaves out by itself, and with the settings that it comes with.
bool is_excluded(const kube::Type& type) {
  static constexpr std::array<std::string_view, 3> groups{"events.k8s.io", "metrics.k8s.io", "coordination.k8s.io"};
  static constexpr std::array<std::string_view, 9> kinds{
      "Event",          "Endpoints",           "EndpointSlice", "Binding",        "CertificateRequest",
      "CiliumEndpoint", "CiliumEndpointSlice", "PolicyReport",  "EphemeralReport"};
  auto group = type.group();
  return std::find(groups.begin(), groups.end(), group) != groups.end() ||
         std::find(kinds.begin(), kinds.end(), type.kind) != kinds.end() || type.kind.ends_with("Review");
}

// Every namespace has them.
bool is_given(const std::string& ns, std::string_view group, std::string_view kind, std::string_view name) {
  if (!group.empty()) return false;
  return (kind == "ServiceAccount" && name == "default") || (kind == "ConfigMap" && name == "kube-root-ca.crt") ||
         (kind == "Service" && name == "kubernetes" && ns == "default");
}

// A token of a ServiceAccount is the ServiceAccount's, though it does not say so.
bool has_owner(const kube::Object& object) {
  return !object["metadata"]["ownerReferences"].items().empty() ||
         (object.kind() == "Secret" && !object.annotation("kubernetes.io/service-account.name").empty());
}

// v1 before v2beta1, v2 before v1.
std::pair<bool, std::string> rank(const kube::Type& type) {
  auto version = type.version();
  bool stable = version.find("alpha") == std::string::npos && version.find("beta") == std::string::npos;
  return {stable, version};
}

}  // namespace

bool OrphanRules::ignores(const kube::Type& type, const std::string& name) const {
  return std::any_of(ignore.begin(), ignore.end(), [&](const Ignore& i) {
    return (i.kind.empty() || fits(i.kind, type.kind)) && fits(i.group, type.group()) &&
           (i.name.empty() || fits(i.name, name));
  });
}

std::vector<kube::Type> Orphans::followed(const std::vector<kube::Client::Resource>& resources) {
  std::map<std::pair<std::string, std::string>, kube::Type> best;
  for (const auto& resource : resources) {
    if (!resource.namespaced || !resource.watchable || is_excluded(resource.type)) continue;
    auto [at, fresh] = best.try_emplace({resource.type.group(), resource.type.kind}, resource.type);
    if (!fresh && rank(at->second) < rank(resource.type)) at->second = resource.type;
  }
  std::vector<kube::Type> types;
  for (auto& [id, type] : best) types.push_back(type);
  return types;
}

std::string Orphans::note(const kube::Event& event, const Tracking& tracking) {
  const auto& object = event.object;
  auto type = object.type();
  Id id{type.group(), type.kind, object.name()};
  auto namespaces = namespaces_.lock();
  auto& ns = (*namespaces)[object.ns()];
  auto before = ns.find(id);
  bool there = event.type != kube::Event::Type::deleted && !has_owner(object);
  auto owner = there ? owner_of(object, tracking) : std::string();
  bool had = before != ns.end(), changed = had != there || (had && before->second.owner != owner);
  if (!changed) return "";
  if (there)
    ns[id] = {type.api_version, std::move(owner)};
  else
    ns.erase(before);
  return object.ns();
}

void Orphans::restart(const kube::Type& type) {
  auto namespaces = namespaces_.lock();
  for (auto& [ns, objects] : *namespaces)
    std::erase_if(
        objects, [&](const auto& entry) { return entry.first.group == type.group() && entry.first.kind == type.kind; });
}

std::vector<InventoryEntry> Orphans::in(const std::string& ns,
                                        const std::function<bool(const std::string& owner)>& exists) const {
  std::vector<InventoryEntry> found;
  auto namespaces = namespaces_.lock();
  auto at = namespaces->find(ns);
  if (at == namespaces->end()) return found;
  for (const auto& [id, node] : at->second) {
    bool ours = !node.owner.empty() && exists(node.owner);
    if (!ours && !is_given(ns, id.group, id.kind, id.name))
      found.push_back({{node.api_version, id.kind}, {ns, id.name}});
  }
  return found;
}

}  // namespace slipway::gitops
