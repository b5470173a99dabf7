#pragma once
// The tree of a condition.
#include <string>
#include <vector>

#include "doc/value.h"

namespace slipway::verify::detail {

struct Node {
  enum class Kind { literal, name, list, map, member, index, call, unary, binary, choice, current };
  Kind kind = Kind::literal;
  std::string text;  // a name, an operator, a function, a member
  doc::Value literal;
  std::vector<Node> parts;  // operands, arguments; a map's keys and values by turns
  bool optional = false;    // ?. : nil on nil
  std::size_t at = 0;       // column from 1
};

Result<Node> parse_expression(std::string_view text);

// `result` by its name; `current` is "#" inside a predicate, null outside.
struct Scope {
  const doc::Value* result = nullptr;
  const doc::Value* current = nullptr;
  std::int64_t* budget = nullptr;  // steps left: nested predicates over long lists must end
};
Result<doc::Value> evaluate(const Node& node, const Scope& scope);
// Functions by name with evaluated arguments. Errors: invalid (unknown, wrong arguments).
Result<doc::Value> call_function(const Node& call, const std::vector<doc::Value>& arguments);
Fail wrong_at(const Node& node, std::string_view what);

}  // namespace slipway::verify::detail
