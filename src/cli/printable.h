#pragma once
// What a terminal may be sent. Names and messages come out of repositories and clusters, and whoever writes those must
// not write to an operator's screen. Rule: kubectl escapes them too, since CVE-2021-25743.
#include <string>
#include <string_view>

namespace slipway::cli {

// Control characters (C0, DEL, C1 in UTF-8) as \u001b; colours of our own stay, and tabs and line ends in a text that
// may have several lines.
enum class Lines { one, many };
std::string printable(std::string_view text, Lines lines);

}  // namespace slipway::cli
