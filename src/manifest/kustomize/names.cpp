// Prefixes, suffixes, namespaces, labels, annotations, replicas.
#include <algorithm>
#include <set>

#include "manifest/detail/overlay.h"
#include "manifest/detail/transform.h"

namespace slipway::manifest {
namespace {

using doc::Value;

bool keeps_its_name(const Gvk& g) {
  return g.kind == "CustomResourceDefinition" || g.kind == "Namespace" ||
         (g.kind == "APIService" && g.group == "apiregistration.k8s.io");
}

Result<> rename(ResMap& map, const std::string& affix, const FieldSpecs& specs, bool before) {
  for (const auto& resource : map.all()) {
    auto original = resource->original();
    if (keeps_its_name(original.gvk)) continue;
    for (const auto& spec : specs) {
      if (!original.gvk.selected_by(spec.gvk)) continue;
      if (spec.path == "metadata/name" && !affix.empty()) {
        (before ? resource->prefixes : resource->suffixes).push_back(affix);
        resource->store_id();
      }
      TRY_OK(visit_fields(*resource, spec, Make::scalar, [&](Value& field) -> Result<> {
        if (field.is_map() || field.is_list())
          return fail(Kind::invalid, "want a scalar, got a {}", to_string(field.type()));
        field = Value(before ? affix + scalar_text(field) : scalar_text(field) + affix);
        return {};
      }));
    }
    map.note(resource);
  }
  return {};
}

bool is_binding(std::string_view kind) { return kind == "RoleBinding" || kind == "ClusterRoleBinding"; }

Result<> set_subjects(Resource& resource, const SpaceChange& change, const SetField& set) {
  if (change.subjects == "none") return {};
  auto* subjects = resource.node.if_map()->find("subjects");
  if (subjects == nullptr || subjects->is_null()) return {};
  if (!subjects->is_list()) return fail(Kind::invalid, "subjects of {}: want a list", resource.id().print());
  for (auto& subject : *subjects->if_list()) {
    if (!subject.is_map()) return fail(Kind::invalid, "subjects of {}: want a list of maps", resource.id().print());
    bool all = change.subjects == "allServiceAccounts";
    const auto* found = subject.find(all ? "kind" : "name");
    if (found == nullptr || scalar_text(*found) != (all ? "ServiceAccount" : "default")) continue;
    TRY_OK(set(subject["namespace"]));
  }
  return {};
}

}  // namespace

Result<> add_prefix(ResMap& map, const std::string& prefix, const FieldSpecs& specs) {
  return rename(map, prefix, specs, true);
}
Result<> add_suffix(ResMap& map, const std::string& suffix, const FieldSpecs& specs) {
  return rename(map, suffix, specs, false);
}

Result<> set_space_of(Resource& resource, const SpaceChange& change) {
  SetField set = [&](Value& field) -> Result<> {
    if (field.is_map() || field.is_list()) {
      return fail(Kind::invalid, "namespace field specs must target scalars, got a {}", to_string(field.type()));
    }
    if (!change.unset_only || scalar_text(field).empty()) field = Value(change.space);
    return {};
  };
  auto id = resource.id();
  if (!id.outside) {
    TRY_OK(visit_fields(resource, {{}, "metadata/namespace", true}, Make::scalar, set));
  }
  bool binding = is_binding(id.gvk.kind);
  if (binding) {
    TRY_OK(set_subjects(resource, change, set));
  }
  for (const auto& spec : change.specs) {
    if (spec.path == "metadata/namespace") continue;
    if (spec.path == "metadata/name" && id.gvk.api_version() != "v1") continue;
    if (binding && is_binding(spec.gvk.kind) && spec.path == "subjects/namespace") continue;
    TRY_OK(visit_fields(resource, spec, Make::scalar, set));
  }
  return {};
}

Result<> set_space(ResMap& map, const SpaceChange& change) {
  if (change.space.empty()) return {};
  if (change.subjects != "defaultOnly" && change.subjects != "allServiceAccounts" && change.subjects != "none") {
    return fail(Kind::invalid, "setRoleBindingSubjects: '{}', want defaultOnly, allServiceAccounts or none",
                change.subjects);
  }
  for (const auto& resource : map.all()) {
    if (resource->empty()) continue;
    resource->store_id();
    TRY_OK(set_space_of(*resource, change));
    map.note(resource);
    // Two objects that were apart by namespace only would now be one.
    if (!map.alone(*resource)) {
      return fail(Kind::conflict, "{}: the namespace makes two objects the same: {}", resource->source,
                  resource->id().print());
    }
  }
  return {};
}

Result<> set_strings(ResMap& map, const StringMap& strings, const FieldSpecs& specs) {
  for (const auto& resource : map.all()) {
    for (const auto& [key, text] : strings) {
      for (const auto& spec : specs) {
        TRY_OK(visit_fields(*resource, spec, Make::map, [&key, &text](Value& field) -> Result<> {
          if (field.is_null()) return {};
          if (!field.is_map()) return fail(Kind::invalid, "want a map, got a {}", to_string(field.type()));
          field.if_map()->set(key, Value(text));
          return {};
        }));
      }
    }
  }
  return {};
}

Result<> set_replicas(ResMap& map, const ReplicaChange& change, const FieldSpecs& specs) {
  bool found = false;
  for (const auto& spec : specs) {
    auto match = [&](const ResId& id) { return id.name == change.name && id.gvk.selected_by(spec.gvk); };
    for (auto* resource : map.with_any_id(match, change.name)) {
      found = true;
      TRY_OK(visit_fields(*resource, spec, Make::scalar, [&](Value& field) -> Result<> {
        field = Value(change.count);
        return {};
      }));
    }
  }
  if (found) return {};
  std::set<std::string> kinds;
  for (const auto& spec : specs) kinds.insert(spec.gvk.kind);
  return fail(Kind::not_found, "replicas: no object named '{}' of kind {}", change.name, fmt::join(kinds, ", "));
}

void sort_resources(ResMap& map, const SortOptions& options) {
  if (!options.legacy) return;
  std::map<std::string, int> ranks;
  if (options.first) {
    for (std::size_t i = 0; i < options.first->size(); ++i)
      ranks[(*options.first)[i]] = static_cast<int>(i) - static_cast<int>(options.first->size());
  }
  if (options.last) {
    for (std::size_t i = 0; i < options.last->size(); ++i) ranks[(*options.last)[i]] = static_cast<int>(i) + 1;
  }
  bool own = options.first || options.last;
  struct Key {
    Gvk gvk;
    int rank;
    std::string gvk_text, id_text;
    std::shared_ptr<Resource> resource;
  };
  auto text_or = [](const std::string& text, std::string_view fallback) {
    return text.empty() ? std::string(fallback) : text;
  };
  std::vector<Key> keys;
  for (const auto& resource : map.all()) {
    auto id = resource->id();
    auto rank = ranks.find(id.gvk.kind);
    auto gvk_text =
        text_or(id.gvk.group, "~G") + "_" + text_or(id.gvk.version, "~V") + "_" + text_or(id.gvk.kind, "~K");
    auto id_text = id.gvk.print() + "|" + text_or(id.space, "~X") + "|" + text_or(id.name, "~N");
    keys.push_back({id.gvk, rank == ranks.end() ? 0 : rank->second, std::move(gvk_text), std::move(id_text), resource});
  }
  std::stable_sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    if (a.gvk == b.gvk) return a.id_text < b.id_text;
    if (!own) {
      if (a.gvk.kind == "Namespace" && b.gvk.kind == "Namespace" && (a.gvk.group.empty() || b.gvk.group.empty()))
        return a.gvk_text > b.gvk_text;
      return gvk_less(a.gvk, b.gvk);
    }
    if (a.rank != b.rank) return a.rank < b.rank;
    return a.gvk_text < b.gvk_text;
  });
  ResMap::List order;
  for (auto& key : keys) order.push_back(std::move(key.resource));
  map.set_order(std::move(order));
}

}  // namespace slipway::manifest
