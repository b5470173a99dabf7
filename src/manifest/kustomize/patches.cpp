#include <algorithm>
#include <set>

#include "base/text.h"
#include "doc/patch.h"
#include "doc/yaml.h"
#include "manifest/detail/overlay.h"
#include "manifest/detail/transform.h"

namespace slipway::manifest {
namespace {

using doc::Map;
using doc::Value;

Result<> merge_into(Resource& resource, const Resource& patch, const SchemaTable* schemas) {
  auto name = resource.name(), space = resource.space(), kind = resource.gvk().kind;
  if (patch.may_rename || patch.may_change_kind) resource.store_id();
  auto merged = overlay(std::move(resource.node), patch.node, {.schemas = schemas});
  if (!merged) {
    return Fail(std::move(merged).error().in(fmt::format("{}: patch of {}", patch.source, patch.id().print())));
  }
  resource.node = merged->has_value() ? **std::move(merged) : Value();
  if (resource.empty()) return {};
  if (!patch.may_change_kind) resource.set_kind(kind);
  if (!patch.may_rename) resource.set_name(name);
  resource.set_space(space);
  return {};
}

Result<> merge_selected(ResMap& map, const std::vector<Resource*>& selected, const Resource& patch,
                        const SchemaTable* schemas) {
  for (auto* resource : selected) {
    Resource copy = patch;
    stringify(copy.node, "labels");
    stringify(copy.node, "annotations");
    copy.node["apiVersion"] = Value(resource->gvk().api_version());
    TRY_OK(merge_into(*resource, copy, schemas));
  }
  map.drop_empty();
  for (auto* resource : selected) {
    if (resource->empty()) continue;
    map.note(*resource);
    auto id = resource->id();
    if (map.with_id(id).size() > 1)
      return fail(Kind::conflict, "{}: the patch makes two objects the same: {}", patch.source, id.print());
  }
  return {};
}

// kustomize's library lets "replace" add a member that a map does not have.
Result<Value> patch_json(const Value& node, const Value& operations) {
  auto patched = doc::json_patch(node, operations);
  if (patched || !patched.error().is(Kind::not_found)) return patched;
  Value result = node;
  for (const auto& operation : *operations.if_list()) {
    Value one = operation;
    auto path = one.str_at({"path"});
    auto parent = doc::pointer_get(result, path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/')));
    if (one.str_at({"op"}) == "replace" && parent && parent->is_map()) one["op"] = Value("add");
    TRY(result, doc::json_patch(result, doc::List{std::move(one)}));
  }
  return result;
}

// kustomize keeps its marks as annotations: where it has any, the map is there for a JSON patch to add to.
Result<> apply_operations(ResMap& map, Resource& resource, const Patch& patch) {
  if (!patch.keeps_id) resource.store_id();
  auto node = resource.node;
  fold_once(node);
  auto annotations_there = [&] { return node.find_path({"metadata", "annotations"}); };
  bool lent = resource.marked() && annotations_there() == nullptr && node.find("metadata") != nullptr &&
              node.find("metadata")->is_map();
  if (lent) node["metadata"]["annotations"] = Value(Map());
  auto patched = patch_json(node, *patch.operations);
  if (!patched) return Fail(std::move(patched).error().in(fmt::format("{}: {}", patch.origin, resource.id().print())));
  node = *std::move(patched);
  if (!node.is_map())
    return fail(Kind::invalid, "{}: the patch leaves no object of {}", patch.origin, resource.id().print());
  if (lent) {
    const auto* left = annotations_there();
    if (left != nullptr && left->is_map() && left->if_map()->empty()) node["metadata"].if_map()->erase("annotations");
  }
  resource.node = std::move(node);
  map.note(resource);
  return {};
}

}  // namespace

void stringify(doc::Value& node, std::string_view field) {
  auto* meta = node.if_map()->find("metadata");
  auto* map = meta != nullptr && meta->is_map() ? meta->if_map() : nullptr;
  auto* strings = map != nullptr ? map->find(field) : nullptr;
  if (strings == nullptr) return;
  if (!strings->is_map() || strings->if_map()->empty()) {
    map->erase(field);
    return;
  }
  for (auto& [key, value] : *strings->if_map()) {
    bool blank = value.mark().line != 0 && value.mark().begin == value.mark().end;
    value = doc::Value(value.is_null() && !blank ? std::string("null") : scalar_text(value));
  }
}

Result<doc::Value> read_operations(std::string_view text, std::string_view source) {
  TRY(auto root, doc::parse_yaml(text, {.source = source}));
  if (!root.is_list() || root.if_list()->empty())
    return fail(Kind::invalid, "{}: want a list of JSON patch operations", source);
  for (const auto& operation : *root.if_list()) {
    if (!operation.is_map())
      return fail(Kind::invalid, "{}:{}:{}: an operation must be a map", source, operation.mark().line,
                  operation.mark().column);
  }
  return root;
}

Result<Patch> read_patch(std::string_view text, std::string_view source) {
  Patch patch;
  patch.origin = source;
  TRY(auto documents, doc::parse_yaml_all(text, {.source = source, .duplicate_keys = false}));
  if (documents.size() == 1 && documents[0].is_list()) {
    TRY(patch.operations, read_operations(text, source));
    return patch;
  }
  TRY(patch.merges, read_resources(text, source));  // none in a file of comments: nothing to do
  return patch;
}

Result<> apply_patch(ResMap& map, const Patch& patch) {
  if (patch.operations) {
    if (!patch.target) return fail(Kind::invalid, "{}: a JSON patch needs a target", patch.origin);
    TRY(auto selected, select(map, *patch.target));
    for (auto* resource : selected) TRY_OK(apply_operations(map, *resource, patch));
    return {};
  }
  if (patch.merges.empty()) return {};
  if (patch.target) {
    if (patch.merges.size() > 1) {
      return fail(Kind::invalid, "{}: several strategic merge patches in one entry cannot have a target", patch.origin);
    }
    TRY(auto selected, select(map, *patch.target));
    return merge_selected(map, selected, *patch.merges[0], patch.schemas.get());
  }
  for (const auto& merge : patch.merges) {
    auto found = one_with_id(map, merge->original());
    if (!found)
      return Fail(std::move(found).error().in(
          fmt::format("{}: strategic merge patch {}", merge->source, merge->original().print())));
    if (patch.keeps_id) {
      TRY_OK(merge_selected(map, {*found}, *merge, patch.schemas.get()));
    } else {
      TRY_OK(merge_into(**found, *merge, patch.schemas.get()));
      if ((*found)->empty())
        map.drop_empty();
      else
        map.note(**found);
    }
  }
  return {};
}

}  // namespace slipway::manifest
