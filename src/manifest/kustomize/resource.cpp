#include "manifest/detail/resource.h"

#include <algorithm>

#include "manifest/detail/overlay.h"
#include "manifest/detail/schema.h"

namespace slipway::manifest {
namespace {

using doc::Map;
using doc::Value;

constexpr std::string_view no_space = "_non_namespaceable_";
constexpr std::string_view first_kinds[] = {"Namespace",
                                            "ResourceQuota",
                                            "StorageClass",
                                            "CustomResourceDefinition",
                                            "ServiceAccount",
                                            "PodSecurityPolicy",
                                            "Role",
                                            "ClusterRole",
                                            "RoleBinding",
                                            "ClusterRoleBinding",
                                            "ConfigMap",
                                            "Secret",
                                            "Endpoints",
                                            "Service",
                                            "LimitRange",
                                            "PriorityClass",
                                            "PersistentVolume",
                                            "PersistentVolumeClaim",
                                            "Deployment",
                                            "StatefulSet",
                                            "CronJob",
                                            "PodDisruptionBudget"};
constexpr std::string_view last_kinds[] = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"};

int kind_rank(std::string_view kind) {
  for (std::size_t i = 0; i < std::size(first_kinds); ++i) {
    if (kind == first_kinds[i]) return static_cast<int>(i) - static_cast<int>(std::size(first_kinds));
  }
  for (std::size_t i = 0; i < std::size(last_kinds); ++i) {
    if (kind == last_kinds[i]) return static_cast<int>(i) + 1;
  }
  return 0;
}

std::string or_text(const std::string& text, std::string_view fallback) {
  return text.empty() ? std::string(fallback) : text;
}

std::string sort_text(const Gvk& g) {
  return or_text(g.group, "~G") + "_" + or_text(g.version, "~V") + "_" + or_text(g.kind, "~K");
}

std::string text_at(const Value& node, std::initializer_list<std::string_view> path) {
  const auto* found = node.find_path(path);
  return found != nullptr ? scalar_text(*found) : "";
}

Map& metadata(Value& node) {
  auto& meta = node["metadata"];
  if (!meta.is_map()) meta = Value(Map());
  return *meta.if_map();
}

void merge_strings(Value& node, std::initializer_list<std::string_view> path, const Value& old_node) {
  const auto* old = old_node.find_path(path);
  const auto* old_map = old != nullptr ? old->if_map() : nullptr;
  if (old_map == nullptr || old_map->empty()) return;
  Value merged = Value(*old_map);
  if (const auto* now = node.find_path(path); now != nullptr && now->is_map()) {
    for (const auto& [key, value] : *now->if_map()) merged[key] = value;
  }
  Value* at = &node;
  for (auto key : path) {
    if (!at->is_map()) *at = Value(Map());
    at = &(*at->if_map())[key];
  }
  *at = std::move(merged);
}

}  // namespace

Gvk gvk_of(std::string_view api_version, std::string_view kind) {
  auto slash = api_version.find('/');
  if (slash == std::string_view::npos) return {"", std::string(api_version), std::string(kind)};
  return {std::string(api_version.substr(0, slash)), std::string(api_version.substr(slash + 1)), std::string(kind)};
}

std::string Gvk::print() const {
  return or_text(kind, "[noKind]") + "." + or_text(version, "[noVer]") + "." + or_text(group, "[noGrp]");
}

bool gvk_less(const Gvk& a, const Gvk& b) {
  int x = kind_rank(a.kind), y = kind_rank(b.kind);
  return x != y ? x < y : sort_text(a) < sort_text(b);
}

std::string_view ResId::effective_space() const {
  if (outside) return no_space;
  return space.empty() ? std::string_view("default") : std::string_view(space);
}

bool ResId::selected_by(const ResId& selector) const {
  return (selector.name.empty() || selector.name == name) && (selector.space.empty() || selector.same_space(*this)) &&
         gvk.selected_by(selector.gvk);
}

std::string ResId::print() const {
  return gvk.print() + "/" + or_text(name, "[noName]") + "." + or_text(space, "[noNs]");
}

bool Resource::is_selected_by(const Gvk& selector) const {
  if (selector.group.empty() && selector.version.empty() && selector.kind.empty()) return true;
  const auto *api_version = node.find("apiVersion"), *kind = node.find("kind");
  const auto *api_text = api_version != nullptr ? api_version->if_string() : nullptr,
             *kind_text = kind != nullptr ? kind->if_string() : nullptr;
  if (api_text == nullptr || kind_text == nullptr) return gvk().selected_by(selector);
  if (!selector.kind.empty() && selector.kind != *kind_text) return false;
  auto slash = api_text->find('/');
  std::string_view all = *api_text, group = slash == std::string::npos ? "" : all.substr(0, slash),
                   version = slash == std::string::npos ? all : all.substr(slash + 1);
  return (selector.group.empty() || selector.group == group) &&
         (selector.version.empty() || selector.version == version);
}
bool Resource::is_kind(std::string_view kind) const {
  const auto* found = node.find("kind");
  return found != nullptr && found->is_string() && *found->if_string() == kind;
}
Gvk Resource::gvk() const { return gvk_of(text_at(node, {"apiVersion"}), text_at(node, {"kind"})); }
std::string Resource::name() const { return text_at(node, {"metadata", "name"}); }
std::string Resource::space() const { return text_at(node, {"metadata", "namespace"}); }

ResId Resource::id() const {
  auto g = gvk();
  bool outside = cluster_scoped(g.group, g.version, g.kind);
  return {std::move(g), name(), space(), outside};
}

ResId Resource::previous_id(std::size_t i) const {
  auto g = gvk();
  g.kind = previous[i].kind;
  return {std::move(g), previous[i].name, previous[i].space, false};
}

void Resource::store_id() {
  auto now = id();
  previous.push_back({now.name, std::string(now.effective_space()), now.gvk.kind});
}

void Resource::set_name(std::string_view text) {
  if (text.empty()) {
    metadata(node).erase("name");
  } else {
    metadata(node).set("name", Value(text));
  }
}
void Resource::set_space(std::string_view text) {
  if (text.empty()) {
    if (auto* meta = node.if_map()->find("metadata"); meta != nullptr && meta->is_map())
      meta->if_map()->erase("namespace");
  } else {
    metadata(node).set("namespace", Value(text));
  }
}
void Resource::set_kind(std::string_view text) { node["kind"] = Value(text); }

std::vector<std::pair<std::string, std::string>> Resource::strings(std::string_view field) const {
  std::vector<std::pair<std::string, std::string>> all;
  const auto* found = node.find_path({"metadata", field});
  if (const auto* map = found != nullptr ? found->if_map() : nullptr) {
    for (const auto& [key, value] : *map) all.emplace_back(key, scalar_text(value));
  }
  return all;
}

void ResMap::renumber() {
  for (std::size_t i = 0; i < list_.size(); ++i) list_[i]->position = i;
}

void ResMap::note(const std::shared_ptr<Resource>& resource) {
  auto name = resource->name();
  if (name == resource->indexed_) return;
  auto add = [&](const std::string& key) {
    auto& found = by_name_[key];
    if (std::find(found.begin(), found.end(), resource) == found.end()) found.push_back(resource);
  };
  add(name);
  for (const auto& before : resource->previous) add(before.name);
  resource->indexed_ = std::move(name);
}

void ResMap::sync() {
  for (const auto& resource : list_) note(resource);
}

std::vector<Resource*> ResMap::named(const std::string& name) const {
  std::vector<Resource*> found;
  auto at = by_name_.find(name);
  if (at == by_name_.end()) return found;
  for (const auto& resource : at->second) {
    if (!resource->removed) found.push_back(resource.get());
  }
  std::sort(found.begin(), found.end(), [](const Resource* a, const Resource* b) { return a->position < b->position; });
  return found;
}

std::vector<Resource*> ResMap::with_id(const ResId& id) const {
  auto found = named(id.name);
  std::erase_if(found, [&](Resource* r) { return !(r->id() == id); });
  return found;
}

bool ResMap::alone(const Resource& resource) const {
  auto found = named(resource.name());
  if (found.empty() || (found.size() == 1 && found[0] == &resource)) return true;
  auto id = resource.id();
  return std::none_of(found.begin(), found.end(), [&](const Resource* r) { return r != &resource && r->id() == id; });
}

std::vector<Resource*> ResMap::with_any_id(const std::function<bool(const ResId&)>& match,
                                           const std::string& name) const {
  auto found = named(name);
  std::erase_if(found, [&](Resource* r) {
    for (std::size_t i = 0; i < r->previous.size(); ++i) {
      if (match(r->previous_id(i))) return false;
    }
    return !match(r->id());
  });
  return found;
}

Result<> ResMap::append(std::shared_ptr<Resource> resource) {
  if (!alone(*resource)) {
    return fail(Kind::conflict, "{}: may not add an object with an id that is there already: {}", resource->source,
                resource->id().print());
  }
  resource->position = list_.size();
  resource->removed = false;
  // The index of another map may know it already.
  resource->indexed_.clear();
  note(resource);
  list_.push_back(std::move(resource));
  return {};
}

Result<> ResMap::append_all(const ResMap& other) {
  for (const auto& resource : other.list_) TRY_OK(append(resource));
  return {};
}

Result<> ResMap::absorb(std::shared_ptr<Resource> resource) {
  auto id = resource->id();
  auto found = with_any_id([&](const ResId& other) { return other == id; }, id.name);
  bool changes = resource->behavior == Behavior::merge || resource->behavior == Behavior::replace;
  if (found.empty()) {
    if (!changes) return append(std::move(resource));
    return fail(Kind::not_found, "{}: {} does not exist; cannot merge or replace it", resource->source, id.print());
  }
  if (found.size() > 1)
    return fail(Kind::conflict, "{}: several objects could take the merge of {}", resource->source, id.print());
  if (!changes) {
    return fail(Kind::conflict, "{}: {} exists already; behavior must be merge or replace", resource->source,
                id.print());
  }
  auto& old = *found[0];
  merge_strings(resource->node, {"metadata", "labels"}, old.node);
  merge_strings(resource->node, {"metadata", "annotations"}, old.node);
  resource->set_name(old.name());
  resource->set_space(old.space());
  bool hash = resource->hash_name;
  resource->previous = old.previous, resource->prefixes = old.prefixes, resource->suffixes = old.suffixes;
  resource->vars = old.vars;
  resource->transformations = old.transformations;
  if (resource->behavior == Behavior::merge && !old.origin.is_null()) resource->origin = old.origin;
  resource->hash_name = hash && old.hash_name;
  if (resource->behavior == Behavior::merge) {
    merge_strings(resource->node, {"data"}, old.node);
    merge_strings(resource->node, {"binaryData"}, old.node);
  }
  resource->behavior = old.behavior;
  resource->position = old.position;
  old.removed = true;
  auto place = old.position;
  list_[place] = resource;
  resource->indexed_.clear();
  note(resource);
  return {};
}

void ResMap::drop_empty() {
  remove_if([](const Resource& r) { return r.empty(); });
}

void ResMap::remove_if(const std::function<bool(const Resource&)>& gone) {
  bool any = false;
  std::erase_if(list_, [&](const std::shared_ptr<Resource>& r) {
    if (!gone(*r)) return false;
    r->removed = any = true;
    return true;
  });
  if (any) renumber();
}

void ResMap::set_order(List list) {
  list_ = std::move(list);
  renumber();
}

Result<Resource*> one_with_id(const ResMap& map, const ResId& id) {
  auto found = map.with_any_id([&](const ResId& other) { return other == id; }, id.name);
  if (found.size() == 1) return found[0];
  if (found.size() > 1) return fail(Kind::conflict, "multiple matches for {}", id.print());
  return fail(Kind::not_found, "no object matches {}", id.print());
}

}  // namespace slipway::manifest
