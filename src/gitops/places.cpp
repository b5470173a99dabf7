#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "gitops/detail/places.h"

namespace slipway::gitops::detail {
namespace {

struct Window {
  std::size_t from, to;
};

// jq's paths, resolved against a document: places that are not there are left out.
struct Resolver {
  const std::vector<doc::View>& steps;
  std::vector<Place>& found;

  Result<> below(const doc::Value& node, std::size_t step, const Place& here, std::optional<Window> window);
  Result<> by_index(const doc::Value& node, std::size_t step, Place here, Window window);
  Result<> by_slice(const doc::Value& node, std::size_t step, const Place& here, Window window);
};

Result<> Resolver::by_index(const doc::Value& node, std::size_t step, Place here, Window window) {
  TRY(auto number, steps[step].real());
  auto size = static_cast<double>(window.to - window.from);
  auto index = std::floor(number < 0 ? number + size : number);
  if (!(index >= 0 && index < size)) return {};
  auto place = window.from + static_cast<std::size_t>(index);
  here.emplace_back(place);
  return below((*node.if_list())[place], step + 1, here, std::nullopt);
}

Result<> Resolver::by_slice(const doc::Value& node, std::size_t step, const Place& here, Window window) {
  auto size = static_cast<double>(window.to - window.from);
  auto bound = [&](doc::View view, double fallback) {
    auto n = view.real_or(fallback);
    return std::clamp(n < 0 ? n + size : n, 0.0, size);
  };
  auto first = static_cast<std::size_t>(std::floor(bound(steps[step]["start"], 0)));
  auto last = static_cast<std::size_t>(std::ceil(bound(steps[step]["end"], size)));
  return below(node, step + 1, here, Window{window.from + std::min(first, last), window.from + last});
}

Result<> Resolver::below(const doc::Value& node, std::size_t step, const Place& here, std::optional<Window> window) {
  if (step == steps.size()) {
    if (!window) {
      found.push_back(here);
      return {};
    }
    for (auto i = window->from; i < window->to; ++i) {
      found.push_back(here);
      found.back().emplace_back(i);
    }
    return {};
  }
  const auto& key = steps[step].value();
  if (key.is_string()) {
    const auto* value = node.find(*key.if_string());
    if (value == nullptr) return {};
    auto place = here;
    place.emplace_back(*key.if_string());
    return below(*value, step + 1, place, std::nullopt);
  }
  if (!key.is_number() && !key.is_map()) return fail(Kind::invalid, "{} is no path", doc::print_json(key));
  if (!node.is_list()) return {};
  auto whole = window.value_or(Window{0, node.if_list()->size()});
  return key.is_map() ? by_slice(node, step, here, whole) : by_index(node, step, here, whole);
}

void tidy(std::vector<Place>& places) {
  std::sort(places.begin(), places.end());
  auto is_below = [](const Place& above, const Place& place) {
    return above.size() <= place.size() && std::equal(above.begin(), above.end(), place.begin());
  };
  std::vector<Place> kept;
  for (auto& place : places)  // what is above another comes before it, with nothing between that is not below as well
    if (kept.empty() || !is_below(kept.back(), place)) kept.push_back(std::move(place));
  places = std::move(kept);
}

// What Kubernetes' lists of maps are keyed by.
constexpr std::string_view names[] = {"name", "key", "id",   "containerPort", "port",        "devicePath", "mountPath",
                                      "host", "ip",  "type", "uid",           "topologyKey", "path"};

std::optional<std::size_t> twin(const doc::List& from, std::size_t index, const doc::List& to) {
  const auto& item = from[index];
  auto same = [&](auto like) -> std::optional<std::size_t> {
    auto found = std::find_if(to.begin(), to.end(), like);
    return found == to.end() ? std::nullopt : std::optional<std::size_t>(found - to.begin());
  };
  if (item.is_map()) {
    for (auto name : names) {
      const auto* mine = item.find(name);
      if (mine == nullptr || mine->is_map() || mine->is_list() || mine->is_null()) continue;
      return same([&](const doc::Value& other) {
        const auto* theirs = other.find(name);
        return theirs != nullptr && *theirs == *mine;
      });
    }
  }
  if (from.size() == to.size()) return index;
  return item.is_map() || item.is_list() ? std::nullopt : same([&](const doc::Value& other) { return other == item; });
}

}  // namespace

const doc::Value* at(const doc::Value& root, const Place& place) {
  const auto* node = &root;
  for (const auto& step : place) {
    if (const auto* key = std::get_if<std::string>(&step)) {
      node = node->find(*key);
    } else {
      auto index = std::get<std::size_t>(step);
      const auto* list = node->if_list();
      node = list != nullptr && index < list->size() ? &(*list)[index] : nullptr;
    }
    if (node == nullptr) return nullptr;
  }
  return node;
}

doc::Value* at(doc::Value& root, const Place& place) {
  return const_cast<doc::Value*>(at(static_cast<const doc::Value&>(root), place));
}

Result<std::vector<Place>> places_of_pointer(const doc::Value& root, std::string_view pointer) {
  if (!pointer.starts_with('/')) return fail(Kind::invalid, "want a JSON pointer, such as /spec/replicas");
  Place place;
  const auto* node = &root;
  for (auto part : split(pointer.substr(1), '/')) {
    auto key = replace_all(replace_all(std::string(part), "~1", "/"), "~0", "~");
    auto index = to_int(key);
    if (node->is_list() && index && *index >= 0)
      place.emplace_back(static_cast<std::size_t>(*index));
    else
      place.emplace_back(std::move(key));
    node = at(root, place);
    if (node == nullptr) return std::vector<Place>();
  }
  return std::vector<Place>{std::move(place)};
}

Result<std::vector<Place>> places_of_paths(const doc::Value& root, const doc::Value& paths) {
  if (!paths.is_list()) return fail(Kind::invalid, "want a list of paths");
  std::vector<Place> found;
  for (const auto& path : doc::View(paths).items()) {
    if (!path.value().is_list()) return fail(Kind::invalid, "{} is no path", doc::print_json(path.value()));
    auto steps = path.items();
    TRY_OK(Resolver{steps, found}.below(root, 0, {}, std::nullopt));
  }
  tidy(found);
  return found;
}

std::optional<Place> counterpart(const doc::Value& from, const Place& place, const doc::Value& to) {
  Place out;
  const auto *here = &from, *there = &to;
  for (const auto& step : place) {
    if (const auto* key = std::get_if<std::string>(&step)) {
      out.emplace_back(*key);
      here = here->find(*key), there = there->find(*key);
    } else {
      const auto *mine = here->if_list(), *theirs = there->if_list();
      if (mine == nullptr || theirs == nullptr) return std::nullopt;
      auto index = std::get<std::size_t>(step);
      auto other = twin(*mine, index, *theirs);
      if (!other) return std::nullopt;
      out.emplace_back(*other);
      here = &(*mine)[index], there = &(*theirs)[*other];
    }
    if (here == nullptr || there == nullptr) return std::nullopt;
  }
  return out;
}

void erase(doc::Value& root, const Place& place) {
  auto* parent = at(root, Place(place.begin(), place.end() - 1));
  if (parent == nullptr) return;
  if (const auto* key = std::get_if<std::string>(&place.back())) {
    if (auto* map = parent->if_map()) map->erase(*key);
  } else if (auto* list = parent->if_list()) {
    auto index = std::get<std::size_t>(place.back());
    if (index < list->size()) list->erase(list->begin() + static_cast<std::ptrdiff_t>(index));
  }
}

void insert(doc::Value& root, const Place& place, doc::Value value) {
  auto* parent = at(root, Place(place.begin(), place.end() - 1));
  if (parent == nullptr) return;
  if (const auto* key = std::get_if<std::string>(&place.back())) {
    if (auto* map = parent->if_map()) map->set(*key, std::move(value));
  } else if (auto* list = parent->if_list()) {
    auto index = std::min(std::get<std::size_t>(place.back()), list->size());
    list->insert(list->begin() + static_cast<std::ptrdiff_t>(index), std::move(value));
  }
}

}  // namespace slipway::gitops::detail
