#include "base/text.h"
#include "cluster/api/table.h"
#include "doc/view.h"

namespace slipway::cluster {
namespace {

using Values = std::vector<const doc::Value*>;

Values members(const Values& at, std::string_view key) {
  Values out;
  for (const auto* v : at)
    if (const auto* m = v->find(key)) out.push_back(m);
  return out;
}
Values elements(const Values& at) {
  Values out;
  for (const auto* v : at) {
    if (const auto* list = v->if_list())
      for (const auto& item : *list) out.push_back(&item);
    if (const auto* map = v->if_map())
      for (const auto& [key, item] : *map) out.push_back(&item);
  }
  return out;
}

std::string_view unquoted(std::string_view text) {
  text = trim(text);
  bool quoted = text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0];
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// ?(@.type=="Ready")
Values filtered(const Values& at, std::string_view condition) {
  bool equal = condition.find("==") != std::string_view::npos;
  auto sides = cut(condition, equal ? "==" : "!=");
  Values out;
  for (const auto* item : elements(at)) {
    auto left = trim(sides ? sides->first : condition);
    if (left.starts_with("@")) left.remove_prefix(1);
    auto found = json_path(*item, left);
    if (!sides) {
      if (!found.empty()) out.push_back(item);
      continue;
    }
    bool same = !found.empty() && doc::View(found[0]).text() == unquoted(sides->second);
    if (same == equal) out.push_back(item);
  }
  return out;
}

Values bracket(const Values& at, std::string_view inner) {
  inner = trim(inner);
  if (inner == "*") return elements(at);
  if (inner.starts_with("?(") && inner.ends_with(")")) return filtered(at, inner.substr(2, inner.size() - 3));
  if (auto index = to_int(inner)) {
    Values out;
    for (const auto* v : at) {
      const auto* list = v->if_list();
      if (list == nullptr) continue;
      auto size = static_cast<std::int64_t>(list->size());
      auto i = *index < 0 ? size + *index : *index;
      if (i >= 0 && i < size) out.push_back(&(*list)[static_cast<std::size_t>(i)]);
    }
    return out;
  }
  return members(at, unquoted(inner));
}

}  // namespace

std::vector<doc::Value> json_path(const doc::Value& root, std::string_view path) {
  Values at{&root};
  for (std::size_t i = 0; i < path.size() && !at.empty();) {
    if (path[i] == '[') {
      auto end = i + 1;
      int depth = 1;
      char quote = 0;
      for (; end < path.size(); ++end) {
        if (quote != 0)
          quote = path[end] == quote ? 0 : quote;
        else if (path[end] == '"' || path[end] == '\'')
          quote = path[end];
        else if (path[end] == '[')
          ++depth;
        else if (path[end] == ']' && --depth == 0)
          break;
      }
      at = bracket(at, path.substr(i + 1, end - i - 1));
      i = end + 1;
      continue;
    }
    if (path[i] == '.') ++i;
    std::string key;
    for (; i < path.size() && path[i] != '.' && path[i] != '['; ++i) {
      if (path[i] == '\\' && i + 1 < path.size()) ++i;
      key += path[i];
    }
    if (key == "*")
      at = elements(at);
    else if (!key.empty())
      at = members(at, key);
  }
  std::vector<doc::Value> out;
  for (const auto* v : at) out.push_back(*v);
  return out;
}

}  // namespace slipway::cluster
