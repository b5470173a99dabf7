#pragma once
// Strings as code points. What is not UTF-8 reads as U+FFFD, a byte each.
#include <string>
#include <string_view>

namespace slipway::cel::detail {

// The code point at `at`, which moves behind it.
char32_t next_code_point(std::string_view text, std::size_t& at);
void append_utf8(std::string& out, char32_t c);
std::size_t count_code_points(std::string_view text);
std::u32string decode(std::string_view text);
std::string encode(std::u32string_view text);
bool is_utf8(std::string_view text);

}  // namespace slipway::cel::detail
