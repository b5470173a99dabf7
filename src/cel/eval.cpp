#include <algorithm>
#include <cmath>

#include "cel/detail/function.h"
#include "cel/detail/lex.h"
#include "cel/detail/run.h"
#include "doc/json.h"

namespace slipway::cel::detail {
namespace {

// What Kubernetes makes of the names of fields that are no names in CEL; "" when it is none of those.
std::string unescaped(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> escapes[] = {
      {"__underscores__", "__"}, {"__dot__", "."}, {"__dash__", "-"}, {"__slash__", "/"}};
  constexpr std::string_view reserved[] = {"true",     "false",   "null",      "in",       "as",  "break",  "const",
                                           "continue", "else",    "for",       "function", "if",  "import", "let",
                                           "loop",     "package", "namespace", "return",   "var", "void",   "while"};
  if (!name.contains("__")) return "";
  if (name.size() > 4 && name.starts_with("__") && name.ends_with("__")) {
    auto word = name.substr(2, name.size() - 4);
    if (std::ranges::find(reserved, word) != std::end(reserved)) return std::string(word);
  }
  std::string out;
  for (std::size_t at = 0; at < name.size();) {
    auto found = std::ranges::find_if(escapes, [&](const auto& e) { return name.substr(at).starts_with(e.first); });
    if (found == std::end(escapes)) {
      out += name[at++];
    } else {
      out += found->second;
      at += found->first.size();
    }
  }
  return out;
}

}  // namespace

Fail Run::wrong(const Node& node, std::string_view what) const { return wrong_at(code_.source, node.at, what); }

Result<> Run::spend(std::uint64_t steps) {
  if (!spent_ && steps <= budget_.steps) {
    budget_.steps -= steps;
    return {};
  }
  spent_ = true;
  budget_.steps = 0;
  return fail(Kind::invalid, "the expression needs more steps than it may take");
}

Result<> Run::make(std::uint64_t bytes) {
  if (!spent_ && bytes <= budget_.bytes) {
    budget_.bytes -= bytes;
    return {};
  }
  spent_ = true;
  budget_.bytes = 0;
  return fail(Kind::invalid, "the expression makes more bytes than it may");
}

Result<Value> Run::text(std::string made) {
  TRY_OK(make(made.size()));
  return Value(std::move(made));
}

Result<Value> Run::list(List::Items items) {
  TRY_OK(make(items.size() * sizeof(Value)));
  return Value(List(std::move(items)));
}

Result<std::shared_ptr<const Regex>> Run::regex(std::string_view pattern) {
  constexpr std::size_t most = 8;  // they hold memory: programs, and the states they were in
  for (const auto& known : regexes_)
    if (known->pattern() == pattern) return known;
  if (pattern.size() > 4'096) return fail(Kind::invalid, "the pattern has {} bytes, want at most 4096", pattern.size());
  TRY_OK(spend(20 + pattern.size() * 2));
  TRY(auto regex, Regex::compile(pattern));
  TRY_OK(spend(regex->size() * 4));
  if (regexes_.size() < most) regexes_.emplace_back();
  return regexes_[next_regex_++ % most] = std::move(regex);
}

Result<Value> Run::eval(const Node& node) {
  if (auto paid = spend(1); !paid) return wrong(node, paid.error().what());
  switch (node.kind) {
    case Node::Kind::literal:
      return node.value;
    case Node::Kind::local:
      return locals_[node.slot];
    case Node::Kind::variable:
      return variable(node);
    case Node::Kind::select: {
      TRY(auto of, eval(*node.children[0]));
      return select(node, of);
    }
    case Node::Kind::has: {
      TRY(auto of, eval(*node.children[0]));
      return test(node, of);
    }
    case Node::Kind::index: {
      TRY(auto of, eval(*node.children[0]));
      TRY(auto by, eval(*node.children[1]));
      return index(node, of, by);
    }
    case Node::Kind::call:
      return call(node);
    case Node::Kind::op:
      return op(node);
    case Node::Kind::negate:
    case Node::Kind::invert:
      return sign(node);
    case Node::Kind::both:
      return logic(node, false);
    case Node::Kind::either:
      return logic(node, true);
    case Node::Kind::choice: {
      TRY(bool condition, truth(*node.children[0]));
      return eval(*node.children[condition ? 1 : 2]);
    }
    case Node::Kind::list:
      return literal_list(node);
    case Node::Kind::map:
      return literal_map(node);
    case Node::Kind::macro:
      return macro(node);
    case Node::Kind::name:
    case Node::Kind::message:
      break;
  }
  return wrong(node, "cannot be evaluated");
}

Result<Value> Run::variable(const Node& node) {
  if (auto found = bindings_.find(node.text)) return *std::move(found);
  if (!node.value.is_null()) return node.value;
  return wrong(node, fmt::format("no such name: \"{}\"", node.text));
}

Result<bool> Run::truth(const Node& node) {
  TRY(auto value, eval(node));
  if (const auto* b = value.if_bool()) return *b;
  return wrong(node, fmt::format("got {}, want bool", value.type()));
}

// && and ||: an operand that decides does so wherever it stands, errors or not.
Result<Value> Run::logic(const Node& node, bool decides) {
  std::optional<Error> failed;
  for (const auto& child : node.children) {
    auto value = truth(*child);
    if (value && *value == decides) return Value(decides);
    if (value) continue;
    if (spent_) return Fail(std::move(value).error());
    if (!failed) failed = std::move(value).error();
  }
  if (failed) return Fail(*std::move(failed));
  return Value(!decides);
}

std::optional<Value> Run::field(const Node& node, const Map& map) const {
  auto found = map.find(Text::view(node.text));
  if (found || !code_.escaped_fields) return found;
  auto name = unescaped(node.text);
  return name.empty() ? std::nullopt : map.find(Text::view(name));
}

Result<Value> Run::select(const Node& node, const Value& of) {
  const auto* chain = of.if_optional();
  if (chain != nullptr && !chain->held) return of;
  const auto& from = chain != nullptr ? *chain->held : of;
  const auto* map = from.if_map();
  if (map == nullptr) return wrong(node, fmt::format("no such key: {}: {} has no fields", node.text, from.type()));
  auto found = field(node, *map);
  if (chain != nullptr || node.optional) return found ? Value::some(*std::move(found)) : Value::none();
  if (found) return *std::move(found);
  return wrong(node, fmt::format("no such key: {}", node.text));
}

Result<Value> Run::test(const Node& node, const Value& of) {
  const auto* chain = of.if_optional();
  if (chain != nullptr && !chain->held) return Value(false);
  const auto& from = chain != nullptr ? *chain->held : of;
  const auto* map = from.if_map();
  if (map == nullptr) return wrong(node, fmt::format("has() of a field of {}, which has none", from.type()));
  return Value(field(node, *map).has_value());
}

Result<std::optional<Value>> Run::item(const Node& node, const Value& of, const Value& by) {
  if (const auto* map = of.if_map()) {
    if (!std::string_view("iubsd").contains(by.letter()))
      return wrong(node, fmt::format("no such key: {} is no key of maps", by.type()));
    return map->find(by);
  }
  const auto* list = of.if_list();
  if (list == nullptr) return wrong(node, no_overload("_[_]", std::array{of, by}));
  std::optional<std::size_t> at;
  if (const auto* n = by.if_int(); n != nullptr && *n >= 0) at = static_cast<std::size_t>(*n);
  if (const auto* n = by.if_uint()) at = *n;
  if (const auto* d = by.if_double(); d != nullptr && *d >= 0 && *d < 0x1p53 && std::trunc(*d) == *d)
    at = static_cast<std::size_t>(*d);
  if (!at && (!by.is_number() || (by.if_double() != nullptr && std::trunc(*by.if_double()) != *by.if_double())))
    return wrong(node, fmt::format("invalid index: {}, want an int", print(by)));
  if (!at || *at >= list->size()) return std::optional<Value>();
  return std::optional(list->at(*at));
}

Result<Value> Run::index(const Node& node, const Value& of, const Value& by) {
  const auto* chain = of.if_optional();
  if (chain != nullptr && !chain->held) return of;
  const auto& from = chain != nullptr ? *chain->held : of;
  TRY(auto found, item(node, from, by));
  if (chain != nullptr || node.optional) return found ? Value::some(*std::move(found)) : Value::none();
  if (found) return *std::move(found);
  if (const auto* list = from.if_list())
    return wrong(node, fmt::format("index out of bounds: {} of {}", print(by), list->size()));
  return wrong(node, fmt::format("no such key: {}", print(by)));
}

Result<Value> Run::call(const Node& node) {
  List::Items args;
  args.reserve(node.children.size());
  for (const auto& child : node.children) {
    TRY(auto value, eval(*child));
    args.push_back(std::move(value));
  }
  for (const auto* overload : node.overloads) {
    if (!overload->takes_values(args)) continue;
    auto result = overload->run(*this, args);
    if (!result) return wrong(node, result.error().what());
    return result;
  }
  return wrong(node, no_overload(node.text, args));
}

Result<Value> Run::op(const Node& node) {
  std::array<Value, 2> sides;
  for (std::size_t i : {0, 1}) {
    TRY(sides[i], eval(*node.children[i]));
  }
  const auto& [a, b] = sides;
  auto result = [&]() -> Result<Value> {
    switch (node.op) {
      case Op::equal:
      case Op::differ: {
        TRY(bool same, equal(a, b));
        return Value(same == (node.op == Op::equal));
      }
      case Op::less:
      case Op::at_most:
      case Op::more:
      case Op::at_least: {
        auto [comparable, order] = compare(a, b);
        if (!comparable) return fail(Kind::invalid, "{}", no_overload(to_string(node.op), sides));
        if (auto s = a.if_string()) TRY_OK(spend_on(*s));
        if (node.op == Op::less) return Value(order < 0);
        if (node.op == Op::at_most) return Value(order <= 0);
        return Value(node.op == Op::more ? order > 0 : order >= 0);
      }
      case Op::in:
        return in(*this, a, b);
      default:
        return arithmetic(*this, node.op, a, b);
    }
  }();
  if (!result) return wrong(node, result.error().what());
  return result;
}

Result<Value> Run::sign(const Node& node) {
  if (node.kind == Node::Kind::invert) {
    TRY(bool of, truth(*node.children[0]));
    return Value(!of);
  }
  TRY(auto of, eval(*node.children[0]));
  if (const auto* d = of.if_double()) return Value(-*d);
  const auto* n = of.if_int();
  if (n == nullptr) return wrong(node, no_overload("-", std::array{of}));
  if (*n == INT64_MIN) return wrong(node, "integer overflow");
  return Value(-*n);
}

Result<Value> Run::literal_list(const Node& node) {
  List::Items items;
  for (const auto& child : node.children) {
    TRY(auto item, eval(*child));
    if (!child->maybe) {
      items.push_back(std::move(item));
      continue;
    }
    const auto* optional = item.if_optional();
    if (optional == nullptr) return wrong(*child, fmt::format("got {}, want an optional behind ?", item.type()));
    if (optional->held) items.push_back(*optional->held);
  }
  if (auto made = make(items.size() * sizeof(Value)); !made) return wrong(node, made.error().what());
  return Value(List(std::move(items)));
}

Result<Value> Run::literal_map(const Node& node) {
  std::vector<Map::Entry> entries;
  for (std::size_t i = 0; i < node.children.size(); i += 2) {
    TRY(auto key, eval(*node.children[i]));
    TRY(auto value, eval(*node.children[i + 1]));
    if (node.children[i]->maybe) {
      const auto* optional = value.if_optional();
      if (optional == nullptr)
        return wrong(*node.children[i + 1], fmt::format("got {}, want an optional behind ?", value.type()));
      if (!optional->held) continue;
      value = Value(*optional->held);
    }
    entries.emplace_back(std::move(key), std::move(value));
  }
  if (auto made = make(entries.size() * 2 * sizeof(Value)); !made) return wrong(node, made.error().what());
  auto map = Map::of(std::move(entries));
  if (!map) return wrong(node, map.error().what());
  return Value(*std::move(map));
}

}  // namespace slipway::cel::detail
