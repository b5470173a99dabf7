// Go's own functions of templates.
#include <algorithm>

#include "gotemplate/detail/utf8.h"
#include "gotemplate/functions.h"

namespace slipway::gotemplate {
namespace {

enum class Basic { none, boolean, integer, real, text };
Basic basic(const Value& value) {
  if (value.if_bool()) return Basic::boolean;
  if (value.if_int()) return Basic::integer;
  if (value.if_float()) return Basic::real;
  return value.if_string() ? Basic::text : Basic::none;
}

Result<bool> same(const Value& a, const Value& b) {
  if (basic(a) != basic(b)) {
    if (!a.nothing() && !b.nothing())
      return wrong("incompatible types for comparison: {} and {}", go_type(a), go_type(b));
    return false;
  }
  if (basic(a) != Basic::none)
    return deep_equal(a.if_int() ? Value(Int{a.if_int()->n}) : a, b.if_int() ? Value(Int{b.if_int()->n}) : b);
  if (a.nothing() || b.nothing()) return a.nothing() == b.nothing();
  if (go_kind(a) != go_kind(b))
    return wrong("non-comparable types {}: {}, {}: {}", print(a), go_type(a), go_type(b), print(b));
  return wrong("non-comparable type {}: {}", print(b), go_type(b));
}

Result<Value> eq(const Items& a) {
  if (a.size() < 2) return wrong("missing argument for comparison");
  for (std::size_t i = 1; i < a.size(); ++i) {
    TRY(auto equal, same(a[0], a[i]));
    if (equal) return Value(true);
  }
  return Value(false);
}

Result<bool> less(const Value& a, const Value& b) {
  for (const auto* v : {&a, &b})
    if (basic(*v) == Basic::none) return wrong("invalid type for comparison");
  if (basic(a) != basic(b)) return wrong("incompatible types for comparison: {} and {}", go_type(a), go_type(b));
  switch (basic(a)) {
    case Basic::integer:
      return a.if_int()->n < b.if_int()->n;
    case Basic::real:
      return *a.if_float() < *b.if_float();
    case Basic::text:
      return *a.if_string() < *b.if_string();
    default:
      return wrong("invalid type for comparison");
  }
}

Result<Value> compare(const Items& a, bool or_equal, bool negated) {
  TRY(auto result, less(a[0], a[1]));
  if (!result && or_equal) {
    TRY(result, same(a[0], a[1]));
  }
  return Value(result != negated);
}

Result<std::size_t> index_of(const Value& index, std::size_t most) {
  if (index.nothing()) return wrong("cannot index slice/array with nil");
  const auto* n = index.if_int();
  if (n == nullptr) return wrong("cannot index slice/array with type {}", go_type(index));
  if (n->n < 0 || n->n > static_cast<std::int64_t>(most)) return wrong("index out of range: {}", n->n);
  return static_cast<std::size_t>(n->n);
}

Result<Value> index(const Items& a) {
  if (a[0].nothing()) return wrong("index of untyped nil");
  auto item = a[0];
  for (std::size_t i = 1; i < a.size(); ++i) {
    if (item.nothing()) return wrong("index of nil pointer");
    if (const auto* list = item.if_list()) {
      TRY(auto at, index_of(a[i], list->items.size()));
      if (at == list->items.size()) return wrong("reflect: slice index out of range");
      item = Value(list->items[at]);
    } else if (const auto* text = item.if_string()) {
      TRY(auto at, index_of(a[i], text->size()));
      if (at == text->size()) return wrong("reflect: string index out of range");
      item = Value(static_cast<int>(static_cast<unsigned char>((*text)[at])));
    } else if (const auto* dict = item.if_dict()) {
      if (a[i].nothing()) return wrong("value is nil; should be of type string");
      const auto* key = a[i].if_string();
      if (key == nullptr) return wrong("value has type {}; should be string", go_type(a[i]));
      auto found = dict->find(*key);
      item = found == dict->end() ? Value(Value::Nil{}) : Value(found->second);
    } else {
      return wrong("can't index item of type {}", go_type(item));
    }
  }
  return item;
}

Result<Value> slice(const Items& a) {
  const auto& item = a[0];
  if (item.nothing()) return wrong("slice of untyped nil");
  if (a.size() > 4) return wrong("too many slice indexes: {}", a.size() - 1);
  const auto* text = item.if_string();
  const auto* list = item.if_list();
  if (text != nullptr && a.size() == 4) return wrong("cannot 3-index slice a string");
  if (text == nullptr && list == nullptr) return wrong("can't slice item of type {}", go_type(item));
  auto size = text != nullptr ? text->size() : list->items.size();
  std::size_t at[3] = {0, size, size};
  for (std::size_t i = 1; i < a.size(); ++i) {
    TRY(at[i - 1], index_of(a[i], size));
  }
  if (at[0] > at[1]) return wrong("invalid slice index: {} > {}", at[0], at[1]);
  if (at[1] > at[2]) return wrong("invalid slice index: {} > {}", at[1], at[2]);
  if (text != nullptr) return Value(text->substr(at[0], at[1] - at[0]));
  auto first = list->items.begin();
  return Value(Items(first + static_cast<std::ptrdiff_t>(at[0]), first + static_cast<std::ptrdiff_t>(at[1])), list->of);
}

Result<Value> length(const Items& a) {
  if (a[0].nothing()) return wrong("len of nil pointer");
  std::size_t size = 0;
  if (const auto* text = a[0].if_string())
    size = text->size();
  else if (const auto* list = a[0].if_list())
    size = list->items.size();
  else if (const auto* dict = a[0].if_dict())
    size = dict->size();
  else
    return wrong("len of type {}", go_type(a[0]));
  return Value(static_cast<int>(size));
}

std::string text_of(const Items& a) { return a.size() == 1 && a[0].if_string() ? *a[0].if_string() : print_all(a); }

std::string html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '\0':
        out += "\uFFFD";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string js(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto rune = detail::rune_at(text, i);
    auto c = text[i];
    if (rune.code == '\\' || rune.code == '\'' || rune.code == '"')
      out += {'\\', c};
    else if (rune.code < ' ' || rune.code == '<' || rune.code == '>' || rune.code == '&' || rune.code == '=')
      out += fmt::format("\\u{:04X}", rune.code);
    else if (rune.valid)
      out += text.substr(i, rune.bytes);
    else
      out += "\\uFFFD";
    i += rune.bytes;
  }
  return out;
}

std::string urlquery(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
                 c == '.' || c == '~';
    if (plain)
      out += c;
    else
      out += c == ' ' ? "+" : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

const Functions& builtin_functions() {
  static const Functions table{
      {"not", {"a", [](const Items& a) -> Result<Value> { return Value(!truth(a[0])); }}},
      {"eq", {"aa*", eq}},
      {"ne",
       {"aa",
        [](const Items& a) -> Result<Value> {
          TRY(auto equal, same(a[0], a[1]));
          return Value(!equal);
        }}},
      {"lt", {"aa", [](const Items& a) { return compare(a, false, false); }}},
      {"le", {"aa", [](const Items& a) { return compare(a, true, false); }}},
      {"gt", {"aa", [](const Items& a) { return compare(a, true, true); }}},
      {"ge", {"aa", [](const Items& a) { return compare(a, false, true); }}},
      {"index", {"aa*", index}},
      {"slice", {"aa*", slice}},
      {"len", {"a", length}},
      {"print", {"a*", [](const Items& a) -> Result<Value> { return Value(print_all(a)); }}},
      {"println", {"a*", [](const Items& a) -> Result<Value> { return Value(print_line(a)); }}},
      {"printf",
       {"sa*",
        [](const Items& a) -> Result<Value> {
          return Value(format(*a[0].if_string(), Items(a.begin() + 1, a.end())));
        }}},
      {"html", {"a*", [](const Items& a) -> Result<Value> { return Value(html(text_of(a))); }}},
      {"js", {"a*", [](const Items& a) -> Result<Value> { return Value(js(text_of(a))); }}},
      {"urlquery", {"a*", [](const Items& a) -> Result<Value> { return Value(urlquery(text_of(a))); }}},
      {"call",
       {"aa*",
        [](const Items& a) -> Result<Value> {
          if (a[0].nothing()) return wrong("call of nil");
          return wrong("non-function {} of type {}", print(a[0]), go_type(a[0]));
        }}},
  };
  return table;
}

}  // namespace slipway::gotemplate
