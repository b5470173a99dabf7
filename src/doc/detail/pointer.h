#pragma once
// RFC 6901 JSON pointers.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::doc {

// The unescaped steps; none for "". Errors: invalid.
Result<std::vector<std::string>> parse_pointer(std::string_view pointer);
// A list index: digits without a leading zero; nothing for other text.
std::optional<std::size_t> pointer_index(std::string_view step);

}  // namespace slipway::doc
