// Kinds of other projects that tell how they do by conditions: one row a group. Rules: Argo CD's checks, where they
// come down to this.
#include "base/text.h"
#include "gitops/detail/health.h"

namespace slipway::gitops::detail {
namespace {

struct Row {
  std::string_view group;
  std::string_view kinds;           // with spaces between; "" for all of the group
  std::string_view good;            // True: healthy; False: degraded; else progressing
  std::string_view bad = "";        // any of them True: degraded, whatever else
  std::string_view suspended = "";  // a field of spec that is true
  std::string_view working = "";    // reasons with which a False is only progressing
};
constexpr Row rows[] = {
    {"cert-manager.io", "", "Ready", "", "", "Pending Issuing InProgress DoesNotExist"},
    {"certmanager.k8s.io", "", "Ready", "", "", "Pending InProgress"},
    {"external-secrets.io", "ExternalSecret SecretStore ClusterSecretStore PushSecret", "Ready"},
    {"bitnami.com", "SealedSecret", "Synced"},
    {"helm.toolkit.fluxcd.io", "", "Ready", "Stalled", "suspend", "Progressing"},
    {"kustomize.toolkit.fluxcd.io", "", "Ready", "Stalled", "suspend", "Progressing"},
    {"source.toolkit.fluxcd.io", "", "Ready", "Stalled", "suspend", "Progressing"},
    {"image.toolkit.fluxcd.io", "", "Ready", "Stalled", "suspend", "Progressing"},
    {"notification.toolkit.fluxcd.io", "Receiver", "Ready", "Stalled", "suspend", "Progressing"},
    {"gateway.networking.k8s.io", "GatewayClass", "Accepted"},
    {"serving.knative.dev", "Service", "Ready"},
    {"monitoring.coreos.com", "Prometheus Alertmanager", "Available"},
    {"karpenter.sh", "NodePool", "Ready"},
    {"karpenter.k8s.aws", "EC2NodeClass", "Ready"},
    {"kyverno.io", "Policy ClusterPolicy", "Ready"},
    {"keda.sh", "ScaledObject", "Ready"},
    {"onepassword.com", "OnePasswordItem", "Ready"},
    {"kafka.strimzi.io", "Kafka KafkaConnect KafkaTopic KafkaUser", "Ready", "NotReady"},
    {"camel.apache.org", "Integration", "Ready"},
    {"flagger.app", "Canary", "Promoted"},
    {"cluster.x-k8s.io", "Machine", "Ready", "", "", "Cloning"},
    {"pulumi.com", "Stack", "Ready", "", "", "NotReadyInProgress"},
    {"db.atlasgo.io", "AtlasMigration AtlasSchema", "Ready", "", "", "Reconciling"},
    {"datadoghq.com", "DatadogMetric", "Valid"},
    {"coralogix.com", "Alert RecordingRuleGroupSet", "RemoteSynced"},
    {"grafana.integreatly.org", "GrafanaDashboard", "DashboardSynchronized"},
    {"grafana.integreatly.org", "GrafanaFolder", "FolderSynchronized"},
    {"numaflow.numaproj.io", "Vertex", "PodsHealthy"},
    {"capabilities.3scale.net", "Tenant", "Ready"},
    {"capabilities.3scale.net", "ApplicationAuth ProxyConfigPromote", "Ready", "Failed"},
    {"capabilities.3scale.net", "CustomPolicyDefinition", "Ready", "Invalid"},
    {"apps.kruise.io", "BroadcastJob", "Complete", "Failed", "paused"},
    {"k8s.mariadb.com", "MariaDB", "Ready", "", "", "RestoreNotComplete StatefulSetNotReady"},
    {"k8s.mariadb.com", "Grant User Database", "Ready"},
    {"k8s.mariadb.com", "Backup", "Complete"},
};

bool names(std::string_view words, std::string_view word) {
  if (words.empty()) return false;
  for (auto one : split(words, ' '))
    if (one == word) return true;
  return false;
}

HealthStatus by_row(const Row& row, const kube::Object& o) {
  if (!row.suspended.empty() && o["spec"][row.suspended].bool_or(false))
    return {Health::suspended, fmt::format("{} is suspended", o.kind())};
  for (auto type : split(row.bad, ' '))
    if (auto bad = condition(o, type); bad["status"].text() == "True") return {Health::degraded, bad["message"].text()};
  auto c = condition(o, row.good);
  auto status = c["status"].text();
  if (status == "False" && !names(row.working, c["reason"].text())) return {Health::degraded, c["message"].text()};
  for (const auto& seen : {o["status"]["observedGeneration"], c["observedGeneration"]})
    if (seen.present() && seen.num_or(0) < o.generation())
      return progressing(fmt::format("Waiting for {} to be observed", o.kind()));
  if (status == "True") return {Health::healthy, c["message"].text()};
  return progressing(c.exists() ? c["message"].text() : fmt::format("Waiting for {}", o.kind()));
}

}  // namespace

std::optional<HealthStatus> health_by_conditions(const kube::Object& object) {
  auto type = object.type();
  // The one kind without a controller behind it.
  if (type.group() == "source.toolkit.fluxcd.io" && type.kind == "HelmRepository" &&
      object["spec"]["type"].text() == "oci")
    return HealthStatus{};
  for (const auto& row : rows)
    if (row.group == type.group() && (row.kinds.empty() || names(row.kinds, type.kind))) return by_row(row, object);
  return std::nullopt;
}

}  // namespace slipway::gitops::detail
