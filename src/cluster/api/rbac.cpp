#include "cluster/api/rbac.h"

#include "base/text.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

constexpr std::string_view rbac = "rbac.authorization.k8s.io";

bool holds(const doc::View& list, std::string_view word, bool star = true) {
  for (const auto& item : list.items()) {
    auto text = item.text();
    if (text == word || (star && text == "*")) return true;
    // "*/scale" is every resource's scale, "/healthz/*" everything below.
    if (text.size() > 1 && text.starts_with("*/") && word.ends_with(std::string_view(text).substr(1))) return true;
    if (text.size() > 1 && text.ends_with("*") && word.starts_with(std::string_view(text).substr(0, text.size() - 1)))
      return true;
  }
  return false;
}

bool grants(const doc::View& rule, const Attributes& a) {
  if (!holds(rule["verbs"], a.verb)) return false;
  if (!a.path.empty()) return holds(rule["nonResourceURLs"], a.path);
  if (!holds(rule["apiGroups"], a.group)) return false;
  auto resource = a.subresource.empty() ? a.resource : a.resource + "/" + a.subresource;
  if (!holds(rule["resources"], resource)) return false;
  return rule["resourceNames"].items().empty() || holds(rule["resourceNames"], a.name, false);
}

bool names(const kube::Object& binding, const Caller& caller) {
  for (const auto& subject : binding["subjects"].items()) {
    auto kind = subject["kind"].text(), name = subject["name"].text();
    if (kind == "User" && name == caller.user) return true;
    if (kind == "Group" && std::find(caller.groups.begin(), caller.groups.end(), name) != caller.groups.end())
      return true;
    if (kind == "ServiceAccount" &&
        caller.user == fmt::format("system:serviceaccount:{}:{}", subject["namespace"].str_or(binding.ns()), name))
      return true;
  }
  return false;
}

// Gives each rule that a binding of the caller holds in a namespace; false stops.
void visit(const ObjectStore& store, const Caller& caller, const std::string& ns,
           const std::function<bool(const doc::View&)>& rule) {
  auto each = [&](const kube::Object& binding) {
    if (!names(binding, caller)) return true;
    bool cluster = binding["roleRef"]["kind"].text() == "ClusterRole";
    auto role = store.get(fmt::format("{}.{}", cluster ? "clusterroles" : "roles", rbac),
                          {cluster ? "" : binding.ns(), binding["roleRef"]["name"].text()});
    for (const auto& r : role["rules"].items())
      if (!rule(r)) return false;
    return true;
  };
  for (const auto& binding : store.list(fmt::format("clusterrolebindings.{}", rbac), "").items)
    if (!each(binding->object())) return;
  if (ns.empty()) return;
  for (const auto& binding : store.list(fmt::format("rolebindings.{}", rbac), ns).items)
    if (!each(binding->object())) return;
}

}  // namespace

bool allowed(const ObjectStore& store, const Caller& caller, const Attributes& what) {
  if (std::find(caller.groups.begin(), caller.groups.end(), "system:masters") != caller.groups.end()) return true;
  // Everybody who is known may look around and ask about himself (system:discovery, system:basic-user).
  if (!what.path.empty() && what.verb == "get") return true;
  bool review = what.verb == "create" && (what.resource.starts_with("selfsubject"));
  if (review) return true;
  bool found = false;
  visit(store, caller, what.ns, [&](const doc::View& rule) { return !(found = grants(rule, what)); });
  return found;
}

std::vector<doc::Value> rules_of(const ObjectStore& store, const Caller& caller, const std::string& ns) {
  std::vector<doc::Value> out;
  if (std::find(caller.groups.begin(), caller.groups.end(), "system:masters") != caller.groups.end())
    out.emplace_back(doc::Map{{"verbs", doc::List{"*"}}, {"apiGroups", doc::List{"*"}}, {"resources", doc::List{"*"}}});
  visit(store, caller, ns, [&](const doc::View& rule) {
    out.push_back(rule.value());
    return true;
  });
  return out;
}

std::vector<doc::Value> default_roles() {
  static constexpr std::string_view text = R"(
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: cluster-admin}, rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}, {nonResourceURLs: ['*'], verbs: ['*']}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: cluster-admin}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:masters'}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: view}
rules:
- apiGroups: ['']
  resources: [configmaps, endpoints, events, limitranges, namespaces, namespaces/status, persistentvolumeclaims, persistentvolumeclaims/status, pods, pods/log, pods/status, replicationcontrollers, replicationcontrollers/scale, resourcequotas, serviceaccounts, services, services/status]
  verbs: &read [get, list, watch]
- apiGroups: [apps, autoscaling, batch, networking.k8s.io, policy, discovery.k8s.io, events.k8s.io, gateway.networking.k8s.io, argoproj.io, slipway.dev]
  resources: ['*']
  verbs: *read
- {apiGroups: [metrics.k8s.io], resources: [pods, nodes], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: edit}
rules:
- apiGroups: ['']
  resources: [configmaps, endpoints, events, persistentvolumeclaims, pods, pods/attach, pods/exec, pods/portforward, pods/log, pods/eviction, pods/status, replicationcontrollers, replicationcontrollers/scale, secrets, serviceaccounts, serviceaccounts/token, services]
  verbs: &write [get, list, watch, create, update, patch, delete, deletecollection]
- apiGroups: ['']
  resources: [namespaces, limitranges, resourcequotas]
  verbs: [get, list, watch]
- apiGroups: [apps, autoscaling, batch, networking.k8s.io, policy, discovery.k8s.io, events.k8s.io, gateway.networking.k8s.io, argoproj.io, slipway.dev]
  resources: ['*']
  verbs: *write
- {apiGroups: [metrics.k8s.io], resources: [pods, nodes], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: admin}
rules:
- apiGroups: ['', apps, autoscaling, batch, networking.k8s.io, policy, discovery.k8s.io, events.k8s.io, gateway.networking.k8s.io, argoproj.io, slipway.dev]
  resources: ['*']
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
- {apiGroups: [metrics.k8s.io], resources: [pods, nodes], verbs: [get, list]}
)";
  auto roles = doc::parse_yaml_all(text);
  SLP_ASSERT(roles);
  return *std::move(roles);
}

}  // namespace slipway::cluster
