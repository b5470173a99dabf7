#pragma once
// Just enough UTF-8: the length of the character at a place.
#include <string_view>

namespace slipway::image::detail {

inline std::size_t char_length(std::string_view text, std::size_t at) {
  auto c = static_cast<unsigned char>(text[at]);
  std::size_t n = c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
  return std::min(n, text.size() - at);
}
inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace slipway::image::detail
