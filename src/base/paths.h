#pragma once
// Paths as text.
#include <string>
#include <string_view>

namespace slipway {

// Without "." and empty parts, without a slash at either end; ".." is taken back by the text alone, and leads nowhere
// at the root.
std::string clean_path(std::string_view path);

}  // namespace slipway
