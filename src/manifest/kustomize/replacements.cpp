#include <re2/re2.h>

#include <algorithm>

#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "manifest/detail/overlay.h"
#include "manifest/detail/splice.h"
#include "manifest/detail/transform.h"

namespace slipway::manifest {
namespace {

using doc::List;
using doc::Map;
using doc::Value;
using Path = std::span<const std::string>;

bool is_index(std::string_view step) {
  return !step.empty() && step.size() < 10 &&
         std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool is_match(std::string_view step) { return step.starts_with('[') && step.ends_with(']'); }

// [name=value] into its halves.
Result<std::pair<std::string, std::string>> split_match(std::string_view step) {
  auto inner = step.substr(1, step.size() - 2);
  auto equals = inner.find('=');
  if (equals == std::string_view::npos)
    return fail(Kind::invalid, "path element '{}' must contain fieldName=fieldValue", step);
  return std::pair{std::string(inner.substr(0, equals)), std::string(inner.substr(equals + 1))};
}

enum class Shape { none, scalar, list, map };

// A text that holds JSON or YAML itself, and the rest of a path that leads into it.
struct Inside {
  Value* text;
  std::vector<std::string> path;
};

// All places a path names, with wildcards and matches; absent ones are made in the shape of the value when asked.
class Matcher {
 public:
  // Texts that the path leads into go to `inside`; null: they are an error.
  explicit Matcher(Shape create, std::vector<Inside>* inside = nullptr) : create_(create), inside_(inside) {}

  Result<> collect(Value& node, Path path, std::vector<Value*>& found) {
    if (path.empty()) {
      found.push_back(&node);
      return {};
    }
    const auto& step = path[0];
    if (inside_ != nullptr && node.is_string()) {
      inside_->push_back({&node, {path.begin(), path.end()}});
      return {};
    }
    if (is_index(step)) return at_index(node, path, found);
    if (is_match(step)) return at_matches(node, path, found);
    if (step == "*") {
      if (node.is_null()) return {};
      TRY(auto* list, list_of(node, step));
      for (auto& item : *list) TRY_OK(collect(item, path.subspan(1), found));
      return {};
    }
    return at_field(node, path, found);
  }

 private:
  static Result<List*> list_of(Value& node, std::string_view step) {
    if (auto* list = node.if_list()) return list;
    return fail(Kind::invalid, "wrong kind at '{}': want a list, got a {}", step, to_string(node.type()));
  }
  void shape(Value& made, Path rest) const {
    Shape wanted = rest.empty() ? create_ : is_match(rest[0]) || is_index(rest[0]) ? Shape::list : Shape::map;
    if (wanted == Shape::list) made = Value(List());
    if (wanted == Shape::map) made = Value(Map());
    // A scalar stays null until its text comes: it then takes the type that text reads as.
  }

  Result<> at_field(Value& node, Path path, std::vector<Value*>& found) {
    if (node.is_null()) {
      if (create_ == Shape::none) return {};
      node = Value(Map());
    }
    auto* map = node.if_map();
    if (map == nullptr)
      return fail(Kind::invalid, "wrong kind at '{}': want a map, got a {}", path[0], to_string(node.type()));
    auto* field = map->find(path[0]);
    if (field == nullptr) {
      if (create_ == Shape::none) return {};
      field = &(*map)[path[0]];
      shape(*field, path.subspan(1));
    }
    return collect(*field, path.subspan(1), found);
  }

  Result<> at_index(Value& node, Path path, std::vector<Value*>& found) {
    TRY(auto* list, list_of(node, path[0]));
    auto index = static_cast<std::size_t>(*to_int(path[0]));
    if (index == list->size() && create_ != Shape::none) shape(list->emplace_back(), path.subspan(1));
    if (index >= list->size())
      return fail(Kind::not_found, "index {} specified but only {} elements found", index, list->size());
    return collect((*list)[index], path.subspan(1), found);
  }

  Result<> at_matches(Value& node, Path path, std::vector<Value*>& found) {
    TRY(auto match, split_match(path[0]));
    const auto& [field, pattern] = match;
    re2::RE2::Options options;
    options.set_log_errors(false);
    re2::RE2 regex(pattern, options);
    if (!regex.ok()) return fail(Kind::invalid, "path element '{}': {}", path[0], regex.error());
    if (node.is_null()) return {};
    TRY(auto* list, list_of(node, path[0]));
    auto before = found.size();
    auto visit = [&](Value& item) -> Result<> {
      if (field.empty()) {
        if (re2::RE2::PartialMatch(scalar_text(item), regex)) found.push_back(&item);
        return {};
      }
      const auto* key = item.find(field);
      if (key == nullptr || !re2::RE2::PartialMatch(scalar_text(*key), regex)) return {};
      return collect(item, path.subspan(1), found);
    };
    for (auto& item : *list) TRY_OK(visit(item));
    if (found.size() != before || create_ == Shape::none) return {};
    list->push_back(field.empty() ? Value(pattern) : Value(Map{{field, Value(pattern)}}));
    return visit(list->back());
  }

  Shape create_;
  std::vector<Inside>* inside_;
};

Result<Value> source_value(ResMap& map, const Replacement& replacement) {
  if (replacement.value) return Value(*replacement.value);
  Resource* source = nullptr;
  for (const auto& resource : map.all()) {
    auto now = resource->id();
    now.outside = false;
    bool matches = now.selected_by(replacement.source);
    for (std::size_t i = 0; !matches && i < resource->previous.size(); ++i)
      matches = resource->previous_id(i).selected_by(replacement.source);
    if (!matches) continue;
    if (source != nullptr)
      return fail(Kind::conflict, "replacements: several objects match the source {}", replacement.source.print());
    source = resource.get();
  }
  if (source == nullptr)
    return fail(Kind::not_found, "replacements: nothing selected by {}:{}", replacement.source.print(),
                replacement.source_path);
  auto path = split_field_path(replacement.source_path);
  TRY(auto* found, look_up(source->node, path));
  bool empty = found == nullptr || found->is_null() || (found->is_map() && found->if_map()->empty()) ||
               (found->is_list() && found->if_list()->empty());
  if (empty) {
    return fail(Kind::not_found, "replacements: fieldPath `{}` is missing for replacement source {}",
                replacement.source_path, replacement.source.print());
  }
  const auto& options = replacement.source_options;
  if (options.delimiter.empty()) return *found;
  if (found->is_map() || found->is_list())
    return fail(Kind::invalid, "replacements: the delimiter option can only be used with scalars");
  auto text = scalar_text(*found);
  std::vector<std::string> parts;
  for (std::size_t at = 0;;) {
    auto stop = text.find(options.delimiter, at);
    parts.push_back(text.substr(at, stop == std::string::npos ? stop : stop - at));
    if (stop == std::string::npos) break;
    at = stop + options.delimiter.size();
  }
  if (options.index < 0 || options.index >= static_cast<std::int64_t>(parts.size())) {
    return fail(Kind::invalid, "replacements: options.index {} is out of bounds for value {}", options.index, text);
  }
  Value part = Value(parts[static_cast<std::size_t>(options.index)]);
  return part;
}

Result<> put(Value& field, Value value, const FieldOptions& options) {
  if (!options.delimiter.empty()) {
    if (field.is_map() || field.is_list())
      return fail(Kind::invalid, "replacements: the delimiter option can only be used with scalars");
    auto old = scalar_text(field);
    std::vector<std::string> parts;
    for (std::size_t at = 0;;) {
      auto stop = old.find(options.delimiter, at);
      parts.push_back(old.substr(at, stop == std::string::npos ? stop : stop - at));
      if (stop == std::string::npos) break;
      at = stop + options.delimiter.size();
    }
    auto text = scalar_text(value);
    if (options.index < 0) {
      parts.insert(parts.begin(), text);
    } else if (options.index >= static_cast<std::int64_t>(parts.size())) {
      parts.push_back(text);
    } else {
      parts[static_cast<std::size_t>(options.index)] = text;
    }
    value = Value(join(parts, options.delimiter));
  }
  bool scalars = !value.is_map() && !value.is_list() && !field.is_map() && !field.is_list();
  if (scalars && field.is_string()) {
    field = Value(scalar_text(value));
  } else if (scalars && value.is_string()) {
    // The field keeps its type where the text fits it; a new one takes the type the text reads as.
    auto read = doc::parse_yaml(scalar_text(value));
    bool fits =
        read && (read->is_bool() || read->is_number()) && (field.is_null() || read->is_bool() == field.is_bool());
    field = fits ? *std::move(read) : std::move(value);
  } else {
    field = std::move(value);
  }
  return {};
}

Shape shape_of(const Value& value, bool create) {
  if (!create) return Shape::none;
  return value.is_map() ? Shape::map : value.is_list() ? Shape::list : Shape::scalar;
}

void sort_all_keys(Value& value) {
  if (auto* map = value.if_map()) {
    map->sort_keys();
    for (auto& [key, below] : *map) sort_all_keys(below);
  } else if (auto* list = value.if_list()) {
    for (auto& item : *list) sort_all_keys(item);
  }
}

// JSON is written anew, with its keys sorted, over several lines if it was: as kustomize writes it.
Result<std::string> put_in_json(const std::string& text, const Inside& inside, const Value& value,
                                const FieldOptions& options) {
  TRY(auto root, doc::parse_json(text));
  std::vector<Value*> found;
  TRY_OK(Matcher(shape_of(value, options.create)).collect(root, inside.path, found));
  if (found.empty()) return fail(Kind::not_found, "it has no such field");
  for (auto* field : found) TRY_OK(put(*field, value, options));
  sort_all_keys(root);
  return text.contains('\n') && text.contains("  ") ? doc::print_json_pretty(root) : doc::print_json(root);
}

// Of YAML only the scalar changes: comments, order and quotes stay.
Result<std::string> put_in_yaml(const std::string& text, const Inside& inside, const Value& value,
                                const FieldOptions& options) {
  TRY(auto splicer, Splicer::open(text, "text", Splicer::Documents::one));
  auto& root = splicer.tree().front();
  if (!root.is_map() && !root.is_list()) return fail(Kind::invalid, "want a map, got a {}", to_string(root.type()));
  std::vector<Value*> found;
  TRY_OK(Matcher(Shape::none).collect(root, inside.path, found));
  if (found.empty()) return fail(Kind::not_found, "it has no such field");
  for (auto* field : found) {
    if (field->is_map() || field->is_list() || value.is_map() || value.is_list())
      return fail(Kind::invalid, "within YAML text only scalars can be replaced");
    auto next = *field;
    TRY_OK(put(next, value, options));
    if (next.is_string()) {
      TRY_OK(splicer.set_scalar(*field, scalar_text(next)));
    } else {
      auto mark = field->mark();
      splicer.splice(mark.begin, mark.end, scalar_text(next));
      *field = std::move(next);
    }
  }
  return splicer.finish();
}

Result<> put_inside(const Inside& inside, const Value& value, const FieldOptions& options) {
  auto text = scalar_text(*inside.text);
  auto start = trim(text);
  bool json = (start.starts_with('{') || start.starts_with('[')) && doc::parse_json(text);
  TRY(auto next, json ? put_in_json(text, inside, value, options) : put_in_yaml(text, inside, value, options));
  *inside.text = Value(std::move(next));
  return {};
}

Result<> copy_to(Resource& resource, const Value& value, const Replacement::Target& target) {
  Shape create = shape_of(value, target.options.create);
  for (const auto& text : target.paths) {
    auto path = split_field_path(text);
    std::vector<Value*> found;
    std::vector<Inside> texts;
    auto done = Matcher(create, &texts).collect(resource.node, path, found);
    for (const auto& inside : texts)
      if (done) done = put_inside(inside, value, target.options);
    auto what = create == Shape::none ? "find" : "find or create";
    if (!done) {
      return fail(Kind::invalid, "replacements: unable to {} field \"{}\" in {}: {}", what, text, resource.id().print(),
                  done.error().what());
    }
    if (found.empty() && texts.empty())
      return fail(Kind::not_found, "replacements: unable to {} field \"{}\" in {}", what, text, resource.id().print());
    for (auto* field : found) TRY_OK(put(*field, value, target.options));
  }
  return {};
}

bool rejected(const Resource& resource, const std::vector<ResId>& ids,
              const std::vector<Replacement::Target::Reject>& rejects) {
  for (const auto& [select, pattern] : rejects) {
    bool marks = !select.annotation_text.empty() || !select.label_text.empty();
    if (marks && select.matches_marks(resource)) return true;
    if (pattern.empty()) continue;
    if (std::any_of(ids.begin(), ids.end(), [&](const ResId& id) { return pattern.matches(id); })) return true;
  }
  return false;
}

Result<FieldOptions> read_options(const Input& in) {
  FieldOptions options;
  TRY(auto child, in.child("options", {"delimiter", "index", "encoding", "create"}));
  if (!child) return options;
  TRY(options.delimiter, child->str("delimiter"));
  TRY(options.index, child->number("index"));
  TRY(options.encoding, child->str("encoding"));
  TRY(options.create, child->flag("create"));
  return options;
}

}  // namespace

std::vector<std::string> split_field_path(std::string_view path) {
  auto parts = split_path(path, '.');
  std::vector<std::string> steps;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].starts_with('[') || parts[i].ends_with(']')) {
      steps.push_back(parts[i]);
      continue;
    }
    auto bracketed = parts[i];
    while (i + 1 < parts.size() && !parts[i].ends_with(']')) bracketed += "." + parts[++i];
    if (bracketed.find('=') == std::string::npos) {
      auto from = bracketed.find_first_not_of("[]"), to = bracketed.find_last_not_of("[]");
      bracketed = from == std::string::npos ? "" : bracketed.substr(from, to - from + 1);
    }
    steps.push_back(std::move(bracketed));
  }
  return steps;
}

Result<doc::Value*> look_up(doc::Value& node, const std::vector<std::string>& path) {
  Value* at = &node;
  for (const auto& raw : path) {
    auto step = std::string(trim(raw));
    if (step.empty()) continue;
    if (at->is_null()) return nullptr;
    if (is_index(step) || step == "-" || is_match(step)) {
      auto* list = at->if_list();
      if (list == nullptr)
        return fail(Kind::invalid, "wrong kind at '{}': want a list, got a {}", step, to_string(at->type()));
      Value* next = nullptr;
      if (is_match(step)) {
        TRY(auto match, split_match(step));
        for (auto& item : *list) {
          const auto* field = match.first.empty() ? &item : item.find(match.first);
          if (next == nullptr && field != nullptr && scalar_text(*field) == match.second) next = &item;
        }
      } else if (!list->empty()) {
        auto index = step == "-" ? list->size() - 1 : static_cast<std::size_t>(*to_int(step));
        if (index < list->size()) next = &(*list)[index];
      }
      if (next == nullptr) return nullptr;
      at = next;
    } else if (step == "*") {
      return fail(Kind::invalid, "a wildcard is not supported here");
    } else {
      auto* map = at->if_map();
      if (map == nullptr)
        return fail(Kind::invalid, "wrong kind at '{}': want a map, got a {}", step, to_string(at->type()));
      auto* next = map->find(step);
      if (next == nullptr) return nullptr;
      at = next;
    }
  }
  return at;
}

Result<Replacement> Replacement::read(const Input& in) {
  Replacement replacement;
  TRY(auto source, in.child("source", {"group", "version", "kind", "name", "namespace", "fieldPath", "options"}));
  if (source) {
    replacement.has_source = true;
    TRY(replacement.source.gvk, source->gvk());
    TRY(replacement.source.name, source->str("name"));
    TRY(replacement.source.space, source->str("namespace"));
    TRY(replacement.source_path, source->str("fieldPath"));
    if (replacement.source_path.empty()) replacement.source_path = "metadata.name";
    TRY(replacement.source_options, read_options(*source));
  }
  if (in.find("sourceValue") != nullptr) {
    if (source) return in.wrong("sourceValue", "a replacement has a source or a sourceValue, not both");
    replacement.has_source = true;
    TRY(replacement.value, in.str("sourceValue"));
  }
  replacement.has_targets = in.find("targets") != nullptr;
  TRY(auto targets, in.items("targets", {"select", "reject", "fieldPaths", "options"}));
  for (const auto& item : targets) {
    Target target;
    TRY(auto chosen, item.child("select", Selector::fields));
    if (!chosen) return item.wrong("", "target must specify resources to select");
    TRY(target.select, Selector::read(*chosen));
    TRY(auto rejects, item.items("reject", Selector::fields));
    for (const auto& reject : rejects) {
      TRY(auto selector, Selector::read(reject));
      auto pattern = IdPattern::of(selector.id);
      if (!pattern) return reject.wrong("", pattern.error().what());
      target.reject.push_back({std::move(selector), *std::move(pattern)});
    }
    auto pattern = IdPattern::of(target.select.id);
    if (!pattern) return chosen->wrong("", pattern.error().what());
    target.pattern = *std::move(pattern);
    TRY(target.paths, item.strings("fieldPaths"));
    if (target.paths.empty()) target.paths.emplace_back("metadata.name");
    TRY(target.options, read_options(item));
    replacement.targets.push_back(std::move(target));
  }
  if (!replacement.has_source || !replacement.has_targets) {
    return in.wrong("", "replacements must specify a source and at least one target");
  }
  return replacement;
}

Result<> apply_replacement(ResMap& map, const Replacement& replacement) {
  TRY(auto value, source_value(map, replacement));
  for (const auto& target : replacement.targets) {
    for (const auto& resource : map.all()) {
      if (!target.select.matches_marks(*resource)) continue;
      std::vector<ResId> ids{resource->id()};
      ids[0].outside = false;
      for (std::size_t i = 0; i < resource->previous.size(); ++i) ids.push_back(resource->previous_id(i));
      bool selected = std::any_of(ids.begin(), ids.end(), [&](const ResId& id) { return target.pattern.matches(id); });
      if (!selected || rejected(*resource, ids, target.reject)) continue;
      TRY_OK(copy_to(*resource, value, target));
      map.note(resource);
    }
  }
  return {};
}

Result<> add_value(ResMap& map, const std::string& value, const AddedValue& target) {
  std::vector<Resource*> resources;
  if (target.selector) {
    TRY(resources, select(map, *target.selector));
  } else {
    for (const auto& resource : map.all()) resources.push_back(resource.get());
  }
  for (auto* resource : resources) {
    if (target.path == "metadata/namespace") {
      TRY_OK(set_space_of(*resource, {.space = value}));
      continue;
    }
    auto path = split_path(target.path, '/');
    std::vector<Value*> found;
    TRY_OK(Matcher(Shape::scalar).collect(resource->node, path, found));
    for (auto* field : found) {
      if (field->is_map() || field->is_list()) return fail(Kind::invalid, "{}: want a scalar", target.path);
      auto text = value;
      if (target.position > 0) {
        // The value goes into a slash-separated text, at a place counted from 1.
        auto old = scalar_text(*field);
        std::vector<std::string> parts;
        bool absolute = old.starts_with('/');
        for (auto part : split(old, '/')) {
          if (!part.empty()) parts.emplace_back(part);
        }
        auto at = std::min<std::size_t>(static_cast<std::size_t>(target.position - 1), parts.size());
        parts.insert(parts.begin() + static_cast<std::ptrdiff_t>(at), value);
        text = (absolute ? "/" : "") + join(parts, "/");
      }
      *field = Value(text);
    }
  }
  return {};
}

}  // namespace slipway::manifest
