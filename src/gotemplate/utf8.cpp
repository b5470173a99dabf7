#include "gotemplate/detail/utf8.h"

#include <fmt/format.h>

namespace slipway::gotemplate::detail {

Rune rune_at(std::string_view text, std::size_t at) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  auto first = byte(0);
  if (first < 0x80) return {first, 1, true};
  std::size_t n = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (n == 0 || (first >= 0xF5) || at + n > text.size()) return {};
  std::int64_t code = first & (0x7F >> n);
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  static constexpr std::int64_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {code, n, true};
}

std::size_t rune_count(std::string_view text) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++n) i += rune_at(text, i).bytes;
  return n;
}

std::size_t offset_of(std::string_view text, std::size_t n) {
  std::size_t at = 0;
  for (; n > 0 && at < text.size(); --n) at += rune_at(text, at).bytes;
  return at;
}

std::string encode_rune(std::int64_t code) {
  if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
  auto c = static_cast<std::uint32_t>(code);
  auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | (c >> 6)), tail(c)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | (c >> 12)), tail(c >> 6), tail(c)};
  return {static_cast<char>(0xF0 | (c >> 18)), tail(c >> 12), tail(c >> 6), tail(c)};
}

std::string escape_rune(std::int64_t code, char quote) {
  switch (code) {
    case '\a':
      return "\\a";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\v':
      return "\\v";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  if (code == quote) return {'\\', quote};
  if (code < 0x20 || code == 0x7F) return fmt::format("\\x{:02x}", code);
  // Not printable by Unicode: the classes that turn up in text.
  bool hidden = (code >= 0x80 && code <= 0xA0) || code == 0xAD || (code >= 0x2000 && code <= 0x200F) ||
                (code >= 0x2028 && code <= 0x202F) || (code >= 0x205F && code <= 0x206F) || code == 0x3000 ||
                code == 0xFEFF || (code >= 0xE000 && code <= 0xF8FF) || (code >= 0xD800 && code < 0xE000);
  if (hidden) return fmt::format("\\u{:04x}", code);
  return encode_rune(code);
}

}  // namespace slipway::gotemplate::detail
