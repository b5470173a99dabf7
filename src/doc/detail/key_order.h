#pragma once
// The order in which Go's YAML libraries write map keys.
#include <string_view>

namespace slipway::doc {

// Letters after everything else, runs of digits by value, else by code point.
bool key_less(std::string_view a, std::string_view b);

}  // namespace slipway::doc
