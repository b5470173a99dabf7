#include "manifest/detail/schema.h"

#include <algorithm>
#include <unordered_map>

#include "base/text.h"

namespace slipway::manifest {
namespace {

struct FieldRow {
  int type;
  std::string_view field;
  int below;
  const char* keys;
};
struct KindRow {
  std::string_view api_version, kind;
  int type;
};
#include "manifest/detail/merge_keys.inc"

// group/versions that kustomize (5.8) takes for a kind outside namespaces: of its copy of the API (Kubernetes 1.21),
// and two by hand.
struct ScopeRow {
  std::string_view kind, group, versions;
};
constexpr ScopeRow cluster_kinds[] = {
    {"MutatingWebhookConfiguration", "admissionregistration.k8s.io", "v1 v1beta1"},
    {"ValidatingWebhookConfiguration", "admissionregistration.k8s.io", "v1 v1beta1"},
    {"ValidatingAdmissionPolicy", "admissionregistration.k8s.io", "v1"},
    {"ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io", "v1"},
    {"CustomResourceDefinition", "apiextensions.k8s.io", "v1 v1beta1"},
    {"APIService", "apiregistration.k8s.io", "v1 v1beta1"},
    {"CertificateSigningRequest", "certificates.k8s.io", "v1 v1beta1"},
    {"FlowSchema", "flowcontrol.apiserver.k8s.io", "v1beta1"},
    {"PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io", "v1beta1"},
    {"IngressClass", "networking.k8s.io", "v1 v1beta1"},
    {"RuntimeClass", "node.k8s.io", "v1 v1beta1"},
    {"PodSecurityPolicy", "policy", "v1beta1"},
    {"ClusterRole", "rbac.authorization.k8s.io", "v1 v1beta1"},
    {"ClusterRoleBinding", "rbac.authorization.k8s.io", "v1 v1beta1"},
    {"PriorityClass", "scheduling.k8s.io", "v1 v1beta1"},
    {"CSIDriver", "storage.k8s.io", "v1 v1beta1"},
    {"CSINode", "storage.k8s.io", "v1 v1beta1"},
    {"StorageClass", "storage.k8s.io", "v1 v1beta1"},
    {"VolumeAttachment", "storage.k8s.io", "v1 v1beta1"},
    {"ComponentStatus", "", "v1"},
    {"Namespace", "", "v1"},
    {"Node", "", "v1"},
    {"NodeProxyOptions", "", "v1"},
    {"PersistentVolume", "", "v1"},
};

}  // namespace

Schema Schema::member(std::string_view field) const {
  if (type < 0) return {};
  if (table != nullptr) return table->member(type, field);
  const auto* row = std::lower_bound(std::begin(field_rows), std::end(field_rows), type,
                                     [](const FieldRow& r, int t) { return r.type < t; });
  for (; row != std::end(field_rows) && row->type == type; ++row) {
    if (row->field == field) return {row->below, row->keys};
  }
  return {};
}

std::vector<std::string> Schema::key_list() const {
  std::vector<std::string> all;
  if (keys != nullptr && *keys != '\0') {
    for (auto key : split(keys, ',')) all.emplace_back(key);
  }
  return all;
}

Schema schema_of(const SchemaTable* table, std::string_view api_version, std::string_view kind) {
  if (table != nullptr) return table->kind(api_version, kind);
  for (const auto& row : kind_rows) {
    if (row.kind == kind && row.api_version == api_version) return {row.type, nullptr};
  }
  return {};
}

bool cluster_scoped(std::string_view group, std::string_view version, std::string_view kind) {
  for (const auto& row : cluster_kinds) {
    if (row.kind != kind || row.group != group) continue;
    for (auto v : split(row.versions, ' ')) {
      if (v == version) return true;
    }
  }
  return false;
}

}  // namespace slipway::manifest
