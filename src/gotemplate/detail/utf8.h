#pragma once
// Runes of UTF-8 text, bad bytes being a rune of one byte each, as in Go.
#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::gotemplate::detail {

struct Rune {
  std::int64_t code = 0xFFFD;
  std::size_t bytes = 1;
  bool valid = false;
};
Rune rune_at(std::string_view text, std::size_t at);
std::size_t rune_count(std::string_view text);
// The byte at which the n-th rune starts, or the end.
std::size_t offset_of(std::string_view text, std::size_t n);
std::string encode_rune(std::int64_t code);
// As it stands within quotes: \n, \u00ad, \x00, or itself.
std::string escape_rune(std::int64_t code, char quote);

}  // namespace slipway::gotemplate::detail
