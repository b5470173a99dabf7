#include "cluster/api/defaults.h"

#include "base/text.h"

namespace slipway::cluster {
namespace {

// Sets a member that is absent.
void put(doc::Value& in, std::string_view key, doc::Value value) {
  if (!in.is_map() && !in.is_null()) return;
  if (in.find(key) == nullptr) in[key] = std::move(value);
}
doc::Value* at(doc::Value& in, std::string_view key) { return in.is_map() ? in.map().find(key) : nullptr; }
template <class F>
void each(doc::Value& in, std::string_view key, F f) {
  auto* list = at(in, key);
  if (list == nullptr || !list->is_list()) return;
  for (auto& item : list->list())
    if (item.is_map()) f(item);
}

void probe(doc::Value& p) {
  put(p, "timeoutSeconds", 1), put(p, "periodSeconds", 10), put(p, "successThreshold", 1),
      put(p, "failureThreshold", 3);
  if (auto* http = at(p, "httpGet")) put(*http, "path", "/"), put(*http, "scheme", "HTTP");
  if (auto* grpc = at(p, "grpc")) put(*grpc, "service", "");
}

bool latest(std::string_view image) {
  if (image.find('@') != std::string_view::npos) return false;
  auto name = image.substr(image.rfind('/') == std::string_view::npos ? 0 : image.rfind('/'));
  auto colon = name.rfind(':');
  return colon == std::string_view::npos || name.substr(colon + 1) == "latest";
}

void container(doc::Value& c, bool host_network) {
  put(c, "imagePullPolicy", latest(c.str_at({"image"})) ? "Always" : "IfNotPresent");
  put(c, "terminationMessagePath", "/dev/termination-log");
  put(c, "terminationMessagePolicy", "File");
  put(c, "resources", doc::Map{});
  each(c, "ports", [&](doc::Value& port) {
    put(port, "protocol", "TCP");
    if (const auto* number = port.find("containerPort"); host_network && number != nullptr)
      put(port, "hostPort", *number);
  });
  for (std::string_view name : {"livenessProbe", "readinessProbe", "startupProbe"})
    if (auto* p = at(c, name)) probe(*p);
  if (auto* lifecycle = at(c, "lifecycle"))
    for (std::string_view hook : {"postStart", "preStop"})
      if (auto* h = at(*lifecycle, hook))
        if (auto* http = at(*h, "httpGet")) put(*http, "path", "/"), put(*http, "scheme", "HTTP");
  each(c, "env", [](doc::Value& env) {
    if (auto* from = at(env, "valueFrom"))
      if (auto* field = at(*from, "fieldRef")) put(*field, "apiVersion", "v1");
  });
}

void volume(doc::Value& v) {
  if (v.map().size() == 1 && v.find("name") != nullptr) v["emptyDir"] = doc::Map{};
  for (std::string_view name : {"secret", "configMap", "downwardAPI", "projected"})
    if (auto* source = at(v, name)) put(*source, "defaultMode", 420);
  if (auto* source = at(v, "hostPath")) put(*source, "type", "");
  if (auto* projected = at(v, "projected"))
    each(*projected, "sources", [](doc::Value& source) {
      if (auto* token = at(source, "serviceAccountToken")) put(*token, "expirationSeconds", 3600);
      if (auto* downward = at(source, "downwardAPI"))
        each(*downward, "items", [](doc::Value& item) {
          if (auto* field = at(item, "fieldRef")) put(*field, "apiVersion", "v1");
        });
    });
}

void pod_spec(doc::Value& spec) {
  put(spec, "dnsPolicy", "ClusterFirst"), put(spec, "restartPolicy", "Always");
  put(spec, "securityContext", doc::Map{});
  put(spec, "terminationGracePeriodSeconds", 30), put(spec, "schedulerName", "default-scheduler");
  if (auto account = spec.str_at({"serviceAccountName"}); !account.empty()) put(spec, "serviceAccount", account);
  const auto* host = spec.find("hostNetwork");
  bool host_network = host != nullptr && host->if_bool() != nullptr && *host->if_bool();
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
    each(spec, list, [&](doc::Value& c) { container(c, host_network); });
  each(spec, "volumes", volume);
}

void pod_template(doc::Value& spec) {
  auto* t = at(spec, "template");
  if (t == nullptr || !t->is_map()) return;
  put(*t, "metadata", doc::Map{});
  if (auto* inner = at(*t, "spec")) pod_spec(*inner);
}

// Requests that are not given are the limits (of pods only, not of templates).
void requests_from_limits(doc::Value& spec) {
  for (std::string_view list : {"containers", "initContainers"})
    each(spec, list, [](doc::Value& c) {
      auto* resources = at(c, "resources");
      auto* limits = resources != nullptr ? at(*resources, "limits") : nullptr;
      if (limits == nullptr || !limits->is_map()) return;
      doc::Value copy = *limits;
      for (const auto& [name, amount] : *copy.if_map()) put((*resources)["requests"], name, amount);
    });
}

void pod(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "enableServiceLinks", true);
  put(spec, "serviceAccountName", "default");
  pod_spec(spec);
  requests_from_limits(spec);
  put(spec, "preemptionPolicy", "PreemptLowerPriority"), put(spec, "priority", 0);
  if (spec.find("tolerations") == nullptr)
    for (std::string_view key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
      spec["tolerations"].list().push_back(
          doc::Map{{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}});
}

void deployment(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "replicas", 1), put(spec, "revisionHistoryLimit", 10), put(spec, "progressDeadlineSeconds", 600);
  put(spec, "strategy", doc::Map{});
  auto& strategy = spec["strategy"];
  put(strategy, "type", "RollingUpdate");
  if (strategy.str_at({"type"}) == "RollingUpdate") {
    put(strategy, "rollingUpdate", doc::Map{});
    put(strategy["rollingUpdate"], "maxUnavailable", "25%"), put(strategy["rollingUpdate"], "maxSurge", "25%");
  }
  pod_template(spec);
}

void stateful_set(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "replicas", 1), put(spec, "podManagementPolicy", "OrderedReady"), put(spec, "revisionHistoryLimit", 10);
  put(spec, "serviceName", "");
  put(spec, "updateStrategy", doc::Map{});
  auto& strategy = spec["updateStrategy"];
  put(strategy, "type", "RollingUpdate");
  if (strategy.str_at({"type"}) == "RollingUpdate") {
    put(strategy, "rollingUpdate", doc::Map{});
    put(strategy["rollingUpdate"], "partition", 0);
  }
  put(spec, "persistentVolumeClaimRetentionPolicy", doc::Map{{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}});
  each(spec, "volumeClaimTemplates", [](doc::Value& claim) {
    put(claim, "apiVersion", "v1"), put(claim, "kind", "PersistentVolumeClaim");
    put(claim["spec"], "volumeMode", "Filesystem");
    put(claim, "status", doc::Map{{"phase", "Pending"}});
  });
  pod_template(spec);
}

void daemon_set(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "revisionHistoryLimit", 10);
  put(spec, "updateStrategy", doc::Map{});
  auto& strategy = spec["updateStrategy"];
  put(strategy, "type", "RollingUpdate");
  if (strategy.str_at({"type"}) == "RollingUpdate") {
    put(strategy, "rollingUpdate", doc::Map{});
    put(strategy["rollingUpdate"], "maxUnavailable", 1), put(strategy["rollingUpdate"], "maxSurge", 0);
  }
  pod_template(spec);
}

void job_spec(doc::Value& spec) {
  if (spec.find("completions") == nullptr && spec.find("parallelism") == nullptr)
    spec["completions"] = 1, spec["parallelism"] = 1;
  put(spec, "parallelism", 1), put(spec, "backoffLimit", 6), put(spec, "completionMode", "NonIndexed"),
      put(spec, "suspend", false);
  put(spec, "podReplacementPolicy", "TerminatingOrFailed"), put(spec, "manualSelector", false);
  pod_template(spec);
}

// A Job selects its pods by its uid, unless told to select otherwise.
void job(doc::Value& o) {
  auto& spec = o["spec"];
  job_spec(spec);
  auto uid = o.str_at({"metadata", "uid"}), name = o.str_at({"metadata", "name"});
  const auto* manual = spec.find("manualSelector");
  if (uid.empty() || (manual != nullptr && manual->if_bool() != nullptr && *manual->if_bool()) ||
      spec.find("selector") != nullptr)
    return;
  spec["selector"] = doc::Map{{"matchLabels", doc::Map{{"batch.kubernetes.io/controller-uid", uid}}}};
  auto& labels = spec["template"]["metadata"]["labels"];
  for (std::string_view prefix : {"batch.kubernetes.io/", ""}) {
    put(labels, fmt::format("{}controller-uid", prefix), uid);
    put(labels, fmt::format("{}job-name", prefix), name);
  }
}

void cron_job(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "concurrencyPolicy", "Allow"), put(spec, "suspend", false);
  put(spec, "successfulJobsHistoryLimit", 3), put(spec, "failedJobsHistoryLimit", 1);
  if (auto* t = at(spec, "jobTemplate")) {
    put(*t, "metadata", doc::Map{});
    // A template is not given what a Job itself gets at creation.
    auto& inner = (*t)["spec"];
    if (auto* pods = at(inner, "template")) {
      put(*pods, "metadata", doc::Map{});
      if (auto* s = at(*pods, "spec")) pod_spec(*s);
    }
  }
}

void service(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "type", "ClusterIP"), put(spec, "sessionAffinity", "None");
  if (spec.str_at({"sessionAffinity"}) == "ClientIP" && spec.find("sessionAffinityConfig") == nullptr)
    spec["sessionAffinityConfig"] = doc::Map{{"clientIP", doc::Map{{"timeoutSeconds", 10800}}}};
  each(spec, "ports", [](doc::Value& port) {
    put(port, "protocol", "TCP");
    if (const auto* number = port.find("port")) put(port, "targetPort", *number);
  });
  auto type = spec.str_at({"type"});
  if (type == "ExternalName") return;
  put(spec, "internalTrafficPolicy", "Cluster");
  if (type == "NodePort" || type == "LoadBalancer") put(spec, "externalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer") put(spec, "allocateLoadBalancerNodePorts", true);
  put(spec, "ipFamilies", doc::List{"IPv4"}), put(spec, "ipFamilyPolicy", "SingleStack");
}

void secret(doc::Value& o) { put(o, "type", "Opaque"); }

void role_binding(doc::Value& o) {
  if (auto* ref = at(o, "roleRef")) put(*ref, "apiGroup", "rbac.authorization.k8s.io");
  each(o, "subjects", [](doc::Value& subject) {
    auto kind = subject.str_at({"kind"});
    if (kind == "User" || kind == "Group") put(subject, "apiGroup", "rbac.authorization.k8s.io");
  });
}

void claim(doc::Value& o) { put(o["spec"], "volumeMode", "Filesystem"); }

void network_policy(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "podSelector", doc::Map{});
  if (spec.find("policyTypes") == nullptr) {
    spec["policyTypes"] = doc::List{"Ingress"};
    const auto* egress = spec.find("egress");
    if (egress != nullptr && egress->is_list() && !egress->if_list()->empty())
      spec["policyTypes"].list().emplace_back("Egress");
  }
  for (std::string_view direction : {"ingress", "egress"})
    each(spec, direction,
         [](doc::Value& rule) { each(rule, "ports", [](doc::Value& port) { put(port, "protocol", "TCP"); }); });
}

// How fast it may go, where something is said of it at all. That of the way down has no window of its own: the
// controller's default counts. Rule: pkg/apis/autoscaling/v2/defaults.go.
void scaling_behavior(doc::Value& behavior) {
  auto policy = [](std::string_view type, int value) {
    return doc::Value(doc::Map{{"type", type}, {"value", value}, {"periodSeconds", 15}});
  };
  auto& up = behavior["scaleUp"];
  put(up, "selectPolicy", "Max"), put(up, "stabilizationWindowSeconds", 0);
  put(up, "policies", doc::List{policy("Pods", 4), policy("Percent", 100)});
  auto& down = behavior["scaleDown"];
  put(down, "selectPolicy", "Max");
  put(down, "policies", doc::List{policy("Percent", 100)});
}

void autoscaler(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "minReplicas", 1);
  if (auto* behavior = at(spec, "behavior"); behavior != nullptr && behavior->is_map()) scaling_behavior(*behavior);
  if (spec.find("metrics") == nullptr)
    spec["metrics"] = doc::List{doc::Map{
        {"type", "Resource"},
        {"resource",
         doc::Map{{"name", "cpu"}, {"target", doc::Map{{"type", "Utilization"}, {"averageUtilization", 80}}}}}}};
}

void endpoint_slice(doc::Value& o) {
  put(o, "endpoints", doc::List{}), put(o, "ports", doc::List{});
  each(o, "ports", [](doc::Value& port) { put(port, "name", ""), put(port, "protocol", "TCP"); });
}
void endpoints(doc::Value& o) {
  each(o, "subsets",
       [](doc::Value& subset) { each(subset, "ports", [](doc::Value& port) { put(port, "protocol", "TCP"); }); });
}

void name_space(doc::Value& o) {
  put(o["metadata"]["labels"], "kubernetes.io/metadata.name", o.str_at({"metadata", "name"}));
  put(o["spec"], "finalizers", doc::List{"kubernetes"});
  put(o["status"], "phase", "Active");
}

void replica_set(doc::Value& o) {
  put(o["spec"], "replicas", 1);
  pod_template(o["spec"]);
}
void controller(doc::Value& o) {
  auto& spec = o["spec"];
  put(spec, "replicas", 1);
  pod_template(spec);
  const auto* labels = o.find_path({"spec", "template", "metadata", "labels"});
  if (labels != nullptr) put(spec, "selector", doc::Value(*labels));
}
void storage_class(doc::Value& o) { put(o, "reclaimPolicy", "Delete"), put(o, "volumeBindingMode", "Immediate"); }
void volume_object(doc::Value& o) {
  put(o["spec"], "persistentVolumeReclaimPolicy", "Retain"), put(o["spec"], "volumeMode", "Filesystem");
  put(o["status"], "phase", "Pending");
}

}  // namespace

void fill_in(const KindInfo& kind, doc::Value& object) {
  static const std::map<std::string_view, void (*)(doc::Value&)> rules{
      {"pods", pod},
      {"deployments.apps", deployment},
      {"replicasets.apps", replica_set},
      {"statefulsets.apps", stateful_set},
      {"daemonsets.apps", daemon_set},
      {"jobs.batch", job},
      {"cronjobs.batch", cron_job},
      {"services", service},
      {"secrets", secret},
      {"rolebindings.rbac.authorization.k8s.io", role_binding},
      {"clusterrolebindings.rbac.authorization.k8s.io", role_binding},
      {"persistentvolumeclaims", claim},
      {"networkpolicies.networking.k8s.io", network_policy},
      {"horizontalpodautoscalers.autoscaling", autoscaler},
      {"endpointslices.discovery.k8s.io", endpoint_slice},
      {"endpoints", endpoints},
      {"namespaces", name_space},
      {"replicationcontrollers", controller},
      {"storageclasses.storage.k8s.io", storage_class},
      {"persistentvolumes", volume_object}};
  if (auto it = rules.find(kind.table); it != rules.end()) it->second(object);
}

}  // namespace slipway::cluster
