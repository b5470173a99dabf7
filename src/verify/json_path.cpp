#include "verify/json_path.h"

#include "base/text.h"

namespace slipway::verify {
namespace {

using Hits = std::vector<const doc::Value*>;

void children(const doc::Value& v, Hits& out) {
  if (const auto* list = v.if_list())
    for (const auto& item : *list) out.push_back(&item);
  if (const auto* map = v.if_map())
    for (const auto& [key, item] : *map) out.push_back(&item);
}

void descendants(const doc::Value& v, Hits& out) {
  out.push_back(&v);
  Hits below;
  children(v, below);
  for (const auto* item : below) descendants(*item, out);
}

struct Walk {
  std::string_view text;
  std::size_t at = 0;
  Hits hits;
  bool many = false;

  bool done() const { return at >= text.size(); }
  Fail wrong(std::string_view what) const {
    return fail(Kind::invalid, "JSON path \"{}\": column {}: {}", text, at + 1, what);
  }
  template <class F>
  void each(F f) {
    Hits next;
    for (const auto* v : hits) f(*v, next);
    hits = std::move(next);
  }
  void member(std::string_view name) {
    each([&](const doc::Value& v, Hits& next) {
      if (const auto* found = v.find(name)) next.push_back(found);
    });
  }
  void index(std::int64_t n) {
    each([&](const doc::Value& v, Hits& next) {
      const auto* list = v.if_list();
      if (list == nullptr) return;
      auto i = n < 0 ? n + static_cast<std::int64_t>(list->size()) : n;
      if (i >= 0 && i < static_cast<std::int64_t>(list->size())) next.push_back(&(*list)[static_cast<std::size_t>(i)]);
    });
  }
  void wildcard() {
    many = true;
    each([](const doc::Value& v, Hits& next) { children(v, next); });
  }
  Result<> dot() {
    ++at;
    if (!done() && text[at] == '.') {
      ++at, many = true;
      each([](const doc::Value& v, Hits& next) { descendants(v, next); });
    }
    if (done()) return wrong("want a name");
    if (text[at] == '[') return {};
    if (text[at] == '*') {
      ++at;
      wildcard();
      return {};
    }
    auto end = std::min(text.find_first_of(".[", at), text.size());
    if (end == at) return wrong("want a name");
    member(text.substr(at, end - at));
    at = end;
    return {};
  }
  Result<> bracket() {
    auto close = text.find(']', at);
    if (close == text.npos) return wrong("\"[\" without \"]\"");
    auto inside = trim(text.substr(at + 1, close - at - 1));
    if (inside == "*")
      wildcard();
    else if (inside.size() >= 2 && (inside[0] == '\'' || inside[0] == '"') && inside.back() == inside[0])
      member(inside.substr(1, inside.size() - 2));
    else if (auto n = to_int(inside))
      index(*n);
    else
      return wrong("want an index, a quoted name or *");
    at = close + 1;
    return {};
  }
};

}  // namespace

Result<doc::Value> json_path(const doc::Value& root, std::string_view path) {
  auto inside = trim(path);
  if (inside.starts_with('{') && inside.ends_with('}')) inside = trim(inside.substr(1, inside.size() - 2));
  Walk walk{inside, 0, {&root}, false};
  if (inside.starts_with('$'))
    walk.at = 1;
  else if (!inside.empty() && inside[0] != '.' && inside[0] != '[') {
    // "data.ok" without its leading dot.
    auto end = std::min(inside.find_first_of(".["), inside.size());
    walk.member(inside.substr(0, end));
    walk.at = end;
  }
  while (!walk.done()) {
    char c = walk.text[walk.at];
    if (c != '.' && c != '[') return walk.wrong("want \".\" or \"[\"");
    TRY_OK(c == '.' ? walk.dot() : walk.bracket());
  }
  if (!walk.many) return walk.hits.empty() ? doc::Value() : *walk.hits[0];
  doc::List list;
  for (const auto* v : walk.hits) list.push_back(*v);
  return doc::Value(std::move(list));
}

}  // namespace slipway::verify
