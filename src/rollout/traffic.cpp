// Weights in HTTPRoutes (Gateway API) and in NGINX's canary Ingresses; meshes: mesh.cpp.
#include "rollout/detail/work.h"

namespace slipway::rollout::detail {
namespace {

// Sets the weights in every rule that has both services; false when there is none.
bool weigh_rules(doc::Value& route, const Canary& canary, std::int64_t weight) {
  bool found = false;
  for (auto& rule : route["spec"]["rules"].list()) {
    auto* refs = rule["backendRefs"].if_list();
    if (refs == nullptr) continue;
    doc::Value *ours = nullptr, *stable = nullptr;
    for (auto& ref : *refs) {
      if (ref.str_at({"name"}) == canary.canary_service) ours = &ref;
      if (ref.str_at({"name"}) == canary.stable_service) stable = &ref;
    }
    if (ours == nullptr || stable == nullptr) continue;
    (*ours)["weight"] = weight;
    (*stable)["weight"] = 100 - weight;
    found = true;
  }
  return found;
}

void set_route(Work& work, const std::string& name, std::int64_t weight) {
  auto it = work.state.routes.find(name);
  if (it == work.state.routes.end() || !it->second)
    return work.event("TrafficRoutingError", fmt::format("HTTPRoute '{}' not found", name));
  auto object = it->second.copy();
  if (!weigh_rules(object, *work.spec.canary, weight))
    return work.event("TrafficRoutingError",
                      fmt::format("HTTPRoute '{}' has no rule with both '{}' and '{}'", name,
                                  work.spec.canary->canary_service, work.spec.canary->stable_service));
  if (object == it->second.value()) return;
  work.decision.writes.push_back({Write::Verb::update, std::move(object), "TrafficWeightUpdated"});
}

// Only the rules whose backend is the stable service, and that backend replaced.
doc::Value canary_ingress(const Work& work, const kube::Object& stable, const std::string& name, std::int64_t weight) {
  const auto& canary = *work.spec.canary;
  auto object = kube::make_object({"networking.k8s.io/v1", "Ingress"}, {stable.ns(), name}, {},
                                  {{"nginx.ingress.kubernetes.io/canary", "true"},
                                   {"nginx.ingress.kubernetes.io/canary-weight", std::to_string(weight)}});
  object["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(work.state.rollout)};
  for (auto key : {"ingressClassName", "tls"})
    if (stable["spec"][key]) object["spec"][key] = stable["spec"][key].value();
  if (auto old_class = stable.annotation("kubernetes.io/ingress.class"); !old_class.empty())
    object["metadata"]["annotations"]["kubernetes.io/ingress.class"] = old_class;
  doc::List rules;
  for (const auto& rule : stable["spec"]["rules"].items()) {
    doc::List paths;
    for (const auto& path : rule["http"]["paths"].items()) {
      if (path["backend"]["service"]["name"].str_or("") != canary.stable_service) continue;
      auto copy = path.value();
      copy["backend"]["service"]["name"] = canary.canary_service;
      paths.push_back(std::move(copy));
    }
    if (paths.empty()) continue;
    doc::Map kept{{"http", doc::Map{{"paths", std::move(paths)}}}};
    if (rule["host"]) kept.set("host", rule["host"].str_or(""));
    rules.push_back(std::move(kept));
  }
  object["spec"]["rules"] = std::move(rules);
  return object;
}

void set_ingress(Work& work, const std::string& stable_name, std::int64_t weight) {
  auto stable = work.state.ingresses.find(stable_name);
  if (stable == work.state.ingresses.end() || !stable->second)
    return work.event("TrafficRoutingError", fmt::format("Ingress '{}' not found", stable_name));
  auto name = fmt::format("{}-{}-canary", work.state.rollout.name(), stable_name);
  auto present = work.state.ingresses.find(name);
  auto wanted = canary_ingress(work, stable->second, name, weight);
  if (wanted.find_path({"spec", "rules"})->if_list()->empty())
    return work.event("TrafficRoutingError", fmt::format("Ingress '{}' has no rule for service '{}'", stable_name,
                                                         work.spec.canary->stable_service));
  if (present == work.state.ingresses.end() || !present->second) {
    work.decision.writes.push_back({Write::Verb::create, std::move(wanted), "TrafficWeightUpdated"});
    return;
  }
  auto object = present->second.copy();
  object["spec"] = wanted["spec"];
  object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary"] = "true";
  object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] = std::to_string(weight);
  if (object == present->second.value()) return;
  work.decision.writes.push_back({Write::Verb::update, std::move(object), "TrafficWeightUpdated"});
}

}  // namespace

void set_traffic(Work& work, std::int64_t weight) {
  const auto& canary = *work.spec.canary;
  for (const auto& route : canary.http_routes) set_route(work, route, weight);
  for (const auto& ingress : canary.ingresses) set_ingress(work, ingress, weight);
  detail::set_mesh(work, weight);
  auto before = work.before()["canary"]["weights"]["canary"]["weight"].num_or(-1);
  if (before != weight && before >= 0)
    work.event("TrafficWeightUpdated", fmt::format("Traffic weight updated from {} to {}", before, weight));
  auto side = [](const std::string& hash, const std::string& service, std::int64_t share) {
    return doc::Map{{"podTemplateHash", hash}, {"serviceName", service}, {"weight", share}};
  };
  auto stable = work.stable_hash().empty() ? work.new_hash : work.stable_hash();
  work.status["canary"]["weights"] = doc::Map{{"canary", side(work.new_hash, canary.canary_service, weight)},
                                              {"stable", side(stable, canary.stable_service, 100 - weight)}};
}

}  // namespace slipway::rollout::detail
