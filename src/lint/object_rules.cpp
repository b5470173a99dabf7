// Rules over one object that are not about its pods.
#include "base/text.h"
#include "lint/detail/rules.h"

namespace slipway::lint::detail {
namespace {

struct Removed {
  std::string_view api_version, kinds, since, instead;
};
// Kubernetes' deprecation guide: the release that no longer serves the version.
constexpr Removed removed[] = {
    {"extensions/v1beta1", "Deployment DaemonSet ReplicaSet", "1.16", "apps/v1"},
    {"extensions/v1beta1", "NetworkPolicy", "1.16", "networking.k8s.io/v1"},
    {"extensions/v1beta1", "PodSecurityPolicy", "1.16", "Pod Security admission"},
    {"extensions/v1beta1", "Ingress", "1.22", "networking.k8s.io/v1"},
    {"apps/v1beta1", "", "1.16", "apps/v1"},
    {"apps/v1beta2", "", "1.16", "apps/v1"},
    {"networking.k8s.io/v1beta1", "Ingress IngressClass", "1.22", "networking.k8s.io/v1"},
    {"rbac.authorization.k8s.io/v1alpha1", "", "1.20", "rbac.authorization.k8s.io/v1"},
    {"rbac.authorization.k8s.io/v1beta1", "", "1.22", "rbac.authorization.k8s.io/v1"},
    {"apiextensions.k8s.io/v1beta1", "", "1.22", "apiextensions.k8s.io/v1"},
    {"admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration ValidatingWebhookConfiguration", "1.22",
     "admissionregistration.k8s.io/v1"},
    {"apiregistration.k8s.io/v1beta1", "", "1.22", "apiregistration.k8s.io/v1"},
    {"certificates.k8s.io/v1beta1", "CertificateSigningRequest", "1.22", "certificates.k8s.io/v1"},
    {"coordination.k8s.io/v1beta1", "Lease", "1.22", "coordination.k8s.io/v1"},
    {"scheduling.k8s.io/v1beta1", "PriorityClass", "1.22", "scheduling.k8s.io/v1"},
    {"storage.k8s.io/v1beta1", "CSIDriver CSINode StorageClass VolumeAttachment", "1.22", "storage.k8s.io/v1"},
    {"storage.k8s.io/v1beta1", "CSIStorageCapacity", "1.27", "storage.k8s.io/v1"},
    {"batch/v1beta1", "CronJob", "1.25", "batch/v1"},
    {"batch/v2alpha1", "", "1.21", "batch/v1"},
    {"discovery.k8s.io/v1beta1", "EndpointSlice", "1.25", "discovery.k8s.io/v1"},
    {"events.k8s.io/v1beta1", "Event", "1.25", "events.k8s.io/v1"},
    {"policy/v1beta1", "PodDisruptionBudget", "1.25", "policy/v1"},
    {"policy/v1beta1", "PodSecurityPolicy", "1.25", "Pod Security admission"},
    {"node.k8s.io/v1beta1", "RuntimeClass", "1.25", "node.k8s.io/v1"},
    {"autoscaling/v2beta1", "", "1.25", "autoscaling/v2"},
    {"autoscaling/v2beta2", "", "1.26", "autoscaling/v2"},
    {"flowcontrol.apiserver.k8s.io/v1beta1", "", "1.26", "flowcontrol.apiserver.k8s.io/v1"},
    {"flowcontrol.apiserver.k8s.io/v1beta2", "", "1.29", "flowcontrol.apiserver.k8s.io/v1"},
    {"flowcontrol.apiserver.k8s.io/v1beta3", "", "1.32", "flowcontrol.apiserver.k8s.io/v1"},
};

bool names_word(std::string_view list, std::string_view word) {
  for (auto item : split(list, ' '))
    if (item == word) return true;
  return false;
}

void removed_rule(const Object& object, Report& report) {
  for (const auto& row : removed)
    if (row.api_version == object.api_version() && (row.kinds.empty() || names_word(row.kinds, object.kind())))
      return report.add(
          "removed-api", object, object.view()["apiVersion"],
          fmt::format("{} is not served since Kubernetes {}: use {}", row.api_version, row.since, row.instead));
}

bool has_word(doc::View list, std::string_view word) {
  for (const auto& item : list.items())
    if (item.str_or("") == word || item.str_or("") == "*") return true;
  return false;
}

void role_rules(const Object& object, Report& report) {
  for (const auto& rule : object.view()["rules"].items()) {
    auto verbs = rule["verbs"], resources = rule["resources"];
    auto star = [](doc::View list) {
      for (const auto& item : list.items())
        if (item.str_or("") == "*") return true;
      return false;
    };
    if (star(verbs) && star(resources)) report.add("rbac-wildcard", object, rule, "may do everything to everything");
    bool core = has_word(rule["apiGroups"], "");
    bool into_pods =
        has_word(resources, "pods/exec") || has_word(resources, "pods/attach") || has_word(resources, "pods/*");
    if (core && into_pods && (has_word(verbs, "create") || has_word(verbs, "get")))
      report.add("rbac-pod-exec", object, rule, "may run commands in pods");
    if (core && has_word(resources, "secrets") &&
        (has_word(verbs, "get") || has_word(verbs, "list") || has_word(verbs, "watch")))
      report.add("rbac-secrets", object, rule, "may read secrets");
  }
}

void config_map_rules(const Object& object, Report& report) {
  for (const auto& [key, value] : object.view()["data"].members()) {
    auto word = lower(key), text = value.str_or("");
    bool named = word.find("password") != word.npos || word.find("passwd") != word.npos ||
                 word.find("secret") != word.npos || word.find("token") != word.npos ||
                 word.find("apikey") != word.npos || word.find("api_key") != word.npos ||
                 word.find("private_key") != word.npos || word.find("access_key") != word.npos;
    bool key_file = text.find("PRIVATE KEY-----") != text.npos;
    if ((named && !text.empty()) || key_file)
      report.add("secret-in-configmap", object, value, fmt::format("{} belongs into a Secret", key));
  }
}

void disruption_rules(const Object& object, Report& report) {
  auto spec = object.view()["spec"];
  auto most = spec["maxUnavailable"].text(), least = spec["minAvailable"].text();
  if (most == "0" || most == "0%")
    report.add("pdb-blocks", object, spec["maxUnavailable"], "maxUnavailable is 0: nodes cannot be drained");
  if (least == "100%")
    report.add("pdb-blocks", object, spec["minAvailable"], "minAvailable is 100%: nodes cannot be drained");
}

}  // namespace

void object_rules(const Object& object, Report& report) {
  auto view = object.view();
  auto kind = object.kind();
  removed_rule(object, report);
  bool named = !object.name().empty() || !object.value.str_at({"metadata", "generateName"}).empty();
  // Configuration of tools has their own rules.
  bool tool = kind == "Kustomization" || kind == "Component" ||
              object.api_version().starts_with("kustomize.config.k8s.io") || kind == "Config";
  if (!named && !tool) report.add("missing-name", object, view["metadata"], "want metadata.name");
  if (kind == "Role" || kind == "ClusterRole") role_rules(object, report);
  if ((kind == "RoleBinding" || kind == "ClusterRoleBinding") && view["roleRef"]["name"].str_or("") == "cluster-admin")
    report.add("cluster-admin", object, view["roleRef"], "gives cluster-admin away");
  if (kind == "ConfigMap") config_map_rules(object, report);
  if (kind == "PodDisruptionBudget") disruption_rules(object, report);
  if (kind == "Pod" && !view["metadata"]["ownerReferences"])
    report.add("naked-pod", object, view["kind"], "is not replaced when its node goes: use a Deployment");
  if (kind == "Ingress" && view["spec"]["tls"].items().empty())
    report.add("ingress-without-tls", object, view["spec"], "has no TLS");
  if (kind == "Deployment" || kind == "Rollout" || kind == "StatefulSet")
    if (auto replicas = view["spec"]["replicas"]; replicas && replicas.num_or(2) == 1)
      report.add("single-replica", object, replicas, "one replica");
}

}  // namespace slipway::lint::detail
