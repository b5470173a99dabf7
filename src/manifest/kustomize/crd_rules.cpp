// `crds`: OpenAPI definitions by type name, whose x-kubernetes-* marks say what refers to what.
#include <set>

#include "doc/yaml.h"
#include "manifest/detail/fields.h"
#include "manifest/detail/overlay.h"

namespace slipway::manifest {
namespace {

using doc::Value;

class CrdReader {
 public:
  explicit CrdReader(const Value& types) : types_(types) {}

  void read(Rules& rules) {
    if (!types_.is_map()) return;
    for (const auto& [name, type] : *types_.if_map()) {
      const auto* properties = properties_of(type);
      if (properties == nullptr || !properties->contains("kind") || !properties->contains("apiVersion") ||
          !properties->contains("metadata")) {
        continue;
      }
      gvk_ = {"", "", name.substr(name.rfind('.') == std::string::npos ? 0 : name.rfind('.') + 1)};
      visiting_.clear();
      visit(rules, name, "");
    }
  }

 private:
  static const doc::Map* properties_of(const Value& type) {
    for (auto path : {"Schema", "schema"}) {
      const auto* found = type.find_path({path, "properties"});
      if (found != nullptr && found->is_map()) return found->if_map();
    }
    return nullptr;
  }

  void visit(Rules& rules, const std::string& name, const std::string& path) {
    const auto* type = types_.find(name);
    const auto* properties = type != nullptr ? properties_of(*type) : nullptr;
    if (properties == nullptr || !visiting_.insert(name).second) return;
    for (const auto& [key, property] : *properties) {
      auto here = path.empty() ? key : path + "/" + key;
      FieldSpec spec{gvk_, here, false};
      if (property.find("x-kubernetes-annotation") != nullptr) rules.common_annotations.push_back(spec);
      if (property.find("x-kubernetes-label-selector") != nullptr) rules.common_labels.push_back(spec);
      if (property.find("x-kubernetes-identity") != nullptr) rules.name_prefix.push_back(spec);
      auto version = property.str_at({"x-kubernetes-object-ref-api-version"}),
           kind = property.str_at({"x-kubernetes-object-ref-kind"});
      if (!version.empty() && !kind.empty()) {
        auto name_key = property.str_at({"x-kubernetes-object-ref-name-key"});
        rules.name_reference.push_back(
            {{"", version, kind}, {{gvk_, here + "/" + (name_key.empty() ? "name" : name_key), false}}});
      }
      if (auto ref = property.str_at({"$ref"}); !ref.empty()) visit(rules, ref, here);
    }
    visiting_.erase(name);
  }

  const Value& types_;
  Gvk gvk_;
  std::set<std::string> visiting_;  // types may refer to themselves
};

}  // namespace

Result<Rules> read_crd_rules(std::string_view text, std::string_view source) {
  TRY(auto types, doc::parse_yaml(text, {.source = source}));
  Rules rules;
  CrdReader(types).read(rules);
  return rules;
}

}  // namespace slipway::manifest
