#pragma once
// The tree of an expression and the tokens it is made of. Private to ci.
#include "ci/expression.h"

namespace slipway::ci {

enum class Sort : std::uint8_t {
  end,
  left_paren,
  right_paren,
  left_bracket,
  right_bracket,
  comma,
  dot,
  star,
  not_,
  ne,
  eq,
  gt,
  ge,
  lt,
  le,
  and_,
  or_,
  literal,
  name
};
struct Token {
  Sort sort = Sort::end;
  std::string_view text;
  std::size_t position = 0;  // from 1
  Data value;                // of literals
};
Result<std::vector<Token>> lex(std::string_view text, std::size_t* where = nullptr);

struct Node {
  enum class Op : std::uint8_t { literal, name, call, index, star, not_, eq, ne, lt, le, gt, ge, and_, or_ };
  Op op = Op::literal;
  Data value;        // literal
  std::string name;  // name: the context; call: the function
  std::vector<Node> children;
  int depth = 1;
  std::size_t position = 0;  // of its first token, from 1
};
// The tree of a text, as Expression::parse makes it. On failure `where` is the place, from 1.
Result<Node> parse_node(std::string_view text, const Vocabulary& vocabulary, std::size_t& where);

// Functions every place has. Errors: invalid.
struct BuiltIn {
  std::string_view name;
  std::size_t min, max;
  Result<Data> (*run)(const std::vector<Data>& arguments);  // null: `case`, which is lazy
};
const BuiltIn* find_built_in(std::string_view name);
inline constexpr std::size_t max_result_bytes = 10'000'000;

}  // namespace slipway::ci
