#pragma once
// Reading kustomize's configuration the way Go's encoding/json does: field names without regard to case, absent
// and null as the zero value, the wrong type an error; unknown fields are errors with a suggestion.
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "doc/view.h"
#include "manifest/detail/fields.h"

namespace slipway::manifest {

using StringMap = std::map<std::string, std::string>;

class Input {
 public:
  // The names of all fields; views what it is made from.
  struct Known {
    Known(std::initializer_list<std::string_view> list) : names(list.begin(), list.size()) {}
    template <std::size_t N>
    Known(const std::string_view (&list)[N]) : names(list) {}
    std::span<const std::string_view> names;
  };
  // `where` names the place in errors ("images[0]"). With an empty `known` unknown fields are let through.
  static Result<Input> of(const doc::Value& value, std::string_view source, std::string where, Known known);
  // Plugins' configuration, read as sigs.k8s.io/yaml does: unknown fields are let through, scalars become strings.
  static Result<Input> lenient(const doc::Value& value, std::string_view source, std::string where);

  const doc::Value* find(std::string_view key) const;  // null counts as absent
  Result<std::string> str(std::string_view key) const;
  Result<bool> flag(std::string_view key) const;
  Result<std::int64_t> number(std::string_view key) const;
  Result<std::vector<std::string>> strings(std::string_view key) const;
  Result<StringMap> string_map(std::string_view key) const;
  Result<std::map<std::string, bool>> flags(std::string_view key) const;
  // A list of maps, or one map.
  Result<std::vector<Input>> items(std::string_view key, Known known) const;
  Result<std::optional<Input>> child(std::string_view key, Known known) const;
  Result<FieldSpecs> field_specs(std::string_view key) const;
  Result<Gvk> gvk() const;
  Fail wrong(std::string_view key, std::string_view what) const;
  const std::string& source() const { return source_; }
  doc::Mark mark_of(std::string_view key) const;

 private:
  const doc::Value* value_ = nullptr;  // null: empty
  std::string source_, where_;
  bool strict_ = false;
};

}  // namespace slipway::manifest
