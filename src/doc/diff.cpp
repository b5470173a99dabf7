// Differences of documents, value by value.
#include <algorithm>

#include "doc/patch.h"

namespace slipway::doc {
namespace {

std::string step(std::string_view key) {
  bool plain = !key.empty() && key.find_first_of(".[]\"' ") == std::string_view::npos;
  return plain ? fmt::format(".{}", key) : fmt::format("[\"{}\"]", key);
}

const std::string* name_of(const Value& item) {
  const auto* name = item.find("name");
  return name != nullptr ? name->if_string() : nullptr;
}

bool all_named(const List& list) {
  return !list.empty() &&
         std::all_of(list.begin(), list.end(), [](const Value& item) { return name_of(item) != nullptr; });
}

class Differ {
 public:
  explicit Differ(std::vector<Change>& out) : out_(out) {}

  void compare(const std::string& path, const Value& before, const Value& after) {
    const auto *a_map = before.if_map(), *b_map = after.if_map();
    const auto *a_list = before.if_list(), *b_list = after.if_list();
    if (a_map != nullptr && b_map != nullptr) {
      maps(path, *a_map, *b_map);
    } else if (a_list != nullptr && b_list != nullptr) {
      if ((all_named(*a_list) || a_list->empty()) && (all_named(*b_list) || b_list->empty())) {
        named(path, *a_list, *b_list);
      } else {
        positions(path, *a_list, *b_list);
      }
    } else if (!(before == after)) {
      out_.push_back({path.empty() ? "." : path, before, after});
    }
  }

 private:
  void maps(const std::string& path, const Map& before, const Map& after) {
    for (const auto& [key, value] : before) {
      const auto* now = after.find(key);
      if (now == nullptr) {
        out_.push_back({path + step(key), value, Value()});
      } else {
        compare(path + step(key), value, *now);
      }
    }
    for (const auto& [key, value] : after) {
      if (!before.contains(key)) out_.push_back({path + step(key), Value(), value});
    }
  }

  void named(const std::string& path, const List& before, const List& after) {
    Map places;  // name to position in `after`; a repeated name goes by its first
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (!places.contains(*name_of(after[i]))) places.set(*name_of(after[i]), Value(static_cast<std::int64_t>(i)));
    }
    std::vector<bool> met(after.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      const auto* place = places.find(*name_of(before[i]));
      auto at = place != nullptr ? static_cast<std::size_t>(*place->if_int()) : 0;
      if (place == nullptr || met[at]) {
        out_.push_back({fmt::format("{}[{}]", path, i), before[i], Value()});
      } else {
        met[at] = true;
        compare(fmt::format("{}[{}]", path, at), before[i], after[at]);
      }
    }
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (!met[i]) out_.push_back({fmt::format("{}[{}]", path, i), Value(), after[i]});
    }
  }

  void positions(const std::string& path, const List& before, const List& after) {
    for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
      auto here = fmt::format("{}[{}]", path, i);
      if (i >= after.size()) {
        out_.push_back({here, before[i], Value()});
      } else if (i >= before.size()) {
        out_.push_back({here, Value(), after[i]});
      } else {
        compare(here, before[i], after[i]);
      }
    }
  }

  std::vector<Change>& out_;
};

}  // namespace

std::vector<Change> diff(const Value& before, const Value& after) {
  std::vector<Change> changes;
  Differ(changes).compare("", before, after);
  return changes;
}

}  // namespace slipway::doc
