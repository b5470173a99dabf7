#include <algorithm>
#include <array>

#include "preview/preview.h"

namespace slipway::preview {
namespace {

constexpr std::array dropped_kinds{std::string_view("Ingress"),
                                   std::string_view("HTTPRoute"),
                                   std::string_view("Gateway"),
                                   std::string_view("Application"),
                                   std::string_view("Pipeline"),
                                   std::string_view("Notifier"),
                                   std::string_view("HorizontalPodAutoscaler")};

// "shop/api", "host/shop/api:tag" and "shop/api@sha256:..." all carry the name shop/api.
bool names_image(std::string_view image, std::string_view name) {
  auto at = image.find('@');
  image = image.substr(0, at);
  auto slash = image.rfind('/');
  auto colon = image.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash))
    image = image.substr(0, colon);
  return image == name || (image.ends_with(name) && image[image.size() - name.size() - 1] == '/');
}

void replace_images(doc::Value& pod_spec, const std::map<std::string, std::string>& images) {
  for (auto key : {"initContainers", "containers"}) {
    auto* map = pod_spec.if_map();
    auto* list = map != nullptr ? map->find(key) : nullptr;
    if (list == nullptr || list->if_list() == nullptr) continue;
    for (auto& container : *list->if_list()) {
      if (!container.is_map()) continue;
      auto image = container.str_at({"image"});
      for (const auto& [name, with] : images)
        if (names_image(image, name)) container["image"] = with;
    }
  }
}

doc::Value* at(doc::Value& value, std::initializer_list<std::string_view> keys) {
  auto* node = &value;
  for (auto key : keys) {
    auto* map = node->if_map();
    node = map != nullptr ? map->find(key) : nullptr;
    if (node == nullptr) return nullptr;
  }
  return node;
}

// A preview has one version of a service: how production shifts traffic is not its concern.
void rollout_to_deployment(doc::Value& object) {
  object["apiVersion"] = "apps/v1";
  object["kind"] = "Deployment";
  auto& spec = *object.if_map()->find("spec")->if_map();
  for (auto key : {"strategy", "analysis", "workloadRef", "restartAt", "rollbackWindow", "progressDeadlineAbort"})
    spec.erase(key);
}

// Addresses and volumes are the cluster's, and the ones named here are in use by what this is a preview of.
void take_no_address(doc::Value& service) {
  auto* spec = at(service, {"spec"});
  if (spec == nullptr || !spec->is_map()) return;
  auto& map = *spec->if_map();
  for (auto key : {"externalIPs", "loadBalancerIP", "loadBalancerClass", "externalTrafficPolicy", "healthCheckNodePort",
                   "allocateLoadBalancerNodePorts", "loadBalancerSourceRanges"})
    map.erase(key);
  if (spec->str_at({"clusterIP"}) != "None") map.erase("clusterIP"), map.erase("clusterIPs");
  auto type = spec->str_at({"type"});
  if (type == "NodePort" || type == "LoadBalancer") map.set("type", "ClusterIP");
  auto* ports = map.find("ports");
  if (ports == nullptr || !ports->is_list()) return;
  for (auto& port : *ports->if_list())
    if (port.is_map()) port.if_map()->erase("nodePort");
}

// Accounts are those of the preview, wherever the overlay lives else.
void bind_own_accounts(doc::Value& binding, const std::string& ns) {
  auto* subjects = at(binding, {"subjects"});
  if (subjects == nullptr || !subjects->is_list()) return;
  for (auto& subject : *subjects->if_list())
    if (subject.is_map() && subject.str_at({"kind"}) == "ServiceAccount") subject["namespace"] = ns;
}

// Kinds that make pods: the template's labels, if any is to run.
const doc::Value* pod_labels(const doc::Value& object) {
  auto kind = object.str_at({"kind"});
  if (kind == "Pod") return object.find_path({"metadata", "labels"});
  if (kind != "Deployment" && kind != "StatefulSet" && kind != "DaemonSet" && kind != "ReplicaSet") return nullptr;
  if (doc::View(object)["spec"]["replicas"].num_or(1) == 0) return nullptr;
  return object.find_path({"spec", "template", "metadata", "labels"});
}

bool selects(const doc::Value& selector, const doc::Value& labels) {
  for (const auto& [key, value] : *selector.if_map()) {
    const auto* have = labels.find(key);
    if (have == nullptr || !(*have == value)) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> answering_services(const std::vector<doc::Value>& objects) {
  std::vector<std::string> names;
  for (const auto& service : objects) {
    const auto* selector = service.find_path({"spec", "selector"});
    if (service.str_at({"kind"}) != "Service" || selector == nullptr || !selector->is_map() ||
        selector->if_map()->empty())
      continue;
    if (doc::View(service)["spec"]["ports"].items().empty()) continue;
    bool any = std::any_of(objects.begin(), objects.end(), [&](const doc::Value& object) {
      const auto* labels = pod_labels(object);
      return labels != nullptr && selects(*selector, *labels);
    });
    if (any) names.push_back(service.str_at({"metadata", "name"}));
  }
  return names;
}

std::vector<doc::Value> preview_objects(std::vector<doc::Value> objects, const std::string& ns,
                                        const std::map<std::string, std::string>& images,
                                        const std::function<bool(const kube::Type&)>& namespaced) {
  std::vector<doc::Value> kept;
  for (auto& object : objects) {
    auto kind = object.str_at({"kind"});
    if (std::find(dropped_kinds.begin(), dropped_kinds.end(), kind) != dropped_kinds.end()) continue;
    if (kind == "Rollout" && at(object, {"spec", "template"}) != nullptr) {
      rollout_to_deployment(object);
      kind = "Deployment";
    }
    if (kind == "Rollout" || kind == "AnalysisTemplate") continue;
    if (!namespaced({object.str_at({"apiVersion"}), object.str_at({"kind"})})) continue;
    object["metadata"]["namespace"] = ns;
    if (kind == "Service") take_no_address(object);
    if (kind == "RoleBinding") bind_own_accounts(object, ns);
    if (auto* spec = at(object, {"spec"}); kind == "PersistentVolumeClaim" && spec != nullptr && spec->is_map())
      spec->if_map()->erase("volumeName");
    if (auto* pod = at(object, {"spec", "template", "spec"})) replace_images(*pod, images);
    if (auto* pod = at(object, {"spec", "jobTemplate", "spec", "template", "spec"})) replace_images(*pod, images);
    if (kind == "Pod" && object.find("spec") != nullptr) replace_images(object["spec"], images);
    kept.push_back(std::move(object));
  }
  return kept;
}

std::string not_ready(const kube::Object& o) {
  auto kind = o.kind();
  auto status = o["status"];
  auto want = o["spec"]["replicas"].num_or(1);
  if (kind == "Deployment" || kind == "StatefulSet") {
    bool seen = status["observedGeneration"].num_or(0) >= o.generation();
    auto ready = std::min(status["readyReplicas"].num_or(0), status["updatedReplicas"].num_or(0));
    if (seen && ready >= want) return "";
    return fmt::format("{} {}: {} of {} ready", kind, o.name(), ready, want);
  }
  if (kind == "DaemonSet") {
    auto ready = status["numberReady"].num_or(0), desired = status["desiredNumberScheduled"].num_or(-1);
    return ready == desired ? "" : fmt::format("DaemonSet {}: {} ready", o.name(), ready);
  }
  if (kind == "Pod")
    return kube::condition_status(o, "Ready") == "True" ? ""
                                                        : fmt::format("Pod {}: {}", o.name(), status["phase"].text());
  return "";
}

}  // namespace slipway::preview
