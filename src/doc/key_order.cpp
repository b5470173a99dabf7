#include "doc/detail/key_order.h"

#include <cwctype>

namespace slipway::doc {
namespace {

bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
// Beyond ASCII nearly everything in a key is a letter.
bool letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80; }

bool compare_from(std::string_view a, std::string_view b, std::size_t i) {
  auto x = static_cast<unsigned char>(a[i]), y = static_cast<unsigned char>(b[i]);
  bool x_letter = letter(x), y_letter = letter(y);
  if (x_letter && y_letter) return x < y;
  if (x_letter || y_letter) return y_letter;
  // A zero within a longer number counts as a digit of it: 100 against 10.
  std::uint64_t x_number = 0, y_number = 0;
  if (x == '0' || y == '0') {
    for (std::size_t j = i; j > 0 && ascii_digit(a[j - 1]); --j) {
      if (a[j - 1] != '0') {
        x_number = y_number = 1;
        break;
      }
    }
  }
  std::size_t p = i, q = i;
  for (; p < a.size() && ascii_digit(a[p]); ++p) x_number = x_number * 10 + static_cast<std::uint64_t>(a[p] - '0');
  for (; q < b.size() && ascii_digit(b[q]); ++q) y_number = y_number * 10 + static_cast<std::uint64_t>(b[q] - '0');
  if (x_number != y_number) return static_cast<std::int64_t>(x_number) < static_cast<std::int64_t>(y_number);
  if (p != q) return p < q;
  return x < y;
}

}  // namespace

bool key_less(std::string_view a, std::string_view b) {
  std::size_t n = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < n; ++i) {
    if (a[i] != b[i]) return compare_from(a, b, i);
  }
  return a.size() < b.size();
}

}  // namespace slipway::doc
