// Kubernetes' strategic merge patch. Rules: apimachinery's strategicpatch package (what `kubectl patch` and the
// API server do), where a list with a merge key is a map in disguise and directives start with '$'.
#include <algorithm>
#include <unordered_map>

#include "doc/json.h"
#include "doc/patch.h"

namespace slipway::doc {
namespace {

constexpr std::string_view patch_key = "$patch", retain_key = "$retainKeys";
constexpr std::string_view delete_prefix = "$deleteFromPrimitiveList/", order_prefix = "$setElementOrder/";

bool is_directive(std::string_view key) {
  return key == patch_key || key == retain_key || key.starts_with(delete_prefix) || key.starts_with(order_prefix);
}

std::string_view directive_of(const Value& value) {
  const auto* found = value.find(patch_key);
  const auto* text = found != nullptr ? found->if_string() : nullptr;
  return text != nullptr ? std::string_view(*text) : "";
}

// A value new to the target: directives and nulls mean nothing there.
Value without_directives(const Value& value) {
  if (const auto* map = value.if_map()) {
    Map kept;
    for (const auto& [key, member] : *map) {
      if (!is_directive(key) && !member.is_null()) kept.append(key, without_directives(member));
    }
    return kept;
  }
  if (const auto* list = value.if_list()) {
    List kept;
    for (const auto& item : *list) {
      auto directive = directive_of(item);
      if (directive == "delete" || (directive == "replace" && item.if_map()->size() == 1)) continue;
      kept.push_back(without_directives(item));
    }
    return kept;
  }
  return value;
}

// How items of one list are told apart: by the merge key, or by the whole value.
struct Identity {
  std::string_view key;
  bool same(const Value& a, const Value& b) const {
    if (key.empty()) return a == b;
    const auto *x = a.find(key), *y = b.find(key);
    return x != nullptr && y != nullptr && *x == *y;
  }
  // Equal for items that are the same; "" for an item without the key, which is like no other.
  std::string text(const Value& item) const {
    if (key.empty()) return print_json(item);
    const auto* found = item.find(key);
    return found != nullptr ? print_json(*found) : "";
  }
};

// Positions of items in a list, each first one.
class Places {
 public:
  Places(const List& list, Identity identity) : identity_(identity) {
    for (std::size_t i = 0; i < list.size(); ++i) places_.try_emplace(identity.text(list[i]), i);
  }
  std::ptrdiff_t of(const Value& item) const {
    auto text = identity_.text(item);
    auto found = places_.find(text);
    return text.empty() || found == places_.end() ? -1 : static_cast<std::ptrdiff_t>(found->second);
  }

 private:
  Identity identity_;
  std::unordered_map<std::string, std::size_t> places_;
};

// Items named in `order` stand in that order; the others keep their place among them as they stood before.
List in_order(List merged, const List& order, const List& before, Identity identity) {
  struct Placed {
    std::ptrdiff_t ordered, old;
    Value item;
  };
  Places ordered(order, identity), old(before, identity);
  std::vector<Placed> named, others;
  for (auto& item : merged) {
    auto wanted = ordered.of(item), was = old.of(item);
    (wanted >= 0 ? named : others).push_back({wanted, was, std::move(item)});
  }
  std::stable_sort(named.begin(), named.end(), [](const Placed& a, const Placed& b) { return a.ordered < b.ordered; });
  std::stable_sort(others.begin(), others.end(), [](const Placed& a, const Placed& b) { return a.old < b.old; });
  List result;
  result.reserve(named.size() + others.size());
  std::size_t i = 0, j = 0;
  while (i < others.size() || j < named.size()) {
    bool other_next = j >= named.size();
    if (!other_next && i < others.size())
      other_next = others[i].old >= 0 && named[j].old >= 0 && others[i].old < named[j].old;
    result.push_back(std::move(other_next ? others[i++].item : named[j++].item));
  }
  return result;
}

bool holds_maps(const List& a, const List& b) {
  const auto* first = !a.empty() ? &a.front() : !b.empty() ? &b.front() : nullptr;
  return first != nullptr && first->is_map();
}

Result<> merge_map(Map& target, const Map& patch, const MergeSchema* schema);

Result<> merge_items(List& target, const List& patch, const MergeSchema* schema, Identity identity) {
  List before = target;
  List plain;  // the patch without its directive items
  bool replace = false;
  for (const auto& item : patch) {
    auto directive = directive_of(item);
    if (!item.is_map()) return fail(Kind::invalid, "an item of the list is a {}, want a map", to_string(item.type()));
    if (directive.empty()) {
      plain.push_back(item);
    } else if (directive == "delete") {
      if (item.find(identity.key) == nullptr)
        return fail(Kind::invalid, "$patch: delete needs the merge key '{}'", identity.key);
      std::erase_if(target, [&](const Value& there) { return identity.same(there, item); });
    } else if (directive == "replace") {
      replace = true;
    } else {
      return fail(Kind::invalid, "$patch: '{}' in a list, want delete or replace", directive);
    }
  }
  if (replace) {
    target = *without_directives(Value(std::move(plain))).if_list();
    return {};
  }
  Places places(target, identity);
  std::vector<const Value*> added;
  for (const auto& item : plain) {
    if (item.find(identity.key) == nullptr) {
      return fail(Kind::invalid, "{} does not contain the merge key '{}'", print_json(item), identity.key);
    }
    if (auto i = places.of(item); i >= 0) {
      auto* there = target[static_cast<std::size_t>(i)].if_map();
      if (there == nullptr) return fail(Kind::invalid, "an item of the list is no map");
      TRY_OK(merge_map(*there, *item.if_map(), schema));
    } else {
      added.push_back(&item);
    }
  }
  Map seen;  // an item that the patch names twice is added once, with both changes
  for (const auto* item : added) {
    auto text = identity.text(*item);
    if (const auto* place = seen.find(text)) {
      TRY_OK(merge_map(*target[static_cast<std::size_t>(*place->if_int())].if_map(), *item->if_map(), schema));
      continue;
    }
    seen.set(text, Value(static_cast<std::int64_t>(target.size())));
    target.push_back(without_directives(*item));
  }
  target = in_order(std::move(target), plain, before, identity);
  return {};
}

Result<> merge_list(List& target, const List& patch, const MergeSchema* schema) {
  if (schema == nullptr || !schema->patch_merge()) {
    target = *without_directives(Value(patch)).if_list();
    return {};
  }
  if (holds_maps(target, patch)) {
    if (schema->patch_merge_key().empty())
      return fail(Kind::invalid, "the list merges but its kind names no merge key");
    return merge_items(target, patch, schema->element(), {schema->patch_merge_key()});
  }
  List before = target;
  Identity whole{""};
  Places places(target, whole);
  Map seen;
  for (const auto& item : patch) {
    auto text = whole.text(item);
    if (places.of(item) >= 0 || seen.contains(text)) continue;
    seen.append(std::move(text), Value());
    target.push_back(item);
  }
  target = in_order(std::move(target), patch, before, whole);
  return {};
}

Result<> retain_keys(Map& target, const Map& patch) {
  const auto* directive = patch.find(retain_key);
  if (directive == nullptr) return {};
  const auto* keys = directive->if_list();
  if (keys == nullptr) return fail(Kind::invalid, "$retainKeys wants a list");
  auto listed = [&](const std::string& key) {
    return std::any_of(keys->begin(), keys->end(),
                       [&](const Value& k) { return k.is_string() && *k.if_string() == key; });
  };
  for (const auto& [key, value] : patch) {
    if (!is_directive(key) && !value.is_null() && !listed(key)) {
      return fail(Kind::invalid, "the patch sets '{}', which its $retainKeys does not list", key);
    }
  }
  std::vector<std::string> gone;
  for (const auto& [key, value] : target) {
    if (!listed(key)) gone.push_back(key);
  }
  for (const auto& key : gone) target.erase(key);
  return {};
}

Result<> delete_items(Map& target, std::string_view field, const Value& items) {
  const auto* gone = items.if_list();
  if (gone == nullptr) return fail(Kind::invalid, "{}{} wants a list", delete_prefix, field);
  auto* there = target.find(field);
  if (there == nullptr || !there->is_list()) return {};
  std::erase_if(*there->if_list(),
                [&](const Value& item) { return std::find(gone->begin(), gone->end(), item) != gone->end(); });
  return {};
}

Result<> set_order(Map& target, std::string_view field, const Value& order, const List& before,
                   const MergeSchema* schema) {
  const auto* wanted = order.if_list();
  if (wanted == nullptr) return fail(Kind::invalid, "{}{} wants a list", order_prefix, field);
  auto* there = target.find(field);
  if (there == nullptr || !there->is_list()) return {};
  const auto* list_schema = schema != nullptr ? schema->member(field) : nullptr;
  auto& list = *there->if_list();
  Identity identity{holds_maps(list, *wanted) && list_schema != nullptr ? list_schema->patch_merge_key() : ""};
  list = in_order(std::move(list), *wanted, before, identity);
  return {};
}

Result<> merge_member(Map& target, const std::string& key, const Value& change, const MergeSchema* schema) {
  if (change.is_null()) {
    target.erase(key);
    return {};
  }
  auto* there = target.find(key);
  if (there == nullptr || there->type() != change.type()) {
    target.set(key, without_directives(change));
    return {};
  }
  const auto* below = schema == nullptr ? nullptr : schema->member(key) != nullptr ? schema->member(key) : nullptr;
  if (auto* map = there->if_map()) {
    TRY_OK_IN(key, merge_map(*map, *change.if_map(), below));
  } else if (auto* list = there->if_list()) {
    TRY_OK_IN(key, merge_list(*list, *change.if_list(), below));
  } else {
    *there = change;
  }
  return {};
}

Result<> merge_map(Map& target, const Map& patch, const MergeSchema* schema) {
  if (const auto* directive = patch.find(patch_key)) {
    const auto* text = directive->if_string();
    if (text != nullptr && *text == "replace") {
      target = *without_directives(Value(patch)).if_map();
      return {};
    }
    if (text != nullptr && *text == "delete") {
      target.clear();
      return {};
    }
    if (text == nullptr || *text != "merge") {
      return fail(Kind::invalid, "$patch: {}, want replace, delete or merge", print_json(*directive));
    }
  }
  TRY_OK(retain_keys(target, patch));
  std::vector<std::tuple<std::string, const Value*, List>> orders;
  for (const auto& [key, change] : patch) {
    if (!key.starts_with(order_prefix)) continue;
    auto field = key.substr(order_prefix.size());
    const auto* there = target.find(field);
    orders.emplace_back(field, &change, there != nullptr && there->is_list() ? *there->if_list() : List());
  }
  for (const auto& [key, change] : patch) {
    if (key.starts_with(delete_prefix)) {
      TRY_OK(delete_items(target, std::string_view(key).substr(delete_prefix.size()), change));
    } else if (!is_directive(key)) {
      TRY_OK(merge_member(target, key, change, schema));
    }
  }
  for (const auto& [field, order, before] : orders) {
    TRY_OK(set_order(target, field, *order, before, schema));
  }
  return {};
}

}  // namespace

Result<Value> strategic_merge(const Value& target, const Value& patch, const MergeSchema* schema) {
  const auto* changes = patch.if_map();
  if (changes == nullptr)
    return fail(Kind::invalid, "a strategic merge patch is a map, got a {}", to_string(patch.type()));
  Value merged = target.is_map() ? target : Value(Map());
  TRY_OK(merge_map(*merged.if_map(), *changes, schema));
  return merged;
}

}  // namespace slipway::doc
