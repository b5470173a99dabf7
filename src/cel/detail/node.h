#pragma once
// A parsed expression.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cel/value.h"

namespace slipway::cel::detail {

struct Overload;

// From 1; columns in characters.
struct Place {
  std::uint32_t line = 1, column = 1;
};

enum class Op : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  remainder,
  equal,
  differ,
  less,
  at_most,
  more,
  at_least,
  in
};
std::string_view to_string(Op op);

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  enum class Kind : std::uint8_t {
    literal,   // value
    name,      // text: not yet resolved
    local,     // slot
    variable,  // text: looked up in the bindings; a type's name when it is not there (value)
    select,    // [of] text
    has,       // [of] text
    index,     // [of, index]
    call,      // text(children), or children[0].text(rest) when receiver
    op,        // [left, right]
    negate,    // [of]
    invert,    // [of]
    both,      // && of all children
    either,    // || of all children
    choice,    // [condition, then, else]
    list,      // children
    map,       // key, value, key, value ...
    message,   // text{...}: parsed so that the error can name it
    macro,     // [range, body...] with one or two variables in slot and slot + 1
  };
  enum class Macro : std::uint8_t {
    all,
    exists,
    exists_one,
    map,
    filter,
    transform_list,
    transform_map,
    transform_entry,
    bind,
    opt_map,
    opt_flat_map
  };
  Kind kind = Kind::literal;
  Op op = Op::add;
  Macro macro = Macro::all;
  bool optional = false;  // .?field, [?index]
  bool maybe = false;     // ?item or ?key: value of a literal
  bool receiver = false;
  bool rooted = false;  // .name
  bool two = false;     // a macro with two variables
  std::uint16_t height = 1;
  std::uint32_t slot = 0;
  Place at;
  std::string text;
  std::vector<std::string> names;  // of a macro's variables
  std::vector<NodePtr> children;
  Value value;
  std::vector<const Overload*> overloads;
};

inline NodePtr make_node(Node::Kind kind, Place at) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->at = at;
  return node;
}

// How deep expressions may nest: what reads and evaluates them is recursive.
inline constexpr int most_height = 250;

}  // namespace slipway::cel::detail
