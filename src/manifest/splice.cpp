#include "manifest/detail/splice.h"

#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::manifest {

Result<Splicer> Splicer::open(std::string_view text, std::string_view source, Documents documents) {
  Splicer splicer;
  // Places are counted behind it, and it stays.
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) splicer.front_ = byte_order_mark, text.remove_prefix(byte_order_mark.size());
  splicer.text_ = text;
  splicer.source_ = source;
  splicer.documents_ = documents;
  if (text.contains("\r\n")) splicer.newline_ = "\r\n";
  if (documents == Documents::many) {
    TRY(splicer.tree_, doc::parse_yaml_all(text, {.source = source}));
  } else {
    TRY(auto value, doc::parse_yaml(text, {.source = source}));
    splicer.tree_.push_back(std::move(value));
  }
  return splicer;
}

Fail Splicer::wrong(const doc::Value& at, std::string_view what) const {
  return fail(Kind::invalid, "{}:{}:{}: {}", source_, std::max(1u, at.mark().line), std::max(1u, at.mark().column),
              what);
}

std::size_t Splicer::line_begin(std::size_t at) const {
  auto newline = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
  return newline == std::string::npos ? 0 : newline + 1;
}

std::size_t Splicer::line_end(std::size_t at) const {
  while (at > 0 && (text_[at - 1] == '\n' || text_[at - 1] == '\r')) --at;  // a block scalar ends behind its line
  auto newline = text_.find('\n', at);
  if (newline == std::string::npos) return text_.size();
  return newline > 0 && text_[newline - 1] == '\r' ? newline - 1 : newline;
}

bool Splicer::is_flow(const doc::Value& value) const {
  auto begin = value.mark().begin;
  return begin < text_.size() && (text_[begin] == '{' || text_[begin] == '[');
}

void Splicer::splice(std::size_t begin, std::size_t end, std::string text) {
  changes_.push_back({begin, end, std::move(text)});
}

void Splicer::append(std::string text) {
  bool ends = text_.empty() || text_.ends_with('\n');
  splice(text_.size(), text_.size(), (ends ? "" : std::string(newline_)) + std::move(text));
}

std::string Splicer::quoted(const std::string& value, std::string_view as_was) {
  if (as_was.starts_with('"')) return doc::json_quote(value);
  if (as_was.starts_with('\'')) return "'" + replace_all(value, "'", "''") + "'";
  return std::string(trim_end(doc::print_yaml(doc::Value(value))));
}

Result<> Splicer::set_scalar(doc::Value& scalar, const std::string& value) {
  if (scalar.is_map() || scalar.is_list()) return wrong(scalar, "is a map or list, want a string");
  if (const auto* old = scalar.if_string(); old != nullptr && *old == value) return {};
  auto mark = scalar.mark();
  if (mark.end <= mark.begin) return wrong(scalar, "has no text to put a value in place of");
  splice(mark.begin, mark.end, quoted(value, std::string_view(text_).substr(mark.begin, mark.end - mark.begin)));
  scalar = doc::Value(value);
  return {};
}

void Splicer::add_member(doc::Value& map, std::string_view key, const std::string& value) {
  auto entry = fmt::format("{}: {}", key, quoted(value));
  if (is_flow(map)) {
    auto close = map.mark().end - 1;
    while (close > 0 && (text_[close - 1] == ' ' || text_[close - 1] == '\n')) --close;
    bool empty = map.if_map()->empty();
    splice(close, close, empty || text_[close - 1] == ',' ? entry : ", " + entry);
  } else {
    auto first = map.if_map()->key_mark(map.if_map()->begin()->first);
    auto end = line_end(std::max<std::size_t>(map.mark().end, first.end));
    splice(end, end, std::string(newline_) + std::string(first.begin - line_begin(first.begin), ' ') + entry);
  }
}

Result<> Splicer::set(doc::Value& map, std::string_view key, const std::optional<std::string>& value) {
  if (!map.is_map()) return wrong(map, "want a map");
  doc::Value* old = map.if_map()->find(key);
  if (old == nullptr) {
    if (!value) return {};
    add_member(map, key, *value);
    // Marks of the map stay those of the text; the tree gets the member at the end.
    auto at = map.mark();
    map.map().set(key, doc::Value(*value));
    map.set_mark(at);
    return {};
  }
  auto key_mark = map.if_map()->key_mark(key);
  if (value) {
    if (!old->is_null() || old->mark().end > old->mark().begin) return set_scalar(*old, *value);
    auto colon = text_.find(':', key_mark.end);
    if (colon == std::string::npos) return wrong(*old, "want a value behind the key");
    splice(colon + 1, colon + 1, " " + quoted(*value));
    *old = doc::Value(*value);
    return {};
  }
  auto begin = line_begin(key_mark.begin);
  bool alone = trim(std::string_view(text_).substr(begin, key_mark.begin - begin)).empty();
  if (is_flow(map) || !alone) return set_scalar(*old, "");  // shares its line: an empty string means the same
  auto end = line_end(std::max<std::size_t>(old->mark().end, key_mark.end));
  if (end < text_.size() && text_[end] == '\r') ++end;
  if (end < text_.size()) ++end;
  splice(begin, end, "");
  map.if_map()->erase(key);
  return {};
}

void Splicer::append_item(doc::Value& list, const std::vector<std::pair<std::string, std::string>>& members) {
  auto& items = *list.if_list();
  std::string flow;
  for (const auto& [key, value] : members)
    flow += fmt::format("{}{}: {}", flow.empty() ? "{" : ", ", key, quoted(value));
  flow += "}";
  if (is_flow(list)) {
    auto at = items.back().mark().end;
    splice(at, at, ", " + flow);
  } else {
    // The dash of the last item: behind it come spaces or a line of its own.
    auto dash = text_.rfind('-', items.back().mark().begin);
    auto indent = std::string(dash - line_begin(dash), ' ');
    auto end = line_end(items.back().mark().end);
    std::string block;
    for (const auto& [key, value] : members)
      block += fmt::format("{}{}{}{}: {}", newline_, indent, block.empty() ? "- " : "  ", key, quoted(value));
    splice(end, end, block);
  }
  doc::Map item;
  for (const auto& [key, value] : members) item.set(key, doc::Value(value));
  items.emplace_back(std::move(item));
}

Result<> Splicer::remove_item(doc::Value& list, std::size_t index) {
  auto& items = *list.if_list();
  auto mark = items[index].mark();
  if (is_flow(list)) {
    auto begin = index > 0 ? items[index - 1].mark().end : mark.begin;
    auto end = index > 0 || index + 1 >= items.size() ? mark.end : items[index + 1].mark().begin;
    splice(begin, end, "");
  } else {
    auto dash = text_.rfind('-', mark.begin);
    auto begin = line_begin(dash), end = line_end(mark.end);
    if (end < text_.size() && text_[end] == '\r') ++end;
    if (end < text_.size()) ++end;
    splice(begin, end, "");
  }
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(index));
  return {};
}

Fail Splicer::odd_layout() const {
  return Fail(Error(Kind::invalid, fmt::format("{}: cannot be edited in place (aliases or an unusual layout)", source_))
                  .with_hint("write the image entry as a plain block, or set it by hand once"));
}

Result<std::string> Splicer::finish() {
  std::stable_sort(changes_.begin(), changes_.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::string result = front_;
  std::size_t at = 0;
  for (const auto& change : changes_) {
    if (change.begin < at || change.end < change.begin || change.end > text_.size()) return odd_layout();
    result.append(text_, at, change.begin - at);
    result += change.text;
    at = change.end;
  }
  result.append(text_, at);
  TRY(auto back, open(result, source_, documents_));
  if (back.tree_ != tree_) return odd_layout();
  return result;
}

}  // namespace slipway::manifest
