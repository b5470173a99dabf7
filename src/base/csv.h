#pragma once
// One record of CSV, as options are written.
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

// A separator within double quotes is text; the quotes go. Threads: any.
std::vector<std::string> split_quoted(std::string_view text, char separator = ',');

}  // namespace slipway
