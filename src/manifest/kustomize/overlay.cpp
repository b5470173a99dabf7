// Rules: kyaml's merge2 and walk packages, kustomize 5.5. Two sources are walked together: the target and the
// patch (null pointer: absent). Where kyaml lets the target become the patch, a copy takes its place here.
#include "manifest/detail/overlay.h"

#include "doc/yaml.h"

#include <algorithm>
#include <set>

#include "doc/json.h"

namespace slipway::manifest {
namespace {

using doc::List;
using doc::Map;
using doc::Value;
using Names = std::vector<std::string>;

constexpr std::string_view directive_key = "$patch";
enum class Directive { merge, replace, remove };

bool missing(const Value* v) { return v == nullptr || v->is_null(); }
bool empty_map(const Value& v) { return v.is_map() && v.if_map()->empty(); }

// A null that was written as nothing at all ("key:"), not as null or ~.
bool blank_null(const Value& v) { return v.is_null() && v.mark().line != 0 && v.mark().begin == v.mark().end; }

std::string field_text(const Value& item, const std::string& key) {
  const auto* field = item.find(key);
  return field != nullptr ? scalar_text(*field) : "";
}

struct Walked {
  std::optional<Value> value;
  bool keep_null = false;
};

class Walker {
 public:
  explicit Walker(const OverlayOptions& options) : options_(options) {}

  Result<Walked> walk(std::optional<Value> dest, const Value* origin, Schema schema) {
    const Value* there = dest ? &*dest : nullptr;
    const Value* first = !missing(there) ? there : !missing(origin) ? origin : nullptr;
    if (first != nullptr && !missing(there) && !missing(origin)) {
      TRY_OK(same_shape(*there, *origin));
    }
    if (first == nullptr || first->is_map()) return walk_map(std::move(dest), origin, schema);
    if (first->is_list()) {
      bool associative = schema.keys != nullptr || (options_.infer && (named(there) || named(origin)));
      if (associative) return walk_list(std::move(dest), origin, schema);
    }
    if (origin == nullptr) return Walked{std::move(dest), false};
    Walked result{*origin, false};
    if (dest) result.value->set_style(dest->style());
    return result;
  }

 private:
  static Result<> same_shape(const Value& a, const Value& b) {
    auto shape = [](const Value& v) { return v.is_map() ? "a map" : v.is_list() ? "a list" : "a scalar"; };
    if (std::string_view(shape(a)) == shape(b)) return {};
    return fail(Kind::invalid, "the patch has {} (line {}) where the object has {}", shape(b), b.mark().line, shape(a));
  }

  static bool named(const Value* v) {
    const auto* list = v != nullptr ? v->if_list() : nullptr;
    return list != nullptr && !list->empty() &&
           std::all_of(list->begin(), list->end(), [](const Value& item) { return item.find("name") != nullptr; });
  }

  static Result<Directive> directive(std::string_view text) {
    if (text == "delete") return Directive::remove;
    if (text == "replace") return Directive::replace;
    if (text == "merge") return Directive::merge;
    return fail(Kind::invalid, "unknown patch strategy '{}', want delete, replace or merge", text);
  }
  static Result<Directive> map_directive(const Value* origin) {
    const auto* found = origin != nullptr ? origin->find(directive_key) : nullptr;
    if (found == nullptr) return Directive::merge;
    return directive(scalar_text(*found));
  }
  static Value without_directive(const Value& v) {
    Value copy = v;
    if (auto* map = copy.if_map()) map->erase(directive_key);
    return copy;
  }

  // What the merged map starts from: the target, the patch, or nothing.
  Result<Walked> visit_map(std::optional<Value> dest, const Value* origin) {
    if (missing(dest ? &*dest : nullptr)) {
      auto found = map_directive(origin);
      if (found && *found == Directive::remove) return Walked{};
      if (origin == nullptr && dest && !blank_null(*dest)) return Walked{std::move(dest), true};
      if (origin == nullptr) return Walked{};
      return Walked{without_directive(*origin), false};
    }
    if (origin != nullptr && origin->is_null()) return Walked{};
    TRY(auto found, map_directive(origin));
    if (found == Directive::remove) return Walked{};
    if (found == Directive::replace) return Walked{without_directive(*origin), false};
    return Walked{std::move(dest), false};
  }

  Result<Walked> walk_map(std::optional<Value> dest, const Value* origin, Schema schema) {
    TRY(auto visited, visit_map(std::move(dest), origin));
    auto* map = visited.value ? visited.value->if_map() : nullptr;
    if (map == nullptr) return visited;
    Map result;
    result.reserve(map->size());
    auto put = [&](const std::string& key, Walked walked) {
      if (walked.value && (!walked.value->is_null() || walked.keep_null)) result.append(key, *std::move(walked.value));
    };
    auto below = [&](const std::string& key) { return schema.member(key); };
    if (schema.type < 0) schema = own_schema(*visited.value);
    if (schema.type < 0 && origin != nullptr) schema = own_schema(*origin);
    for (auto& [key, value] : *map) {
      const auto* change = origin != nullptr ? origin->find(key) : nullptr;
      TRY(auto walked, walk(std::move(value), change, below(key)));
      put(key, std::move(walked));
    }
    if (const auto* changes = origin != nullptr ? origin->if_map() : nullptr) {
      for (const auto& [key, change] : *changes) {
        if (key == directive_key || map->contains(key)) continue;
        TRY(auto walked, walk(std::nullopt, &change, below(key)));
        put(key, std::move(walked));
      }
    }
    auto mark = visited.value->mark();
    visited.value = Value(std::move(result));
    visited.value->set_mark(mark);
    return visited;
  }

  Schema own_schema(const Value& v) const {
    const auto *api = v.find("apiVersion"), *kind = v.find("kind");
    if (api == nullptr || kind == nullptr || !api->is_string() || !kind->is_string()) return {};
    return schema_of(options_.schemas, *api->if_string(), *kind->if_string());
  }

  // A list whose one item {$patch: …} speaks of the whole list.
  static Result<Directive> list_directive(Value& origin) {
    auto& list = *origin.if_list();
    auto item = std::find_if(list.begin(), list.end(), [](const Value& v) { return v.find(directive_key) != nullptr; });
    if (item == list.end() || item->if_map()->size() > 1) return Directive::merge;
    auto text = field_text(*item, std::string(directive_key));
    TRY(auto found, directive(text));
    set_item(list, nullptr, {std::string(directive_key)}, {text});
    return found;
  }

  Result<Walked> walk_list(std::optional<Value> dest, const Value* origin, Schema schema) {
    std::optional<Value> patch = origin != nullptr ? std::optional(*origin) : std::nullopt;
    if (missing(dest ? &*dest : nullptr)) {
      if (missing(origin)) return Walked{};
      dest = patch;
    } else if (origin != nullptr && origin->is_null()) {
      return Walked{};
    } else if (patch) {
      TRY(auto found, list_directive(*patch));
      if (found == Directive::remove) return Walked{};
      if (found == Directive::replace) dest = patch;
    }
    auto keys = schema.keys != nullptr ? schema.key_list() : Names{"name"};
    auto& target = *dest->if_list();
    const List* changes = patch ? patch->if_list() : nullptr;
    auto values = keys.empty() ? scalar_values(target, changes) : item_values(target, changes, keys);
    if (keys.empty()) keys.emplace_back();
    TRY_OK(merge_items(target, changes, std::move(values), keys, schema.element()));
    return Walked{std::move(dest), false};
  }

  // The values of the keys over all items, each combination once; the patch's first where its items go first.
  std::vector<Names> item_values(const List& target, const List* changes, const Names& keys) const {
    std::vector<Names> all;
    std::set<Names> seen;
    auto add = [&](const List* list) {
      if (list == nullptr) return;
      for (const auto& item : *list) {
        Names values;
        for (const auto& key : keys) values.push_back(field_text(item, key));
        if (seen.insert(values).second) all.push_back(std::move(values));
      }
    };
    add(options_.prepend ? changes : &target);
    add(options_.prepend ? &target : changes);
    return all;
  }
  std::vector<Names> scalar_values(const List& target, const List* changes) const {
    std::vector<Names> all;
    std::set<std::string> seen;
    auto add = [&](const List* list) {
      if (list == nullptr) return;
      for (const auto& item : *list) {
        if (seen.insert(scalar_text(item)).second) all.push_back({scalar_text(item)});
      }
    };
    add(options_.prepend ? changes : &target);
    add(options_.prepend ? &target : changes);
    return all;
  }

  // Ports 8080 and 8080/TCP are the same one: values that differ only in what one of them leaves out are joined.
  static void join_values(std::vector<Names>& values) {
    for (auto& a : values) {
      for (auto& b : values) {
        Names joined;
        bool common = false, differ = false;
        for (std::size_t i = 0; i < a.size(); ++i) {
          if (a[i] == b[i]) {
            common = true;
          } else if (!a[i].empty() && !b[i].empty()) {
            differ = true;
            break;
          }
          joined.push_back(a[i].empty() ? b[i] : a[i]);
        }
        if (common && !differ) a = b = joined;
      }
    }
  }

  // The keys that any item has at all, and the values for them.
  static std::pair<Names, Names> used_keys(const std::vector<Names>& all, const Names& values, const Names& keys) {
    std::set<std::string> used;
    for (const auto& row : all) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (!row[i].empty()) used.insert(keys[i]);
      }
    }
    if (used.empty()) return {keys, values};
    std::pair<Names, Names> result;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (used.contains(keys[i])) result.first.push_back(keys[i]);
      if (i < values.size() && (!values[i].empty() || used.contains(keys[i]))) result.second.push_back(values[i]);
    }
    return result;
  }

  static const Value* find_item(const List* list, const Names& all_keys, const Names& all_values) {
    if (list == nullptr) return nullptr;
    auto [keys, values] = used_keys({all_values}, all_values, all_keys);
    for (const auto& item : *list) {
      if (keys[0].empty()) {
        if (!item.is_map() && !item.is_list() && scalar_text(item) == values[0]) return &item;
        continue;
      }
      if (!item.is_map()) continue;
      bool match = true;
      for (std::size_t i = 0; match && i < keys.size(); ++i) {
        const auto* field = item.find(keys[i]);
        match = field != nullptr && scalar_text(*field) == values[i];
      }
      if (match) return &item;
    }
    return nullptr;
  }

  Result<> merge_items(List& target, const List* changes, std::vector<Names> all, const Names& keys, Schema schema) {
    if (all.empty()) return {};
    if (keys.size() > 1) join_values(all);
    List added;
    Names used, values;
    for (const auto& row : all) {
      std::tie(used, values) = used_keys(all, row, keys);
      // kyaml changes the old item in place; one that is replaced whole stays as it was, and wins below.
      auto* old = const_cast<Value*>(find_item(&target, used, values));
      const auto* change = find_item(changes, used, values);
      TRY(auto walked, walk(old != nullptr ? std::optional(*old) : std::nullopt, change, schema));
      bool in_place = old != nullptr && walked.value &&
                      !(change != nullptr && field_text(*change, std::string(directive_key)) == "replace");
      bool gone = missing(walked.value ? &*walked.value : nullptr) || empty_map(*walked.value);
      if (gone) {
        set_item(target, nullptr, used, values);
        continue;
      }
      if (in_place) *old = *walked.value;
      if (auto* map = walked.value->if_map()) {
        for (std::size_t i = 0; i < used.size(); ++i) {
          if (!map->contains(used[i]) && i < values.size() && !values[i].empty())
            map->append(used[i], Value(values[i]));
        }
      }
      set_item(added, &*walked.value, used, values);
    }
    if (options_.prepend) {
      append_items(added, target, used);
      target = std::move(added);
    } else {
      append_items(target, added, used);
    }
    return {};
  }

  static bool item_matches(const Value& item, const Names& keys, const Names& values) {
    bool match = false;  // of the last key that had a value: what kyaml's setter does
    for (std::size_t j = 0; j < keys.size(); ++j) {
      if (j < values.size()) {
        if (keys[j].empty()) {
          match = scalar_text(item) == values[j];
        } else {
          const auto* field = item.find(keys[j]);
          match = field != nullptr && (values[j].empty() || scalar_text(*field) == values[j]);
        }
      }
      if (!match) return false;
    }
    return match;
  }

  // Replaces the items that match, or appends; without an item deletes them. Empty items go.
  static void set_item(List& list, const Value* item, const Names& keys, const Names& values) {
    bool for_maps = !keys.empty() && !keys[0].empty() && !values.empty() && !values[0].empty();
    List kept;
    kept.reserve(list.size() + 1);
    bool found = false;
    for (auto& there : list) {
      if (there.is_null() || empty_map(there)) continue;
      if (!there.is_map() && for_maps) {
        kept.push_back(std::move(there));
      } else if (!item_matches(there, keys, values)) {
        if (!values.empty()) kept.push_back(std::move(there));
      } else {
        found = true;
        if (item != nullptr) kept.push_back(*item);
      }
    }
    if (item != nullptr && !found) kept.push_back(*item);
    list = std::move(kept);
  }

  static void append_items(List& list, const List& more, const Names& keys) {
    for (const auto& item : more) {
      if (keys[0].empty()) {
        set_item(list, &item, keys, {scalar_text(item)});
        continue;
      }
      Names values;
      for (const auto& key : keys) {
        const auto* field = item.find(key);
        if (field == nullptr) {
          list.push_back(item);
        } else {
          values.push_back(scalar_text(*field));
        }
      }
      if (keys.size() > 1) set_item(list, nullptr, keys, values);
      set_item(list, &item, keys, values);
    }
  }

  const OverlayOptions& options_;
};

}  // namespace

std::string scalar_text(const Value& value) {
  if (const auto* text = value.if_string()) return *text;
  if (value.is_null() || value.is_list() || value.is_map()) return {};
  return doc::print_json(value);
}

namespace {

// go-yaml's folded writer decides whether a break needs a second one by the start of the text, not by what follows.
std::string folded_again(const std::string& text) {
  std::size_t first = text.find_first_not_of('\n');
  bool writes_second = first != std::string::npos && text[first] != ' ' && text[first] != '\t';
  std::string out;
  bool after_break = true, indented = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c != '\n') {
      if (after_break) indented = c == ' ' || c == '\t';
      out += c;
      after_break = false;
      continue;
    }
    if (!after_break && !indented) {
      auto next = text.find_first_not_of('\n', i);
      bool needs_second = next != std::string::npos && text[next] != ' ' && text[next] != '\t';
      if (writes_second && !needs_second && next != std::string::npos) out += '\n';
      if (!writes_second && needs_second) {
        // One break alone reads back as a space.
        if (i + 1 < text.size() && text[i + 1] != '\n') out += ' ';
        after_break = true;
        continue;
      }
    }
    out += c;
    after_break = true;
  }
  return out;
}

}  // namespace

namespace {

void fold(Value& node, std::string& text) {
  bool block = !text.ends_with(' ') && text.find(" \n") == std::string::npos;
  if (block && text.find('\n') != std::string::npos) text = folded_again(text);
  node.set_style(Value::Style::any);
}

template <class Visit>
void each_text(Value& node, const Visit& visit) {
  if (auto* map = node.if_map()) {
    for (auto& [key, value] : *map) each_text(value, visit);
  } else if (auto* list = node.if_list()) {
    for (auto& item : *list) each_text(item, visit);
  } else if (auto* text = node.if_string()) {
    visit(node, *text);
  }
}

}  // namespace

void fold_once(Value& node) {
  each_text(node, [](Value& scalar, std::string& text) {
    if (scalar.style() == Value::Style::folded) fold(scalar, text);
  });
}

void as_printed(Value& node) {
  each_text(node, [](Value& scalar, std::string& text) {
    if (scalar.style() == Value::Style::folded) return fold(scalar, text);
    if (scalar.style() != Value::Style::plain || text.size() < 8 || text[4] != '-') return;
    if (auto time = doc::yaml_time(text)) scalar = Value(*std::move(time));
  });
}

Result<std::optional<Value>> overlay(Value target, const Value& patch, const OverlayOptions& options) {
  TRY(auto walked, Walker(options).walk(std::move(target), &patch, {}));
  return std::move(walked.value);
}

}  // namespace slipway::manifest
