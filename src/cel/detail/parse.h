#pragma once
// The grammar: text to a tree whose names are not yet resolved.
#include <string_view>

#include "cel/detail/node.h"

namespace slipway::cel::detail {

// Errors: invalid, "source:line:column: what was found, want what".
Result<NodePtr> parse(std::string_view text, std::string_view source);

// Turns a call into what a macro means, when it is one. Errors: invalid (the wrong arguments for a macro).
Result<NodePtr> expand_macro(NodePtr call, std::string_view source);

// "a.b.c" of a chain of plain selections, "" of anything else.
std::string dotted(const Node& node);

}  // namespace slipway::cel::detail
