#include "doc/yaml.h"
#include "manifest/detail/overlay.h"
#include "manifest/detail/schema.h"

namespace slipway::manifest {
namespace {

using doc::Value;

std::string ref_of(const Value& definition) {
  auto ref = definition.str_at({"$ref"});
  return ref.substr(ref.rfind('/') == std::string::npos ? 0 : ref.rfind('/') + 1);
}

// The keys of a list that merges; nothing when it is replaced.
std::optional<std::string> merge_keys(const Value& property) {
  auto strategy = property.str_at({"x-kubernetes-patch-strategy"});
  if (strategy.find("merge") == std::string::npos) return std::nullopt;
  const auto* keys = property.find("x-kubernetes-list-map-keys");
  if (keys == nullptr || !keys->is_list()) return property.str_at({"x-kubernetes-patch-merge-key"});
  std::string joined;
  for (const auto& key : *keys->if_list()) joined += (joined.empty() ? "" : ",") + scalar_text(key);
  return joined;
}

}  // namespace

int SchemaTable::add(const Value& definition) {
  auto type = static_cast<int>(types_.size());
  types_.emplace_back();
  fill(type, definition);
  return type;
}

void SchemaTable::fill(int type, const Value& definition) {
  const auto* properties = definition.find("properties");
  if (properties == nullptr || !properties->is_map()) return;
  for (const auto& [name, property] : *properties->if_map()) {
    const auto* inner = &property;
    if (const auto* items = property.find("items"); items != nullptr && items->is_map()) inner = items;
    Field field;
    field.keys = merge_keys(property);
    if (auto ref = ref_of(*inner); !ref.empty()) {
      auto known = by_name_.find(ref);
      if (known != by_name_.end()) field.below = known->second;
    } else if (inner->find("properties") != nullptr) {
      field.below = add(*inner);
    }
    // A list of scalars that merges needs no type below; the number only has to be one.
    types_[static_cast<std::size_t>(type)][name] = std::move(field);
  }
}

Result<SchemaTable> SchemaTable::read(std::string_view text, std::string_view source) {
  TRY(auto root, doc::parse_yaml(text, {.source = source}));
  const auto* definitions = root.find("definitions");
  if (definitions == nullptr || !definitions->is_map())
    return fail(Kind::invalid, "{}: want OpenAPI with 'definitions'", source);
  SchemaTable table;
  for (const auto& [name, definition] : *definitions->if_map()) {
    table.by_name_[name] = static_cast<int>(table.types_.size());
    table.types_.emplace_back();
  }
  for (const auto& [name, definition] : *definitions->if_map()) {
    int type = table.by_name_[name];
    table.fill(type, definition);
    const auto* kinds = definition.find("x-kubernetes-group-version-kind");
    if (kinds == nullptr || !kinds->is_list()) continue;
    for (const auto& kind : *kinds->if_list()) {
      auto group = kind.str_at({"group"}), version = kind.str_at({"version"});
      table.kinds_[{group.empty() ? version : group + "/" + version, kind.str_at({"kind"})}] = type;
    }
  }
  return table;
}

Schema SchemaTable::kind(std::string_view api_version, std::string_view kind) const {
  auto found = kinds_.find({std::string(api_version), std::string(kind)});
  return found == kinds_.end() ? Schema{} : Schema{found->second, nullptr, this};
}

Schema SchemaTable::member(int type, std::string_view field) const {
  const auto& fields = types_[static_cast<std::size_t>(type)];
  auto found = fields.find(field);
  if (found == fields.end()) return {};
  return {found->second.below, found->second.keys ? found->second.keys->c_str() : nullptr, this};
}

}  // namespace slipway::manifest
