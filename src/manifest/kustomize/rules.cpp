// The rules kustomize has built in, made from what they have in common: where each kind keeps its pod template,
// and which fields of a pod speak of other objects.
#include <algorithm>

#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "manifest/detail/fields.h"
#include "manifest/detail/input.h"

namespace slipway::manifest {
namespace {

struct Host {
  std::string_view kind, pod;  // where the pod's spec stands
  std::string_view version = "";
};
constexpr Host pod{"Pod", "spec", "v1"}, any_pod{"Pod", "spec"};
constexpr Host hosts[] = {{"PodTemplate", "template/spec"},
                          {"Deployment", "spec/template/spec"},
                          {"ReplicaSet", "spec/template/spec"},
                          {"DaemonSet", "spec/template/spec"},
                          {"StatefulSet", "spec/template/spec"},
                          {"Job", "spec/template/spec"},
                          {"CronJob", "spec/jobTemplate/spec/template/spec"}};
constexpr Host workloads[] = {{"StatefulSet", "spec/template/spec"},
                              {"Deployment", "spec/template/spec"},
                              {"ReplicationController", "spec/template/spec"},
                              {"CronJob", "spec/jobTemplate/spec/template/spec"},
                              {"Job", "spec/template/spec"},
                              {"DaemonSet", "spec/template/spec"}};

FieldSpec spec(std::string path, std::string_view kind = "", std::string_view group = "", std::string_view version = "",
               bool create = false) {
  return {{std::string(group), std::string(version), std::string(kind)}, std::move(path), create};
}
FieldSpec at(const Host& host, std::string_view field) {
  return spec(fmt::format("{}/{}", host.pod, field), host.kind, "", host.version);
}

constexpr std::string_view rbac = "rbac.authorization.k8s.io", admission = "admissionregistration.k8s.io";

void add_pod_fields(FieldSpecs& to, std::initializer_list<std::string_view> fields) {
  for (auto field : fields) to.push_back(at(pod, field));
  for (const auto& host : hosts) {
    for (auto field : fields) to.push_back(at(host, field));
  }
}

void add_workloads(FieldSpecs& to, std::string_view field) {
  to.push_back(at(any_pod, field));
  for (const auto& host : workloads) to.push_back(at(host, field));
}

NameReference config_maps() {
  NameReference rule{{"", "v1", "ConfigMap"}, {}};
  add_pod_fields(rule.referrers,
                 {"volumes/configMap/name", "containers/env/valueFrom/configMapKeyRef/name",
                  "initContainers/env/valueFrom/configMapKeyRef/name", "containers/envFrom/configMapRef/name",
                  "initContainers/envFrom/configMapRef/name", "volumes/projected/sources/configMap/name"});
  for (auto& more : {spec("spec/configSource/configMap", "Node"), spec("rules/resourceNames", "Role"),
                     spec("rules/resourceNames", "ClusterRole"),
                     spec("metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap", "Ingress")}) {
    rule.referrers.push_back(more);
  }
  return rule;
}

NameReference secrets() {
  NameReference rule{{"", "v1", "Secret"}, {}};
  add_pod_fields(rule.referrers, {"volumes/secret/secretName", "containers/env/valueFrom/secretKeyRef/name",
                                  "initContainers/env/valueFrom/secretKeyRef/name", "containers/envFrom/secretRef/name",
                                  "initContainers/envFrom/secretRef/name", "imagePullSecrets/name",
                                  "volumes/projected/sources/secret/name"});
  for (auto& more :
       {spec("spec/tls/secretName", "Ingress"),
        spec("metadata/annotations/ingress.kubernetes.io\\/auth-secret", "Ingress"),
        spec("metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret", "Ingress"),
        spec("metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret", "Ingress"),
        spec("imagePullSecrets/name", "ServiceAccount"), spec("parameters/secretName", "StorageClass"),
        spec("parameters/adminSecretName", "StorageClass"), spec("parameters/userSecretName", "StorageClass"),
        spec("parameters/secretRef", "StorageClass"), spec("rules/resourceNames", "Role"),
        spec("rules/resourceNames", "ClusterRole"),
        spec("spec/template/spec/containers/env/valueFrom/secretKeyRef/name", "Service", "serving.knative.dev", "v1"),
        spec("spec/azureFile/secretName", "PersistentVolume")}) {
    rule.referrers.push_back(more);
  }
  return rule;
}

NameReference services() {
  return {
      {"", "v1", "Service"},
      {spec("spec/serviceName", "StatefulSet", "apps"), spec("spec/rules/http/paths/backend/serviceName", "Ingress"),
       spec("spec/backend/serviceName", "Ingress"), spec("spec/rules/http/paths/backend/service/name", "Ingress"),
       spec("spec/defaultBackend/service/name", "Ingress"),
       spec("spec/service/name", "APIService", "apiregistration.k8s.io"),
       spec("webhooks/clientConfig/service", "ValidatingWebhookConfiguration", admission),
       spec("webhooks/clientConfig/service", "MutatingWebhookConfiguration", admission)}};
}

void add_storage_and_classes(std::vector<NameReference>& rules) {
  NameReference claims{{"", "v1", "PersistentVolumeClaim"}, {}};
  add_workloads(claims.referrers, "volumes/persistentVolumeClaim/claimName");
  rules.push_back(std::move(claims));
  rules.push_back({{"", "v1", "PersistentVolume"},
                   {spec("spec/volumeName", "PersistentVolumeClaim"), spec("rules/resourceNames", "ClusterRole")}});
  rules.push_back(
      {{"storage.k8s.io", "v1", "StorageClass"},
       {spec("spec/storageClassName", "PersistentVolume"), spec("spec/storageClassName", "PersistentVolumeClaim"),
        spec("spec/volumeClaimTemplates/spec/storageClassName", "StatefulSet")}});
  NameReference priority{{"scheduling.k8s.io", "v1", "PriorityClass"}, {}};
  add_workloads(priority.referrers, "priorityClassName");
  rules.push_back(std::move(priority));
  rules.push_back({{"networking.k8s.io/v1", "v1", "IngressClass"}, {spec("spec/ingressClassName", "Ingress")}});
  rules.push_back({{std::string(admission), "", "ValidatingAdmissionPolicy"},
                   {spec("spec/policyName", "ValidatingAdmissionPolicyBinding", admission)}});
}

std::vector<NameReference> name_references() {
  std::vector<NameReference> rules;
  for (auto kind : {"Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"}) {
    rules.push_back({{"", "", kind}, {spec("spec/scaleTargetRef/name", "HorizontalPodAutoscaler")}});
  }
  rules.push_back(config_maps());
  rules.push_back(secrets());
  rules.push_back(services());
  rules.push_back({{std::string(rbac), "", "Role"}, {spec("roleRef/name", "RoleBinding", rbac)}});
  rules.push_back({{std::string(rbac), "", "ClusterRole"},
                   {spec("roleRef/name", "RoleBinding", rbac), spec("roleRef/name", "ClusterRoleBinding", rbac)}});
  NameReference accounts{{"", "v1", "ServiceAccount"},
                         {spec("subjects", "RoleBinding", rbac), spec("subjects", "ClusterRoleBinding", rbac)}};
  add_workloads(accounts.referrers, "serviceAccountName");
  rules.push_back(std::move(accounts));
  add_storage_and_classes(rules);
  return rules;
}

// Templates of workloads that take labels and annotations; the groups are kustomize's.
FieldSpecs template_metadata(std::string_view field, std::string_view stateful_group) {
  auto path = [&](std::string_view where) { return fmt::format("{}/{}", where, field); };
  FieldSpecs specs{spec(path("metadata"), "", "", "", true),
                   spec(path("spec/template/metadata"), "ReplicationController", "", "v1", true)};
  for (auto kind : {"Deployment", "ReplicaSet", "DaemonSet"})
    specs.push_back(spec(path("spec/template/metadata"), kind, "", "", true));
  specs.push_back(spec(path("spec/template/metadata"), "StatefulSet", stateful_group, "", true));
  if (field == "labels")
    specs.push_back(spec(path("spec/volumeClaimTemplates[]/metadata"), "StatefulSet", "apps", "", true));
  specs.push_back(spec(path("spec/template/metadata"), "Job", "batch", "", true));
  specs.push_back(spec(path("spec/jobTemplate/metadata"), "CronJob", "batch", "", true));
  specs.push_back(spec(path("spec/jobTemplate/spec/template/metadata"), "CronJob", "batch", "", true));
  return specs;
}

FieldSpecs selectors() {
  FieldSpecs specs{spec("spec/selector", "Service", "", "v1", true),
                   spec("spec/selector", "ReplicationController", "", "v1", true)};
  auto placement = [&](std::string_view kind) {
    constexpr std::string_view preferred =
        "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels";
    constexpr std::string_view required = "requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels";
    for (auto affinity : {"podAffinity", "podAntiAffinity"}) {
      for (auto term : {preferred, required}) {
        specs.push_back(spec(fmt::format("spec/template/spec/affinity/{}/{}", affinity, term), kind, "apps"));
      }
    }
    specs.push_back(spec("spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels", kind, "apps"));
  };
  specs.push_back(spec("spec/selector/matchLabels", "Deployment", "", "", true));
  placement("Deployment");
  specs.push_back(spec("spec/selector/matchLabels", "ReplicaSet", "", "", true));
  specs.push_back(spec("spec/selector/matchLabels", "DaemonSet", "", "", true));
  specs.push_back(spec("spec/selector/matchLabels", "StatefulSet", "apps", "", true));
  placement("StatefulSet");
  specs.push_back(spec("spec/selector/matchLabels", "Job", "batch"));
  specs.push_back(spec("spec/jobTemplate/spec/selector/matchLabels", "CronJob", "batch"));
  specs.push_back(spec("spec/selector/matchLabels", "PodDisruptionBudget", "policy"));
  for (auto where : {"spec", "spec/ingress/from", "spec/egress/to"}) {
    specs.push_back(spec(fmt::format("{}/podSelector/matchLabels", where), "NetworkPolicy", "networking.k8s.io"));
  }
  return specs;
}

FieldSpecs var_references() {
  FieldSpecs specs;
  auto containers = [&](std::string_view kind, std::string_view where) {
    for (auto list : {"containers", "initContainers"}) {
      for (auto field : {"args", "command", "env/value", "volumeMounts/mountPath"}) {
        specs.push_back(spec(fmt::format("{}/{}/{}", where, list, field), kind));
      }
    }
  };
  containers("CronJob", "spec/jobTemplate/spec/template/spec");
  specs.push_back(spec("spec/jobTemplate/spec/template/volumes/nfs/server", "CronJob"));
  for (auto kind : {"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"}) {
    containers(kind, "spec/template/spec");
    if (std::string_view(kind) != "StatefulSet") specs.push_back(spec("spec/template/spec/volumes/nfs/server", kind));
  }
  containers("Pod", "spec");
  for (auto& more :
       {spec("spec/volumes/nfs/server", "Pod"), spec("spec/template/metadata/annotations", "Deployment"),
        spec("spec/rules/host", "Ingress"), spec("spec/tls/hosts", "Ingress"), spec("spec/tls/secretName", "Ingress"),
        spec("spec/ports/port", "Service"), spec("spec/ports/targetPort", "Service"),
        spec("spec/volumeClaimTemplates/spec/nfs/server", "StatefulSet"), spec("spec/nfs/server", "PersistentVolume"),
        spec("metadata/labels"), spec("metadata/annotations")}) {
    specs.push_back(more);
  }
  return specs;
}

Rules make_default_rules() {
  Rules rules;
  rules.name_prefix = rules.name_suffix = {spec("metadata/name")};
  rules.space = {spec("metadata/name", "Namespace", "", "", true),
                 spec("spec/service/namespace", "APIService", "apiregistration.k8s.io", "", true),
                 spec("spec/conversion/webhook/clientConfig/service/namespace", "CustomResourceDefinition",
                      "apiextensions.k8s.io")};
  rules.template_labels = template_metadata("labels", "apps");
  rules.common_labels = selectors();
  rules.common_labels.insert(rules.common_labels.end(), rules.template_labels.begin(), rules.template_labels.end());
  rules.common_annotations = template_metadata("annotations", "");
  rules.var_reference = var_references();
  for (auto where : {"spec", "spec/template/spec"}) {
    for (auto list : {"containers[]", "initContainers[]"}) {
      rules.images.push_back(spec(fmt::format("{}/{}/image", where, list), "", "", "", true));
    }
    rules.images.push_back(spec(fmt::format("{}/volumes[]/image/reference", where), "", "", "", true));
  }
  for (auto kind : {"Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"}) {
    rules.replicas.push_back(spec("spec/replicas", kind, "", "", true));
  }
  rules.name_reference = name_references();
  // Sorted once, as every merge leaves them.
  Rules sorted;
  SLP_ASSERT(merge_rules(sorted, rules).has_value());
  return sorted;
}

}  // namespace

const Rules& default_rules() {
  static const Rules rules = make_default_rules();
  return rules;
}

Result<Rules> read_rules(std::string_view text, std::string_view source) {
  TRY(auto root, doc::parse_yaml(text, {.source = source}));
  Rules rules;
  if (root.is_null()) return rules;
  TRY(auto in, Input::of(root, source, "",
                         {"namePrefix", "nameSuffix", "namespace", "commonLabels", "labels", "templateLabels",
                          "commonAnnotations", "nameReference", "varReference", "images", "replicas"}));
  struct {
    std::string_view key;
    FieldSpecs Rules::* list;
  } constexpr lists[] = {{"namePrefix", &Rules::name_prefix},
                         {"nameSuffix", &Rules::name_suffix},
                         {"namespace", &Rules::space},
                         {"commonLabels", &Rules::common_labels},
                         {"labels", &Rules::labels},
                         {"templateLabels", &Rules::template_labels},
                         {"commonAnnotations", &Rules::common_annotations},
                         {"varReference", &Rules::var_reference},
                         {"images", &Rules::images},
                         {"replicas", &Rules::replicas}};
  for (const auto& [key, list] : lists) {
    TRY(rules.*list, in.field_specs(key));
  }
  TRY(auto references, in.items("nameReference", {"group", "version", "kind", "fieldSpecs"}));
  for (const auto& item : references) {
    NameReference rule;
    TRY(rule.target, item.gvk());
    TRY(rule.referrers, item.field_specs("fieldSpecs"));
    rules.name_reference.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace slipway::manifest
