// Macros: what goes over lists and maps, and what names a value.
#include "cel/detail/lex.h"
#include "cel/detail/run.h"

namespace slipway::cel::detail {
namespace {

std::size_t size_of(const Value& range) {
  if (const auto* list = range.if_list()) return list->size();
  return range.if_map()->size();
}

}  // namespace

Result<> Run::bind_item(const Node& node, const Value& range, std::size_t n) {
  if (auto paid = spend(1); !paid) return wrong(node, paid.error().what());
  const auto* list = range.if_list();
  const auto* map = range.if_map();
  // One variable: a list's item or a map's key. Two: the index or key, and what is there.
  if (!node.two) {
    locals_[node.slot] = list != nullptr ? list->at(n) : map->key(n);
  } else {
    locals_[node.slot] = list != nullptr ? Value(static_cast<std::int64_t>(n)) : map->key(n);
    locals_[node.slot + 1] = list != nullptr ? list->at(n) : map->value(n);
  }
  return {};
}

Result<Value> Run::macro(const Node& node) {
  using Macro = Node::Macro;
  if (node.macro == Macro::opt_map || node.macro == Macro::opt_flat_map) return macro_optional(node);
  TRY(auto range, eval(*node.children[0]));
  if (node.macro == Macro::bind) {
    locals_[node.slot] = std::move(range);
    return eval(*node.children[1]);
  }
  if (range.if_list() == nullptr && range.if_map() == nullptr)
    return wrong(node, fmt::format("{}() goes over {}, want a list or map", node.text, range.type()));
  return macro_over(node, range);
}

Result<Value> Run::macro_over(const Node& node, const Value& range) {
  switch (node.macro) {
    case Node::Macro::all:
    case Node::Macro::exists:
      return quantify(node, range);
    case Node::Macro::exists_one:
      return one(node, range);
    case Node::Macro::transform_map:
    case Node::Macro::transform_entry:
      return collect_map(node, range);
    default:
      return collect(node, range);
  }
}

// As && and || of all items.
Result<Value> Run::quantify(const Node& node, const Value& range) {
  bool decides = node.macro == Node::Macro::exists;
  std::optional<Error> failed;
  for (std::size_t n = 0, size = size_of(range); n < size; ++n) {
    TRY_OK(bind_item(node, range, n));
    auto value = truth(*node.children[1]);
    if (value && *value == decides) return Value(decides);
    if (value) continue;
    if (spent_) return Fail(std::move(value).error());
    if (!failed) failed = std::move(value).error();
  }
  if (failed) return Fail(*std::move(failed));
  return Value(!decides);
}

Result<Value> Run::one(const Node& node, const Value& range) {
  std::size_t count = 0;
  for (std::size_t n = 0, size = size_of(range); n < size; ++n) {
    TRY_OK(bind_item(node, range, n));
    TRY(bool holds, truth(*node.children[1]));
    count += holds ? 1 : 0;
  }
  return Value(count == 1);
}

// map, filter, transformList: with or without a condition before what is collected.
Result<Value> Run::collect(const Node& node, const Value& range) {
  bool filter = node.macro == Node::Macro::filter;
  bool condition = filter || node.children.size() == 3;
  List::Items items;
  for (std::size_t n = 0, size = size_of(range); n < size; ++n) {
    TRY_OK(bind_item(node, range, n));
    if (condition) {
      TRY(bool holds, truth(*node.children[1]));
      if (!holds) continue;
    }
    if (auto made = make(sizeof(Value)); !made) return wrong(node, made.error().what());
    if (filter) {
      items.push_back(locals_[node.slot]);
    } else {
      TRY(auto item, eval(*node.children.back()));
      items.push_back(std::move(item));
    }
  }
  return Value(List(std::move(items)));
}

Result<Value> Run::collect_map(const Node& node, const Value& range) {
  std::vector<Map::Entry> entries;
  for (std::size_t n = 0, size = size_of(range); n < size; ++n) {
    TRY_OK(bind_item(node, range, n));
    if (node.children.size() == 3) {
      TRY(bool holds, truth(*node.children[1]));
      if (!holds) continue;
    }
    auto key = locals_[node.slot];
    TRY(auto value, eval(*node.children.back()));
    if (auto made = make(2 * sizeof(Value)); !made) return wrong(node, made.error().what());
    if (node.macro == Node::Macro::transform_map) {
      entries.emplace_back(std::move(key), std::move(value));
      continue;
    }
    const auto* map = value.if_map();
    if (map == nullptr)
      return wrong(node, fmt::format("{}() makes {} of an entry, want a map", node.text, value.type()));
    if (auto paid = make(map->size() * 2 * sizeof(Value)); !paid) return wrong(node, paid.error().what());
    for (std::size_t i = 0; i < map->size(); ++i) entries.emplace_back(map->key(i), map->value(i));
  }
  auto map = Map::of(std::move(entries));
  if (!map) return wrong(node, map.error().what());
  return Value(*std::move(map));
}

Result<Value> Run::macro_optional(const Node& node) {
  TRY(auto of, eval(*node.children[0]));
  const auto* optional = of.if_optional();
  if (optional == nullptr) return wrong(node, fmt::format("{}() of {}, want an optional", node.text, of.type()));
  if (!optional->held) return of;
  locals_[node.slot] = *optional->held;
  TRY(auto made, eval(*node.children[1]));
  if (node.macro == Node::Macro::opt_map) return Value::some(std::move(made));
  if (made.if_optional() == nullptr)
    return wrong(node, fmt::format("{}() makes {}, want an optional", node.text, made.type()));
  return made;
}

}  // namespace slipway::cel::detail
