#include <algorithm>

#include "doc/json.h"
#include "kube/apply.h"

namespace slipway::kube {

void FieldSet::add(const FieldSet& other) {
  member |= other.member;
  for (const auto& [key, child] : other.children) children[key].add(child);
}

FieldSet FieldSet::minus(const FieldSet& other) const {
  FieldSet out;
  out.member = member && !other.member;
  for (const auto& [key, child] : children) {
    auto it = other.children.find(key);
    auto rest = it == other.children.end() ? child : child.minus(it->second);
    if (!rest.empty()) out.children.emplace(key, std::move(rest));
  }
  return out;
}

FieldSet FieldSet::common(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  for (const auto& [key, child] : children) {
    auto it = other.children.find(key);
    if (it == other.children.end()) continue;
    auto both = child.common(it->second);
    if (!both.empty()) out.children.emplace(key, std::move(both));
  }
  return out;
}

doc::Value FieldSet::to_doc() const {
  doc::Map out;
  // A leaf is written {}, a path that has others below it ".": {}.
  if (member && !children.empty()) out.set(".", doc::Map{});
  for (const auto& [key, child] : children) out.set(key, child.to_doc());
  return out;
}

namespace {

FieldSet read(const doc::Value& value, int depth) {
  FieldSet set;
  const auto* map = value.if_map();
  if (map == nullptr || depth > 100) return set;
  set.member = map->empty() || map->contains(".");
  for (const auto& [key, child] : *map)
    if (key.size() > 2 && key[1] == ':') set.children.emplace(key, read(child, depth + 1));
  return set;
}

std::string element(const std::string& key) {
  auto rest = std::string_view(key).substr(2);
  switch (key[0]) {
    case 'f':
      return fmt::format(".{}", rest);
    case 'v':
      return fmt::format("[={}]", rest);
    case 'i':
      return fmt::format("[{}]", rest);
    default:
      break;
  }
  auto keys = doc::parse_json(rest);
  if (!keys || !keys->is_map()) return fmt::format("[{}]", rest);
  std::string out;
  for (const auto& [name, value] : *keys->if_map())
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, doc::print_json(value));
  return "[" + out + "]";
}

void collect(const FieldSet& set, const std::string& path, std::vector<std::string>& out) {
  if (set.member && !path.empty()) out.push_back(path);
  for (const auto& [key, child] : set.children) collect(child, path + element(key), out);
}

}  // namespace

FieldSet FieldSet::from(const doc::Value& fields_v1) {
  auto set = read(fields_v1, 0);
  set.member = false;
  return set;
}

namespace {

// Whether a key of fieldsV1 means this item of a list: k:{"name":"web"}, v:"a".
bool means(std::string_view key, const doc::Value& item) {
  auto named = doc::parse_json(key.substr(2));
  if (!named) return false;
  if (key.starts_with("v:")) return *named == item;
  if (!key.starts_with("k:") || !named->is_map()) return false;
  return std::all_of(named->if_map()->begin(), named->if_map()->end(), [&](const auto& wanted) {
    const auto* have = item.find(wanted.first);
    return have != nullptr && *have == wanted.second;
  });
}

}  // namespace

doc::Value part_of(const doc::Value& value, const FieldSet& set) {
  if (set.children.empty()) return value;
  if (const auto* map = value.if_map()) {
    doc::Map out;
    for (const auto& [key, child] : *map)
      if (auto below = set.children.find("f:" + key); below != set.children.end())
        out.set(key, part_of(child, below->second));
    return out;
  }
  if (!value.is_list()) return value;
  doc::List out;
  for (const auto& item : *value.if_list()) {
    auto found = std::find_if(set.children.begin(), set.children.end(),
                              [&](const auto& child) { return means(child.first, item); });
    if (found != set.children.end()) out.push_back(part_of(item, found->second));
  }
  return out;
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collect(*this, {}, out);
  return out;
}

}  // namespace slipway::kube
