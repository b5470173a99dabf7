#include "cel/detail/utf8.h"

namespace slipway::cel::detail {
namespace {

constexpr char32_t wrong = 0xFFFD;

bool follows(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
}

// Bytes of the code point at `at`, 0 when there is none.
std::size_t length_at(std::string_view text, std::size_t at, char32_t& c) {
  auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    c = first;
    return 1;
  }
  std::size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  c = first & (0x7FU >> n);
  for (std::size_t i = 1; i < n; ++i) {
    if (!follows(text, at + i)) return 0;
    c = (c << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
  return n;
}

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& at) {
  char32_t c = 0;
  std::size_t n = length_at(text, at, c);
  at += n == 0 ? 1 : n;
  return n == 0 ? wrong : c;
}

void append_utf8(std::string& out, char32_t c) {
  auto tail = [&](int shift) { out += static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0U | (c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0U | (c >> 12));
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0U | (c >> 18));
    tail(12), tail(6), tail(0);
  }
}

std::size_t count_code_points(std::string_view text) {
  std::size_t n = 0;
  for (std::size_t at = 0; at < text.size(); ++n) (void)next_code_point(text, at);
  return n;
}

std::u32string decode(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) out += next_code_point(text, at);
  return out;
}

std::string encode(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char32_t c : text) append_utf8(out, c);
  return out;
}

bool is_utf8(std::string_view text) {
  char32_t c = 0;
  for (std::size_t at = 0, n = 0; at < text.size(); at += n)
    if (n = length_at(text, at, c); n == 0) return false;
  return true;
}

}  // namespace slipway::cel::detail
