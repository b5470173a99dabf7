#include "kube/detail/fields.h"

#include "doc/json.h"

namespace slipway::kube {
namespace detail {
namespace {

const doc::MergeSchema* member_of(const doc::MergeSchema* schema, std::string_view key) {
  return schema != nullptr ? schema->member(key) : nullptr;
}

using Index = std::vector<std::pair<std::string, const doc::Value*>>;
Result<Index> index(const doc::List& items, const doc::MergeSchema& schema) {
  Index out;
  out.reserve(items.size());
  for (const auto& item : items) {
    TRY(auto key, item_key(item, schema));
    out.emplace_back(std::move(key), &item);
  }
  return out;
}
const doc::Value* find(const Index& index, std::string_view key) {
  for (const auto& [k, v] : index)
    if (k == key) return v;
  return nullptr;
}

// Every path of a value that came or went whole.
Result<> whole(const doc::Value& value, const doc::MergeSchema* schema, FieldSet& out) {
  if (!granular(value, schema)) {
    out.member = true;
    return {};
  }
  if (const auto* map = value.if_map()) {
    for (const auto& [key, child] : *map) TRY_OK(whole(child, member_of(schema, key), out.children["f:" + key]));
    // A string map and an empty object are owned as such too.
    if (map->empty() || (schema != nullptr && schema->element() != nullptr)) out.member = true;
    return {};
  }
  TRY(auto items, index(*value.if_list(), *schema));
  if (items.empty()) out.member = true;
  for (const auto& [key, item] : items) {
    auto& child = out.children[key];
    TRY_OK(whole(*item, schema->element(), child));
    child.member = true;
  }
  return {};
}

// The node of a path in one of the three sets is made only when something is put there.
struct Cursor {
  Comparison* out;
  std::vector<std::string> path;
  FieldSet& at(FieldSet& root) const {
    FieldSet* set = &root;
    for (const auto& key : path) set = &set->children[key];
    return *set;
  }
};

Result<> walk(const doc::Value* before, const doc::Value* after, const doc::MergeSchema* schema, Cursor& cursor);

Result<> step(const doc::Value* before, const doc::Value* after, const doc::MergeSchema* schema, Cursor& cursor,
              std::string key, bool item) {
  cursor.path.push_back(std::move(key));
  Result<> result;
  if (before != nullptr && after != nullptr) {
    result = walk(before, after, schema, cursor);
  } else {
    auto& set = cursor.at(before == nullptr ? cursor.out->added : cursor.out->removed);
    result = whole(before == nullptr ? *after : *before, schema, set);
    set.member |= item;
  }
  cursor.path.pop_back();
  return result;
}

Result<> walk(const doc::Value* before, const doc::Value* after, const doc::MergeSchema* schema, Cursor& cursor) {
  if (*before == *after) return {};
  if (before->type() != after->type() || !granular(*after, schema)) {
    cursor.at(cursor.out->modified).member = true;
    return {};
  }
  if (const auto* now = after->if_map()) {
    for (const auto& [key, value] : *now)
      TRY_OK(step(before->find(key), &value, member_of(schema, key), cursor, "f:" + key, false));
    for (const auto& [key, value] : *before->if_map())
      if (!now->contains(key)) TRY_OK(step(&value, nullptr, member_of(schema, key), cursor, "f:" + key, false));
    return {};
  }
  TRY(auto was, index(*before->if_list(), *schema));
  TRY(auto is, index(*after->if_list(), *schema));
  for (const auto& [key, item] : is) TRY_OK(step(find(was, key), item, schema->element(), cursor, key, true));
  for (const auto& [key, item] : was)
    if (find(is, key) == nullptr) TRY_OK(step(item, nullptr, schema->element(), cursor, key, true));
  return {};
}

Result<doc::Value> merge_lists(const doc::List& live, const doc::List& applied, const doc::MergeSchema& schema) {
  TRY(auto have, index(live, schema));
  TRY(auto want, index(applied, schema));
  doc::List out;
  std::size_t next = 0;
  auto only_live = [&](std::size_t end) {
    for (; next < end; ++next)
      if (find(want, have[next].first) == nullptr) out.push_back(*have[next].second);
  };
  for (const auto& [key, item] : want) {
    auto at = std::find_if(have.begin(), have.end(), [&](const auto& h) { return h.first == key; });
    if (at == have.end()) {
      // A new item stands after those that only the live list has, up to the next one both have.
      for (; next < have.size() && find(want, have[next].first) == nullptr; ++next) out.push_back(*have[next].second);
      out.push_back(*item);
      continue;
    }
    auto place = static_cast<std::size_t>(at - have.begin());
    only_live(place);
    next = std::max(next, place + 1);
    TRY(auto merged, merge(*at->second, *item, schema.element()));
    out.push_back(std::move(merged));
  }
  only_live(have.size());
  return out;
}

}  // namespace

bool granular(const doc::Value& value, const doc::MergeSchema* schema) {
  if (value.is_map()) return schema == nullptr || !schema->atomic_map();
  if (value.is_list()) return schema != nullptr && schema->list_type() != ListType::atomic;
  return false;
}

Result<std::string> item_key(const doc::Value& item, const doc::MergeSchema& list) {
  if (list.list_type() == ListType::set) return "v:" + doc::print_json(item);
  doc::Map keys;
  for (const auto& name : list.map_keys()) {
    const auto* value = item.find(name);
    if (value != nullptr && !value->is_null()) keys.set(name, *value);
    // The one key with a default among the built-in kinds.
    else if (name == "protocol")
      keys.set(name, "TCP");
    else if (list.map_keys().size() == 1 || name != list.map_keys().back())
      return fail(Kind::invalid, "an item of a list with keys omits its key field \"{}\"", name);
  }
  keys.sort_keys();
  return "k:" + doc::print_json(keys);
}

Result<Comparison> compare(const doc::Value* before, const doc::Value* after, const doc::MergeSchema* schema) {
  static const doc::Value nothing = doc::Map{};
  Comparison out;
  Cursor cursor{&out, {}};
  TRY_OK(walk(before != nullptr ? before : &nothing, after != nullptr ? after : &nothing, schema, cursor));
  return out;
}

Result<doc::Value> merge(const doc::Value& live, const doc::Value& applied, const doc::MergeSchema* schema) {
  if (live.type() != applied.type() || !granular(applied, schema)) return applied;
  if (const auto* list = applied.if_list()) return merge_lists(*live.if_list(), *list, *schema);
  doc::Value out = live;
  for (const auto& [key, value] : *applied.if_map()) {
    const auto* there = live.find(key);
    if (there == nullptr) {
      out.map().set(key, value);
      continue;
    }
    TRY(auto merged, merge(*there, value, member_of(schema, key)));
    out.map().set(key, std::move(merged));
  }
  return out;
}

void prune(doc::Value& value, const FieldSet& last, const FieldSet& owned, const doc::MergeSchema* schema) {
  static const FieldSet nobody;
  if (!granular(value, schema)) return;
  auto drop = [&](doc::Value& child, const std::string& key, const doc::MergeSchema* child_schema) {
    auto was = last.children.find(key);
    if (was == last.children.end()) return false;
    auto is = owned.children.find(key);
    const auto& mine = is == owned.children.end() ? nobody : is->second;
    // A field that the kind declares goes whole, with what the server filled in below it (a probe's periods); the key
    // of a string map is a member itself.
    bool declared = key.starts_with("f:") && child_schema != nullptr && schema->element() == nullptr;
    if ((was->second.member || declared) && mine.empty()) return true;
    bool had = (child.is_map() && !child.if_map()->empty()) || (child.is_list() && !child.if_list()->empty());
    prune(child, was->second, mine, child_schema);
    bool empty = (child.is_map() && child.if_map()->empty()) || (child.is_list() && child.if_list()->empty());
    return had && empty && mine.empty();
  };
  if (value.is_map()) {
    std::vector<std::string> gone;
    for (auto& [key, child] : value.map())
      if (drop(child, "f:" + key, member_of(schema, key))) gone.push_back(key);
    for (const auto& key : gone) value.map().erase(key);
    return;
  }
  auto& items = value.list();
  std::erase_if(items, [&](doc::Value& item) {
    auto key = item_key(item, *schema);
    return key && drop(item, *key, schema->element());
  });
}

}  // namespace detail

namespace {

Result<> fields_into(const doc::Value& value, const doc::MergeSchema* schema, FieldSet& out) {
  if (!detail::granular(value, schema)) {
    out.member = true;
    return {};
  }
  if (const auto* map = value.if_map()) {
    if (map->empty()) out.member = true;
    for (const auto& [key, child] : *map)
      TRY_OK(fields_into(child, schema != nullptr ? schema->member(key) : nullptr, out.children["f:" + key]));
    return {};
  }
  for (const auto& item : *value.if_list()) {
    TRY(auto key, detail::item_key(item, *schema));
    auto [child, fresh] = out.children.try_emplace(key);
    if (!fresh) return fail(Kind::invalid, "duplicate entries for key {}", key.substr(2));
    TRY_OK(fields_into(item, schema->element(), child->second));
    child->second.member = true;
  }
  return {};
}

}  // namespace

Result<FieldSet> fields_of(const doc::Value& value, const doc::MergeSchema* schema) {
  FieldSet out;
  TRY_OK(fields_into(value, schema, out));
  out.member = false;
  return out;
}

}  // namespace slipway::kube
