// What an apply would find nothing to do about, read from managedFields.
#include <algorithm>

#include "doc/json.h"
#include "kube/apply.h"

namespace slipway::kube {
namespace {

// The server's own part of an object, which no manager owns.
bool is_identity(std::string_view key, bool root) {
  return root ? key == "apiVersion" || key == "kind" : key == "name" || key == "namespace" || key == "generateName";
}

class Walk {
 public:
  bool root(const doc::Value& applied, const doc::Value& live, const doc::Value& owned) {
    return map(applied, live, owned, Level::root);
  }

 private:
  enum class Level { root, metadata, below };

  static std::size_t children(const doc::Value& owned) {
    const auto* map = owned.if_map();
    return map == nullptr ? 0 : map->size() - (map->contains(".") ? 1 : 0);
  }

  bool value(const doc::Value& applied, const doc::Value& live, const doc::Value& owned) {
    if (children(owned) == 0) return applied == live;
    if (applied.is_map()) return map(applied, live, owned, Level::below);
    return applied.is_list() && list(*applied.if_list(), live, owned);
  }

  bool map(const doc::Value& applied, const doc::Value& live, const doc::Value& owned, Level level) {
    if (!applied.is_map() || !live.is_map()) return false;
    std::size_t count = 0;
    std::string name;
    for (const auto& [key, wanted] : *applied.if_map()) {
      if (level != Level::below && is_identity(key, level == Level::root)) {
        const auto* have = live.find(key);
        if (have == nullptr || *have != wanted) return false;
        continue;
      }
      const auto* there = live.find(key);
      if (there == nullptr || wanted.is_null()) return false;
      name.assign("f:").append(key);
      const auto* below = owned.find(name);
      bool metadata = level == Level::root && key == "metadata";
      if (metadata && below == nullptr) {
        static const doc::Value nothing{doc::Map{}};
        if (!map(wanted, *there, nothing, Level::metadata)) return false;
        continue;
      }
      if (below == nullptr) return false;
      if (!(metadata ? map(wanted, *there, *below, Level::metadata) : value(wanted, *there, *below))) return false;
      ++count;
    }
    return count == children(owned);
  }

  // Items by their keys, k:{"name":"web"}, or themselves, v:"a". They must stand in the order in which they are
  // applied.
  bool list(const doc::List& applied, const doc::Value& live, const doc::Value& owned) {
    if (!live.is_list() || children(owned) != applied.size()) return false;
    const auto& have = *live.if_list();
    std::size_t next = 0;
    std::vector<bool> used(owned.if_map()->size());
    for (const auto& item : applied) {
      std::size_t at = 0, chosen = used.size();
      doc::Value keys, named;
      for (const auto& [key, below] : *owned.if_map()) {
        if (names(key, item, named)) {
          if (chosen != used.size()) return false;  // which one it means is the server's to say
          chosen = at, keys = std::move(named);
        }
        ++at;
      }
      if (chosen == used.size() || used[chosen]) return false;
      used[chosen] = true;
      while (next < have.size() && !(keys.is_null() ? have[next] == item : has_keys(have[next], keys))) ++next;
      if (next == have.size()) return false;
      const auto& below = (owned.if_map()->begin() + static_cast<std::ptrdiff_t>(chosen))->second;
      if (!keys.is_null() && !value(item, have[next], below)) return false;
      ++next;
    }
    return true;
  }

  // Whether a key of fieldsV1 means this item; `keys` gets what it says, nothing for a value. A key that the item does
  // not have is one that the server fills in.
  static bool names(const std::string& key, const doc::Value& item, doc::Value& keys) {
    auto text = std::string_view(key).substr(std::min<std::size_t>(2, key.size()));
    if (key.starts_with("v:")) {
      keys = {};
      auto value = doc::parse_json(text);
      return value && *value == item;
    }
    if (!key.starts_with("k:") || !item.is_map()) return false;
    auto parsed = doc::parse_json(text);
    if (!parsed || !parsed->is_map()) return false;
    std::size_t present = 0;
    for (const auto& [name, wanted] : *parsed->if_map()) {
      const auto* have = item.find(name);
      if (have == nullptr) continue;
      if (*have != wanted) return false;
      ++present;
    }
    if (present == 0) return false;
    keys = *std::move(parsed);
    return true;
  }
  static bool has_keys(const doc::Value& item, const doc::Value& keys) {
    return std::all_of(keys.if_map()->begin(), keys.if_map()->end(), [&](const auto& entry) {
      const auto* have = item.find(entry.first);
      return have != nullptr && *have == entry.second;
    });
  }
};

}  // namespace

bool changes_nothing(const doc::Value& applied, const doc::Value& live, std::string_view manager) {
  const auto* entries = live.find_path({"metadata", "managedFields"});
  if (entries == nullptr || !entries->is_list()) return false;
  for (const auto& entry : *entries->if_list()) {
    if (entry.str_at({"manager"}) != manager || entry.str_at({"operation"}) != "Apply" ||
        !entry.str_at({"subresource"}).empty())
      continue;
    const auto* owned = entry.find("fieldsV1");
    return owned != nullptr && owned->is_map() && entry.str_at({"apiVersion"}) == applied.str_at({"apiVersion"}) &&
           Walk().root(applied, live, *owned);
  }
  return false;
}

}  // namespace slipway::kube
