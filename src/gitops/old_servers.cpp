#include "gitops/detail/old_servers.h"

#include "doc/json.h"

namespace slipway::gitops::detail {
namespace {

// The value at a path of maps, or nothing.
doc::Value* at(doc::Value& value, std::initializer_list<std::string_view> path) {
  auto* found = &value;
  for (auto key : path) {
    auto* map = found->if_map();
    found = map != nullptr ? map->find(key) : nullptr;
    if (found == nullptr) return nullptr;
  }
  return found;
}

// A key of the list of ports. Before 1.20 it has no default (a Service's before 1.21).
void name_protocols(doc::Value* ports) {
  if (ports == nullptr || !ports->is_list()) return;
  for (auto& port : *ports->if_list())
    if (auto* map = port.if_map(); map != nullptr && !map->contains("protocol")) map->set("protocol", "TCP");
}

// 1.20 takes quantities as strings alone.
void quote_quantities(doc::Value* quantities) {
  if (quantities == nullptr || !quantities->is_map()) return;
  for (auto& [name, quantity] : *quantities->if_map())
    if (quantity.is_number()) quantity = doc::print_json(quantity);
}

void spell_out_pod(doc::Value& spec) {
  for (auto list : {"initContainers", "containers"}) {
    auto* containers = at(spec, {list});
    if (containers == nullptr || !containers->is_list()) continue;
    for (auto& container : *containers->if_list()) {
      name_protocols(at(container, {"ports"}));
      for (auto part : {"limits", "requests"}) quote_quantities(at(container, {"resources", part}));
    }
  }
}

}  // namespace

void spell_out(doc::Value& object) {
  auto version = object.str_at({"apiVersion"}), kind = object.str_at({"kind"});
  bool core = version == "v1";
  if (core && kind == "Service") name_protocols(at(object, {"spec", "ports"}));
  if (core && kind == "ResourceQuota") quote_quantities(at(object, {"spec", "hard"}));
  if (core && kind == "PersistentVolumeClaim") quote_quantities(at(object, {"spec", "resources", "requests"}));
  if (core && kind == "LimitRange") {
    if (auto* limits = at(object, {"spec", "limits"}); limits != nullptr && limits->is_list())
      for (auto& limit : *limits->if_list())
        for (auto part : {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"})
          quote_quantities(at(limit, {part}));
  }
  doc::Value* pod = nullptr;
  if (core && kind == "Pod")
    pod = at(object, {"spec"});
  else if (core || version.starts_with("apps/") || version.starts_with("batch/"))
    pod = kind == "CronJob" ? at(object, {"spec", "jobTemplate", "spec", "template", "spec"})
                            : at(object, {"spec", "template", "spec"});
  if (pod != nullptr) spell_out_pod(*pod);
}

}  // namespace slipway::gitops::detail
