#pragma once
// The transformers: each changes the objects of a build by one rule of kustomize.
#include "manifest/detail/fields.h"
#include "manifest/detail/input.h"
#include "manifest/detail/schema.h"
#include "manifest/detail/selector.h"

namespace slipway::manifest {

Result<> add_prefix(ResMap& map, const std::string& prefix, const FieldSpecs& specs);
Result<> add_suffix(ResMap& map, const std::string& suffix, const FieldSpecs& specs);

struct SpaceChange {
  std::string space;
  FieldSpecs specs;
  bool unset_only = false;
  std::string subjects = "defaultOnly";  // of role bindings: or allServiceAccounts, none
};
Result<> set_space(ResMap& map, const SpaceChange& change);
Result<> set_space_of(Resource& resource, const SpaceChange& change);

// Labels or annotations, in the order of their keys.
Result<> set_strings(ResMap& map, const StringMap& strings, const FieldSpecs& specs);

struct ImageChange {
  std::string name, new_name, tag_suffix, new_tag, digest;
  static Result<ImageChange> read(const Input& in);
  static constexpr std::string_view fields[] = {"name", "newName", "tagSuffix", "newTag", "digest"};
};
Result<> set_image(ResMap& map, const ImageChange& change, const FieldSpecs& specs);

struct ReplicaChange {
  std::string name;
  std::int64_t count = 0;
};
// metadata.labels or metadata.annotations as kustomize rewrites them: values become strings, an empty map goes.
void stringify(doc::Value& node, std::string_view field);

Result<> set_replicas(ResMap& map, const ReplicaChange& change, const FieldSpecs& specs);

// One entry of `patches`: strategic merge patches, or a JSON patch.
struct Patch {
  std::string origin;  // for errors
  std::vector<std::shared_ptr<Resource>> merges;
  std::optional<doc::Value> operations;
  std::optional<Selector> target;
  std::shared_ptr<const SchemaTable> schemas;  // of `openapi`; null: Kubernetes' own
  bool keeps_id = false;                       // as the older `patchesJson6902`: the id before is not remembered
};
// Errors: invalid (neither kind of patch).
Result<Patch> read_patch(std::string_view text, std::string_view source);
Result<> apply_patch(ResMap& map, const Patch& patch);
Result<doc::Value> read_operations(std::string_view text, std::string_view source);

struct FieldOptions {
  std::string delimiter, encoding;
  std::int64_t index = 0;
  bool create = false;
};
struct Replacement {
  struct Target {
    Selector select;
    IdPattern pattern;  // of select
    struct Reject {
      Selector select;
      IdPattern pattern;
    };
    std::vector<Reject> reject;
    std::vector<std::string> paths;
    FieldOptions options;
  };
  bool has_source = false, has_targets = false;
  std::optional<std::string> value;  // sourceValue, instead of a source
  ResId source;
  std::string source_path;
  FieldOptions source_options;
  std::vector<Target> targets;
  static Result<Replacement> read(const Input& in);
};
Result<> apply_replacement(ResMap& map, const Replacement& replacement);
// A field by a path of replacements or vars: a.b.[name=x].0
std::vector<std::string> split_field_path(std::string_view path);
Result<doc::Value*> look_up(doc::Value& node, const std::vector<std::string>& path);

struct AddedValue {
  std::optional<Selector> selector;
  std::string path;
  std::int64_t position = 0;
};
Result<> add_value(ResMap& map, const std::string& value, const AddedValue& target);

// The name of generated objects gets a hash of their content.
Result<> add_hashes(ResMap& map);
// References to objects whose names changed get the new names.
Result<> fix_references(ResMap& map, const std::vector<NameReference>& rules);

struct Var {
  std::string name, field_path = "metadata.name";
  ResId object;
  static Result<Var> read(const Input& in);
};
Result<> mark_vars(ResMap& map, const std::vector<Var>& vars);
Result<> replace_vars(ResMap& map, const std::map<std::string, Var>& vars, const FieldSpecs& specs);

// `resources` of a text: lists are taken apart. Errors: invalid (no kind, no name).
Result<std::vector<std::shared_ptr<Resource>>> read_resources(std::string_view text, std::string_view source);

struct SortOptions {
  bool legacy = false;
  std::optional<std::vector<std::string>> first, last;
};
// One more step that changed all objects, for buildMetadata.
void add_step(ResMap& map, const doc::Value& origin);

void sort_resources(ResMap& map, const SortOptions& options);

}  // namespace slipway::manifest
