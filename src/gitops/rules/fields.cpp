#include "gitops/rules/fields.h"

#include <algorithm>

#include "doc/view.h"

namespace slipway::gitops::rules {
namespace {

// `*` is anything, also across slashes.
bool matches_one(std::string_view pattern, std::string_view text) {
  auto star = pattern.find('*');
  if (star == pattern.npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  text.remove_prefix(star);
  pattern.remove_prefix(star + 1);
  for (std::size_t i = 0; i <= text.size(); ++i)
    if (matches_one(pattern, text.substr(i))) return true;
  return false;
}

// "type=Ready,status!=True" of an element.
bool passes(const doc::Value& element, std::string_view filter) {
  while (!filter.empty()) {
    auto end = std::min(filter.find(','), filter.size());
    auto one = filter.substr(0, end);
    filter.remove_prefix(std::min(end + 1, filter.size()));
    auto equals = one.find('=');
    if (equals == one.npos) continue;
    bool negated = equals > 0 && one[equals - 1] == '!';
    const auto* field = element.find(one.substr(0, equals - (negated ? 1 : 0)));
    bool same = field != nullptr && matches(one.substr(equals + 1), text_of(*field));
    if (same == negated) return false;
  }
  return true;
}

void walk(const doc::Value& value, std::string_view path, std::vector<const doc::Value*>& found) {
  if (path.empty()) {
    if (!value.is_null()) found.push_back(&value);
    return;
  }
  if (path.front() == '[') {
    auto close = path.find(']');
    auto filter = path.substr(1, close - 1), rest = path.substr(close + 1);
    auto enter = [&](const doc::Value& element) {
      if (passes(element, filter)) walk(element, rest, found);
    };
    if (const auto* list = value.if_list())
      for (const auto& element : *list) enter(element);
    else if (const auto* map = value.if_map())
      for (const auto& [key, element] : *map) enter(element);
    return;
  }
  path.remove_prefix(1);
  auto end = std::min(path.find_first_of(".["), path.size());
  if (const auto* child = value.find(path.substr(0, end))) walk(*child, path.substr(end), found);
}

}  // namespace

std::vector<const doc::Value*> at(const doc::Value& root, std::string_view path) {
  std::vector<const doc::Value*> found;
  walk(root, path, found);
  return found;
}

std::string text_of(const doc::Value& value) {
  // Controllers of other languages write a condition's status as a boolean.
  if (const auto* flag = value.if_bool()) return *flag ? "True" : "False";
  return doc::View(value).text();
}

bool matches(std::string_view words, std::string_view text) {
  while (true) {
    auto end = words.find('|');
    if (matches_one(words.substr(0, end), text)) return true;
    if (end == words.npos) return false;
    words.remove_prefix(end + 1);
  }
}

std::string first_text(const doc::Value& root, std::string_view path) {
  for (const auto* value : at(root, path))
    if (auto text = text_of(*value); !text.empty()) return text;
  return {};
}

}  // namespace slipway::gitops::rules
