// $(VAR): texts of one object within fields of others.
#include <algorithm>

#include "base/text.h"
#include "doc/json.h"
#include "manifest/detail/overlay.h"
#include "manifest/detail/transform.h"

namespace slipway::manifest {
namespace {

using doc::Value;
using Values = std::map<std::string, Value, std::less<>>;

// As Kubernetes expands them: $$ is a dollar, $(UNKNOWN) stays. A text that is one variable takes its type.
Value expand(std::string_view text, const Values& values) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      out += text[i];
    } else if (text[i + 1] == '$') {
      out += '$', ++i;
    } else if (auto close = text.find(')', i + 2); text[i + 1] == '(' && close != std::string_view::npos) {
      auto name = text.substr(i + 2, close - i - 2);
      auto found = values.find(name);
      if (found == values.end()) {
        out += text.substr(i, close + 1 - i);
      } else if (i == 0 && close + 1 == text.size()) {
        return found->second;
      } else {
        out += scalar_text(found->second);
      }
      i = close;
    } else {
      out += text[i], out += text[i + 1], ++i;
    }
  }
  return Value(std::move(out));
}

Result<> replace(Value& field, const Values& values) {
  if (auto* text = field.if_string()) {
    field = expand(*text, values);
  } else if (auto* map = field.if_map()) {
    for (auto& [key, member] : *map) {
      if (auto* inner = member.if_string()) member = expand(*inner, values);
    }
  } else if (auto* list = field.if_list()) {
    for (auto& item : *list) {
      auto* inner = item.if_string();
      if (inner == nullptr)
        return fail(Kind::invalid, "invalid value type, expect a string, got a {}", to_string(item.type()));
      item = expand(*inner, values);
    }
  }
  return {};
}

}  // namespace

Result<Var> Var::read(const Input& in) {
  Var var;
  TRY(var.name, in.str("name"));
  TRY(auto object, in.child("objref", {"apiVersion", "group", "version", "kind", "name", "namespace"}));
  if (object) {
    TRY(var.object.gvk, object->gvk());
    TRY(auto api_version, object->str("apiVersion"));
    if (!api_version.empty()) {
      auto kind = var.object.gvk.kind;
      auto parsed = gvk_of(api_version, kind);
      if (!parsed.group.empty()) var.object.gvk.group = parsed.group;
      var.object.gvk.version = parsed.version;
    }
    TRY(var.object.name, object->str("name"));
    TRY(var.object.space, object->str("namespace"));
  }
  TRY(auto field, in.child("fieldref", {"fieldPath"}));
  if (field) {
    TRY(auto path, field->str("fieldPath"));
    if (!path.empty()) var.field_path = path;
  }
  return var;
}

Result<> mark_vars(ResMap& map, const std::vector<Var>& vars) {
  for (const auto& var : vars) {
    auto match = [&](const ResId& id) {
      return var.object.space.empty() ? id.same_name(var.object) : id == var.object;
    };
    auto found = map.with_any_id(match, var.object.name);
    if (found.size() > 1)
      return fail(Kind::conflict, "vars: {} objects match '{}' ({})", found.size(), var.name, var.object.print());
    if (found.size() == 1) found[0]->vars.push_back(var.name);
  }
  return {};
}

Result<> replace_vars(ResMap& map, const std::map<std::string, Var>& vars, const FieldSpecs& specs) {
  if (vars.empty()) return {};
  Values values;
  for (const auto& [name, var] : vars) {
    bool found = false;
    for (const auto& resource : map.all()) {
      if (found || std::find(resource->vars.begin(), resource->vars.end(), name) == resource->vars.end()) continue;
      // a[0] is a.0
      std::vector<std::string> path;
      for (auto& step : split_field_path(var.field_path)) {
        auto open = step.find('[');
        if (open != std::string::npos && open > 0 && step.ends_with(']')) {
          path.push_back(step.substr(0, open));
          path.push_back(step.substr(open + 1, step.size() - open - 2));
        } else {
          path.push_back(step);
        }
      }
      TRY(auto* field, look_up(resource->node, path));
      if (field == nullptr) {
        return fail(Kind::not_found, "vars: field '{}' of '{}' is not in {}", var.field_path, name,
                    resource->id().print());
      }
      // Maps and lists cannot stand in a text; kustomize leaves the reference.
      if (!field->is_map() && !field->is_list() && !field->is_null()) values[name] = *field;
      found = true;
    }
    if (!found)
      return fail(Kind::not_found, "vars: '{}' cannot be mapped to a field of the known objects ({})", name,
                  var.object.print());
  }
  for (const auto& resource : map.all()) {
    for (const auto& spec : specs) {
      TRY_OK(visit_fields(*resource, spec, Make::nothing, [&](Value& field) { return replace(field, values); }));
    }
  }
  return {};
}

}  // namespace slipway::manifest
