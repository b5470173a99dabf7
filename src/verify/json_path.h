#pragma once
// JSONPath as kubectl and Argo write it: {$.data.items[0].name}, with or without braces and "$".
#include <string_view>

#include "doc/value.h"

namespace slipway::verify {

// Names, ['names'], [n], [-n], [*], .* and ..name. One hit gives it, several (or a wildcard) a list, none null.
// Errors: invalid with the column.
Result<doc::Value> json_path(const doc::Value& root, std::string_view path);

}  // namespace slipway::verify
