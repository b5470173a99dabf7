#include "base/text.h"
#include "kube/schema.h"

namespace slipway::kube {
namespace {

using Shape = Schema::Shape;

class Builder {
 public:
  Result<std::unique_ptr<Schema>> build(const doc::View& at, std::size_t depth) {
    if (depth > 64) return at.wrong("the schema is nested too deeply, want at most 64 levels");
    auto schema = std::make_unique<Schema>();
    auto extras = std::make_shared<Extras>();
    if (at["$ref"].present()) return at["$ref"].wrong("is not allowed in a structural schema");
    extras->preserve_unknown = at["x-kubernetes-preserve-unknown-fields"].bool_or(false);
    extras->embedded = at["x-kubernetes-embedded-resource"].bool_or(false);
    extras->nullable = at["nullable"].bool_or(false);
    if (at["default"].exists()) extras->fallback = at["default"].value();
    for (const auto& v : at["enum"].items()) extras->allowed.push_back(v.value());
    extras->pattern = at["pattern"].str_or("");
    limits(at, *extras);
    schema->atomic = at["x-kubernetes-map-type"].str_or("") == "atomic";
    TRY_OK(shape(at, *schema, *extras, depth));
    static const auto plain = std::make_shared<const Extras>();
    schema->extras = *extras == *plain ? plain : std::move(extras);
    return schema;
  }

 private:
  static void limits(const doc::View& at, Extras& extras) {
    // Most are absent, and an error would look for its place in the whole definition.
    auto real = [&](std::string_view key) -> std::optional<double> {
      auto limit = at[key];
      if (!limit.value().is_number()) return std::nullopt;
      return *limit.real();
    };
    auto whole = [&](std::string_view key) -> std::optional<std::int64_t> {
      auto limit = at[key];
      if (!limit.value().is_number()) return std::nullopt;
      auto n = limit.num();
      return n ? std::optional(*n) : std::nullopt;
    };
    extras.minimum = real("minimum"), extras.maximum = real("maximum");
    extras.min_length = whole("minLength"), extras.max_length = whole("maxLength");
    extras.min_items = whole("minItems"), extras.max_items = whole("maxItems");
  }

  Result<> shape(const doc::View& at, Schema& schema, Extras& extras, std::size_t depth) {
    auto type = at["type"].str_or("");
    if (at["x-kubernetes-int-or-string"].bool_or(false)) {
      schema.shape = Shape::int_or_string;
    } else if (type == "object") {
      return object(at, schema, extras, depth);
    } else if (type == "array") {
      return list(at, schema, depth);
    } else if (type == "string") {
      schema.shape = Shape::string;
    } else if (type == "integer") {
      schema.shape = at["format"].str_or("") == "int32" ? Shape::int32 : Shape::int64;
    } else if (type == "number") {
      schema.shape = Shape::number;
    } else if (type == "boolean") {
      schema.shape = Shape::boolean;
    } else if (type.empty() && (extras.preserve_unknown || depth == 0)) {
      schema.shape = Shape::any;
      if (depth == 0) return object(at, schema, extras, depth);
    } else {
      return at["type"].wrong(type.empty() ? "want a type (structural schema)"
                                           : fmt::format("\"{}\" is no type of a structural schema", type));
    }
    return {};
  }

  Result<> object(const doc::View& at, Schema& schema, Extras& extras, std::size_t depth) {
    schema.shape = Shape::object;
    schema.owned_fields = std::make_unique<Struct>();
    schema.fields = schema.owned_fields.get();
    std::set<std::string, std::less<>> required;
    for (const auto& name : at["required"].items()) required.insert(name.text());
    for (const auto& [name, property] : at["properties"].members()) {
      if (depth == 0 && (name == "apiVersion" || name == "kind" || name == "metadata")) continue;
      TRY(auto inner, build(property, depth + 1));
      schema.names.push_back(std::make_unique<std::string>(name));
      Member member;
      member.name = *schema.names.back();
      member.schema = std::move(inner);
      member.required = required.contains(name);
      schema.owned_fields->members.push_back(std::move(member));
    }
    if (depth == 0 || extras.embedded) add_meta(schema);
    auto& members = schema.owned_fields->members;
    std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.name < b.name; });
    auto rest = at["additionalProperties"];
    if (rest.value().is_map()) {
      TRY(schema.owned_items, build(rest, depth + 1));
      schema.items = schema.owned_items.get();
      if (members.empty()) schema.shape = Shape::map;
    } else if (rest.bool_or(false)) {
      extras.preserve_unknown = true;
    }
    return {};
  }

  // Every object has these, whatever its schema says of them.
  static void add_meta(Schema& schema) {
    for (std::string_view name : {"apiVersion", "kind", "metadata"}) {
      if (schema.owned_fields->members.end() != std::find_if(schema.owned_fields->members.begin(),
                                                             schema.owned_fields->members.end(),
                                                             [&](const Member& m) { return m.name == name; }))
        continue;
      Member member;
      member.name = name;
      member.schema = std::make_unique<Schema>();
      member.schema->shape = name == "metadata" ? Shape::object : Shape::string;
      if (name == "metadata") member.schema->fields = schema_of_struct("meta.v1.ObjectMeta")->fields;
      schema.owned_fields->members.push_back(std::move(member));
    }
  }

  Result<> list(const doc::View& at, Schema& schema, std::size_t depth) {
    schema.shape = Shape::list;
    if (!at["items"].present()) return at["items"].wrong("an array wants items (structural schema)");
    TRY(schema.owned_items, build(at["items"], depth + 1));
    schema.items = schema.owned_items.get();
    auto kind = at["x-kubernetes-list-type"].str_or("atomic");
    using L = doc::MergeSchema::ListType;
    schema.list = kind == "map" ? L::map : kind == "set" ? L::set : L::atomic;
    for (const auto& key : at["x-kubernetes-list-map-keys"].items()) schema.keys.push_back(key.text());
    if (schema.list == L::map && schema.keys.empty())
      return at["x-kubernetes-list-map-keys"].wrong("a list of type map wants its keys");
    return {};
  }
};

}  // namespace

Result<std::shared_ptr<const Schema>> schema_of_crd(const doc::Value& open_api) {
  TRY(auto schema, Builder().build(doc::View(open_api), 0));
  return std::shared_ptr<const Schema>(std::move(schema));
}

}  // namespace slipway::kube
