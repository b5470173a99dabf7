#include <re2/re2.h>

#include <cmath>

#include "base/text.h"
#include "doc/json.h"
#include "verify/condition.h"
#include "verify/detail/expression.h"

namespace slipway::verify {
namespace detail {
namespace {

constexpr std::uint64_t most_items = 1'000;  // of a range
constexpr std::int64_t most_steps = 1'000'000;

std::optional<double> number_of(const doc::Value& v) {
  if (const auto* n = v.if_int()) return static_cast<double>(*n);
  if (const auto* d = v.if_double()) return *d;
  return std::nullopt;
}

Fail no_operator(const Node& node, const doc::Value& a, const doc::Value& b) {
  if (a.is_null() || b.is_null()) return wrong_at(node, fmt::format("\"{}\" on nil: there is no data", node.text));
  return wrong_at(node, fmt::format("\"{}\" between {} and {}", node.text, to_string(a.type()), to_string(b.type())));
}

Result<doc::Value> member_of(const Node& node, const doc::Value& from, std::string_view name) {
  if (from.is_null()) {
    if (node.optional) return doc::Value();
    return wrong_at(node, fmt::format("\"{}\" of nil: there is no data", name));
  }
  if (!from.is_map()) return wrong_at(node, fmt::format("{} has no member \"{}\"", to_string(from.type()), name));
  const auto* found = from.find(name);
  return found == nullptr ? doc::Value() : *found;
}

Result<doc::Value> index_of(const Node& node, const doc::Value& from, const doc::Value& index) {
  if (from.is_null() && node.optional) return doc::Value();
  if (const auto* key = index.if_string()) return member_of(node, from, *key);
  const auto* n = index.if_int();
  const auto* list = from.if_list();
  if (from.is_null()) return wrong_at(node, "an index into nil: there is no data");
  if (n == nullptr || list == nullptr)
    return wrong_at(node, fmt::format("an index of type {} into {}", to_string(index.type()), to_string(from.type())));
  auto at = *n < 0 ? *n + static_cast<std::int64_t>(list->size()) : *n;
  if (at < 0 || at >= static_cast<std::int64_t>(list->size())) {
    if (list->empty()) return wrong_at(node, fmt::format("index {} of an empty list: there is no data", *n));
    return wrong_at(node, fmt::format("index {} of a list of {}", *n, list->size()));
  }
  return (*list)[static_cast<std::size_t>(at)];
}

Result<doc::Value> arithmetic(const Node& node, const doc::Value& a, const doc::Value& b) {
  const auto& op = node.text;
  if (op == "+" && a.is_string() && b.is_string()) return doc::Value(*a.if_string() + *b.if_string());
  auto x = number_of(a), y = number_of(b);
  if (!x || !y) return no_operator(node, a, b);
  if (op == "/") return doc::Value(*x / *y);
  if (op == "**" || op == "^") return doc::Value(std::pow(*x, *y));
  const auto *i = a.if_int(), *j = b.if_int();
  if (op == "%") {
    if (i == nullptr || j == nullptr) return no_operator(node, a, b);
    if (*j == 0 || *j == -1) return *j == 0 ? Result<doc::Value>(wrong_at(node, "division by zero")) : doc::Value(0);
    return doc::Value(*i % *j);
  }
  if (i != nullptr && j != nullptr) {
    std::int64_t out = 0;
    bool over = op == "+"   ? __builtin_add_overflow(*i, *j, &out)
                : op == "-" ? __builtin_sub_overflow(*i, *j, &out)
                            : __builtin_mul_overflow(*i, *j, &out);
    if (!over) return doc::Value(out);
  }
  return doc::Value(op == "+" ? *x + *y : op == "-" ? *x - *y : *x * *y);
}

Result<doc::Value> compare(const Node& node, const doc::Value& a, const doc::Value& b) {
  const auto& op = node.text;
  if (op == "==" || op == "!=") return doc::Value((a == b) == (op == "=="));
  int order = 0;
  if (a.is_string() && b.is_string()) {
    order = a.if_string()->compare(*b.if_string());
  } else {
    auto x = number_of(a), y = number_of(b);
    if (!x || !y) return no_operator(node, a, b);
    if (std::isnan(*x) || std::isnan(*y)) return doc::Value(false);
    order = *x < *y ? -1 : *x > *y ? 1 : 0;
  }
  return doc::Value(op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0);
}

Result<doc::Value> text_operator(const Node& node, const doc::Value& a, const doc::Value& b) {
  const auto *x = a.if_string(), *y = b.if_string();
  if (x == nullptr || y == nullptr) return no_operator(node, a, b);
  if (node.text == "contains") return doc::Value(x->find(*y) != std::string::npos);
  if (node.text == "startsWith") return doc::Value(x->starts_with(*y));
  if (node.text == "endsWith") return doc::Value(x->ends_with(*y));
  RE2 pattern(*y, RE2::Quiet);
  if (!pattern.ok()) return wrong_at(node, fmt::format("\"{}\" is no pattern: {}", *y, pattern.error()));
  return doc::Value(RE2::PartialMatch(*x, pattern));
}

Result<doc::Value> is_in(const Node& node, const doc::Value& a, const doc::Value& b) {
  bool found = false;
  if (const auto* list = b.if_list())
    found = std::find(list->begin(), list->end(), a) != list->end();
  else if (const auto* map = b.if_map())
    found = a.is_string() && map->contains(*a.if_string());
  else if (!b.is_null())
    return no_operator(node, a, b);
  return doc::Value(found == (node.text == "in"));
}

Result<doc::Value> range(const Node& node, const doc::Value& a, const doc::Value& b) {
  const auto *i = a.if_int(), *j = b.if_int();
  if (i == nullptr || j == nullptr) return no_operator(node, a, b);
  if (*i > *j) return doc::Value(doc::List());
  if (static_cast<std::uint64_t>(*j) - static_cast<std::uint64_t>(*i) >= most_items)
    return wrong_at(node, "a range of more than 1,000 numbers");
  doc::List list;
  for (auto n = *i; n <= *j; ++n) list.emplace_back(n);
  return doc::Value(std::move(list));
}

Result<bool> bool_of(const Node& node, const Scope& scope) {
  TRY(auto v, evaluate(node, scope));
  if (const auto* b = v.if_bool()) return *b;
  return wrong_at(node, fmt::format("want true or false, not {}", to_string(v.type())));
}

Result<doc::Value> binary(const Node& node, const Scope& scope) {
  const auto& op = node.text;
  bool both = op == "&&" || op == "and";
  if (both || op == "||" || op == "or") {
    TRY(bool left, bool_of(node.parts[0], scope));
    if (left != both) return doc::Value(left);
    TRY(bool right, bool_of(node.parts[1], scope));
    return doc::Value(right);
  }
  TRY(auto a, evaluate(node.parts[0], scope));
  if (op == "??" && !a.is_null()) return a;
  TRY(auto b, evaluate(node.parts[1], scope));
  if (op == "??") return b;
  if (op == "in" || op == "not in") return is_in(node, a, b);
  if (op == "..") return range(node, a, b);
  if (op == "contains" || op == "matches" || op == "startsWith" || op == "endsWith") return text_operator(node, a, b);
  if (op == "==" || op == "!=" || op[0] == '<' || op[0] == '>') return compare(node, a, b);
  return arithmetic(node, a, b);
}

Result<doc::Value> unary(const Node& node, const Scope& scope) {
  if (node.text == "!") {
    TRY(bool inner, bool_of(node.parts[0], scope));
    return doc::Value(!inner);
  }
  TRY(auto v, evaluate(node.parts[0], scope));
  if (node.text == "+" && v.is_number()) return v;
  if (const auto* n = v.if_int(); n != nullptr && *n != std::numeric_limits<std::int64_t>::min())
    return doc::Value(-*n);
  if (auto d = number_of(v)) return doc::Value(-*d);
  return wrong_at(node, fmt::format("\"{}\" before {}", node.text, to_string(v.type())));
}

bool is_predicate_call(std::string_view name) {
  for (auto known : {"all", "any", "one", "none", "filter", "map", "count", "sum", "find"})
    if (name == known) return true;
  return false;
}

// Functions whose second argument is evaluated for each item.
Result<doc::Value> predicate_call(const Node& node, const Scope& scope) {
  TRY(auto of, evaluate(node.parts[0], scope));
  if (!of.is_list())
    return wrong_at(node, fmt::format("{}() wants a list, not {}{}", node.text, to_string(of.type()),
                                      of.is_null() ? ": there is no data" : ""));
  std::int64_t hits = 0, seen = 0;
  doc::List kept;
  for (const auto& item : *of.if_list()) {
    ++seen;
    Scope inner{scope.result, &item, scope.budget};
    if (node.text == "map" || node.text == "sum") {
      TRY(auto v, evaluate(node.parts[1], inner));
      kept.push_back(std::move(v));
      continue;
    }
    TRY(bool hit, bool_of(node.parts[1], inner));
    if (hit) ++hits, kept.push_back(item);
    if (hit && node.text == "find") return item;
  }
  if (node.text == "all") return doc::Value(hits == seen);
  if (node.text == "any") return doc::Value(hits > 0);
  if (node.text == "one") return doc::Value(hits == 1);
  if (node.text == "none") return doc::Value(hits == 0);
  if (node.text == "count") return doc::Value(hits);
  if (node.text == "find") return doc::Value();
  if (node.text == "sum") return call_function(node, {doc::Value(std::move(kept))});
  return doc::Value(std::move(kept));
}

Result<doc::Value> call(const Node& node, const Scope& scope) {
  if (is_predicate_call(node.text) && node.parts.size() == 2) return predicate_call(node, scope);
  std::vector<doc::Value> arguments;
  for (const auto& part : node.parts) {
    TRY(auto v, evaluate(part, scope));
    arguments.push_back(std::move(v));
  }
  return call_function(node, arguments);
}

}  // namespace

Fail wrong_at(const Node& node, std::string_view what) { return fail(Kind::invalid, "column {}: {}", node.at, what); }

Result<doc::Value> evaluate(const Node& node, const Scope& scope) {
  if (--*scope.budget < 0) return wrong_at(node, "the condition takes more than 1,000,000 steps");
  switch (node.kind) {
    case Node::Kind::literal:
      return node.literal;
    case Node::Kind::current:
      if (scope.current == nullptr) return wrong_at(node, "\"#\" outside of a predicate");
      return *scope.current;
    case Node::Kind::name:
      if (node.text == "result") return *scope.result;
      // Inside a predicate a bare name is a member of the item.
      if (scope.current != nullptr && scope.current->is_map())
        if (const auto* found = scope.current->find(node.text)) return *found;
      return wrong_at(node, fmt::format("unknown name \"{}\", want result", node.text));
    case Node::Kind::list: {
      doc::List list;
      for (const auto& part : node.parts) {
        TRY(auto v, evaluate(part, scope));
        list.push_back(std::move(v));
      }
      return doc::Value(std::move(list));
    }
    case Node::Kind::map: {
      doc::Map map;
      for (std::size_t i = 0; i + 1 < node.parts.size(); i += 2) {
        TRY(auto v, evaluate(node.parts[i + 1], scope));
        map.set(*node.parts[i].literal.if_string(), std::move(v));
      }
      return doc::Value(std::move(map));
    }
    case Node::Kind::member: {
      TRY(auto from, evaluate(node.parts[0], scope));
      return member_of(node, from, node.text);
    }
    case Node::Kind::index: {
      TRY(auto from, evaluate(node.parts[0], scope));
      TRY(auto at, evaluate(node.parts[1], scope));
      return index_of(node, from, at);
    }
    case Node::Kind::call:
      return call(node, scope);
    case Node::Kind::unary:
      return unary(node, scope);
    case Node::Kind::binary:
      return binary(node, scope);
    case Node::Kind::choice: {
      TRY(bool yes, bool_of(node.parts[0], scope));
      return evaluate(node.parts[yes ? 1 : 2], scope);
    }
  }
  return doc::Value();
}

}  // namespace detail

Result<Condition> Condition::parse(std::string_view text) {
  auto root = detail::parse_expression(text);
  if (!root) return Fail(std::move(root).error().in(fmt::format("condition \"{}\"", text.substr(0, 100))));
  Condition made;
  made.text_ = text;
  made.root_ = std::make_shared<const detail::Node>(*std::move(root));
  return made;
}

Result<doc::Value> Condition::value(const doc::Value& result) const {
  auto steps = detail::most_steps;
  auto v = detail::evaluate(*root_, {&result, nullptr, &steps});
  if (!v) return Fail(std::move(v).error().in(fmt::format("condition \"{}\"", text_.substr(0, 100))));
  return v;
}

Result<bool> Condition::holds(const doc::Value& result) const {
  TRY(auto v, value(result));
  if (const auto* b = v.if_bool()) return *b;
  return fail(Kind::invalid, "condition \"{}\": gives {}, want true or false", text_.substr(0, 100),
              to_string(v.type()));
}

}  // namespace slipway::verify
