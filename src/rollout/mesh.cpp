// Weights in Istio's VirtualServices (by host, or by the subsets of a DestinationRule) and in SMI's TrafficSplits.
#include "base/text.h"
#include "rollout/detail/work.h"

namespace slipway::rollout::detail {
namespace {

const kube::Object* mesh_object(Work& work, const std::string& kind, const std::string& name) {
  auto it = work.state.mesh.find(kind + "/" + name);
  if (it != work.state.mesh.end() && it->second) return &it->second;
  work.event("TrafficRoutingError", fmt::format("{} '{}' not found", kind, name));
  return nullptr;
}

void write_if_changed(Work& work, const kube::Object& before, doc::Value object) {
  if (object == before.value()) return;
  work.decision.writes.push_back({Write::Verb::update, std::move(object), "TrafficWeightUpdated"});
}

// Hosts are compared by their first label: "web", "web.shop.svc.cluster.local".
bool same_host(const std::string& host, const std::string& service) {
  return host.substr(0, host.find('.')) == service;
}

enum class Side { none, canary, stable };
Side side_of(const doc::Value& route, const Canary& canary) {
  auto host = route.str_at({"destination", "host"}), subset = route.str_at({"destination", "subset"});
  if (!canary.destination_rule.empty())
    return subset == canary.canary_subset ? Side::canary : subset == canary.stable_subset ? Side::stable : Side::none;
  return same_host(host, canary.canary_service)   ? Side::canary
         : same_host(host, canary.stable_service) ? Side::stable
                                                  : Side::none;
}

// One entry of http, tls or tcp; the missing side is made after the other's example.
bool weigh(doc::Value& entry, const Canary& canary, std::int64_t weight) {
  auto* list = entry["route"].if_list();
  if (list == nullptr) return false;
  const doc::Value* example = nullptr;
  bool has_canary = false, has_stable = false;
  for (auto& route : *list) {
    auto side = side_of(route, canary);
    if (side == Side::none) continue;
    example = &route;
    has_canary = has_canary || side == Side::canary, has_stable = has_stable || side == Side::stable;
    route["weight"] = side == Side::canary ? weight : 100 - weight;
  }
  if (example == nullptr) return false;
  if (!has_canary || !has_stable) {
    auto other = *example;
    auto& destination = other["destination"];
    if (!canary.destination_rule.empty())
      destination["subset"] = has_canary ? canary.stable_subset : canary.canary_subset;
    else
      destination["host"] = has_canary ? canary.stable_service : canary.canary_service;
    other["weight"] = has_canary ? 100 - weight : weight;
    list->push_back(std::move(other));
  }
  return true;
}

void set_virtual_service(Work& work, const MeshRoute& target, std::int64_t weight) {
  const auto* before = mesh_object(work, "VirtualService", target.name);
  if (before == nullptr) return;
  auto object = before->copy();
  int weighed = 0;
  for (auto kind : {"http", "tls", "tcp"}) {
    auto* entries = object["spec"].find(kind) == nullptr ? nullptr : object["spec"][kind].if_list();
    if (entries == nullptr) continue;
    for (auto& entry : *entries) {
      bool named = target.routes.empty() ||
                   std::find(target.routes.begin(), target.routes.end(), entry.str_at({"name"})) != target.routes.end();
      if (named && weigh(entry, *work.spec.canary, weight)) ++weighed;
    }
  }
  if (weighed == 0)
    return work.event(
        "TrafficRoutingError",
        fmt::format("VirtualService '{}' has no route to the canary's and the stable destination", target.name));
  write_if_changed(work, *before, std::move(object));
}

// A subset never points at pods that are not there.
void set_destination_rule(Work& work) {
  const auto& canary = *work.spec.canary;
  const auto* before = mesh_object(work, "DestinationRule", canary.destination_rule);
  if (before == nullptr) return;
  auto object = before->copy();
  auto stable = work.stable_hash().empty() ? work.new_hash : work.stable_hash();
  auto fresh = work.aborted() ? stable : work.new_hash;
  bool there = work.fresh() != nullptr && work.fresh()->available > 0;
  for (auto& subset : object["spec"]["subsets"].list()) {
    auto name = subset.str_at({"name"});
    if (name == canary.stable_subset) subset["labels"][hash_label] = stable;
    if (name == canary.canary_subset && (there || work.aborted())) subset["labels"][hash_label] = fresh;
  }
  write_if_changed(work, *before, std::move(object));
}

void set_split(Work& work, std::int64_t weight) {
  const auto& canary = *work.spec.canary;
  auto name = canary.split_name == "?" ? work.state.rollout.name() : canary.split_name;
  // Zero is written as zero: a backend left out keeps what it had in some implementations.
  doc::List backends{doc::Map{{"service", canary.canary_service}, {"weight", std::to_string(weight)}},
                     doc::Map{{"service", canary.stable_service}, {"weight", std::to_string(100 - weight)}}};
  auto it = work.state.mesh.find("TrafficSplit/" + name);
  if (it == work.state.mesh.end() || !it->second) {
    auto object = kube::make_object({"split.smi-spec.io/v1alpha1", "TrafficSplit"}, {work.state.rollout.ns(), name});
    object["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(work.state.rollout)};
    object["spec"] = doc::Map{{"service", canary.split_root}, {"backends", std::move(backends)}};
    work.decision.writes.push_back({Write::Verb::create, std::move(object), "TrafficWeightUpdated"});
    return;
  }
  auto object = it->second.copy();
  if (it->second.api_version() != "split.smi-spec.io/v1alpha1")  // later versions have numbers
    for (auto& backend : backends) backend["weight"] = to_int(backend.str_at({"weight"})).value_or(0);
  object["spec"]["service"] = canary.split_root;
  object["spec"]["backends"] = std::move(backends);
  write_if_changed(work, it->second, std::move(object));
}

}  // namespace

void set_mesh(Work& work, std::int64_t weight) {
  const auto& canary = *work.spec.canary;
  if (!canary.destination_rule.empty()) set_destination_rule(work);
  for (const auto& target : canary.virtual_services) set_virtual_service(work, target, weight);
  if (!canary.split_name.empty()) set_split(work, weight);
}

}  // namespace slipway::rollout::detail
