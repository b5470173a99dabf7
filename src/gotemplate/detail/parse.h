#pragma once
// Tokens to trees.
#include <functional>

#include "base/result.h"
#include "gotemplate/detail/lex.h"
#include "gotemplate/detail/node.h"

namespace slipway::gotemplate::detail {

// The text's own tree and those it defines, in order. Errors: invalid: "template: NAME:LINE: what".
Result<std::vector<Tree>> parse_trees(std::string_view name, std::string_view text,
                                      const std::function<bool(std::string_view)>& has_function);
// A Go string or character literal with its quotes. Errors: invalid.
Result<std::string> unquote(std::string_view literal);

// An integer as Go's strconv.ParseInt takes it with base 0.
std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace slipway::gotemplate::detail
