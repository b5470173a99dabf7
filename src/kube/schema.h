#pragma once
// What a kind's objects may hold: built-in kinds from a table (schema/kinds.txt, made by script/make-schema.py), custom
// ones from their CustomResourceDefinition. One tree serves merging, validation, pruning, defaults and protobuf.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "doc/patch.h"
#include "kube/object.h"

namespace slipway::kube {

class Schema;

struct Member {
  std::string_view name;
  std::unique_ptr<Schema> schema;
  std::uint16_t number = 0;  // in the protobuf form, 0 for none
  bool required = false, omit_empty = false, pointer = false;
  bool inlined = false;  // a protobuf message whose fields stand in the parent
};
// The members of an object, sorted by name.
struct Struct {
  std::string_view name;  // "core.v1.Container"
  std::vector<Member> members;
  const Member* find(std::string_view member) const;
  const Member* by_number(std::uint32_t number) const;
};

// Of custom resources only.
struct Extras {
  bool preserve_unknown = false, embedded = false, nullable = false;
  std::optional<doc::Value> fallback;  // "default"
  std::vector<doc::Value> allowed;     // "enum"
  std::string pattern;
  std::optional<double> minimum, maximum;
  std::optional<std::int64_t> min_length, max_length, min_items, max_items;
  friend bool operator==(const Extras&, const Extras&) = default;
};

// One value. Threads: any (immutable once built).
class Schema final : public doc::MergeSchema {
 public:
  enum class Shape : std::uint8_t {
    any,
    string,
    int32,
    int64,
    boolean,
    number,
    bytes,
    time,
    micro_time,
    quantity,
    int_or_string,
    object,
    list,
    map
  };
  const MergeSchema* member(std::string_view key) const override { return child(key); }
  const MergeSchema* element() const override { return items; }
  ListType list_type() const override { return list; }
  const std::vector<std::string>& map_keys() const override { return keys; }
  std::string_view patch_merge_key() const override { return merge_key; }
  bool patch_merge() const override { return merges; }
  bool retain_keys() const override { return retains; }
  bool atomic_map() const override { return atomic; }
  // The member of an object or the element of a string map; null: unknown.
  const Schema* child(std::string_view key) const;
  bool preserves_unknown() const { return shape == Shape::any || (extras && extras->preserve_unknown); }

  Shape shape = Shape::any;
  ListType list = ListType::atomic;
  bool merges = false, retains = false, atomic = false;
  const Struct* fields = nullptr;  // object
  const Schema* items = nullptr;   // list and map
  std::vector<std::string> keys;
  std::string merge_key;
  std::shared_ptr<const Extras> extras;  // those that say nothing are one
  std::unique_ptr<Schema> owned_items;   // what items points to, when it is ours
  std::unique_ptr<Struct> owned_fields;
  std::vector<std::unique_ptr<std::string>> names;  // what string_views of owned_fields point to
};

struct BuiltinKind {
  Type type;
  std::string_view group, version, plural, singular;
  bool namespaced = true;
  std::vector<std::string> short_names, categories, verbs, subresources;
  const Schema* schema = nullptr;
};
const std::vector<BuiltinKind>& builtin_kinds();
const BuiltinKind* find_builtin(const Type& type);      // null: none
const Schema* builtin_schema(const Type& type);         // also DeleteOptions, Scale, Eviction ...; null: none
const Schema* schema_of_struct(std::string_view name);  // "meta.v1.ObjectMeta"
std::string_view builtin_version();                     // "v1.32.x"

// From .spec.versions[].schema.openAPIV3Schema. Errors: invalid (not structural), with the path.
Result<std::shared_ptr<const Schema>> schema_of_crd(const doc::Value& open_api);

}  // namespace slipway::kube
