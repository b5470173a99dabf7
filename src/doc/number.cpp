#include "doc/detail/number.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace slipway::doc {
namespace {

// Shortest digits that read back the same, with Go's two-digit exponent.
std::string scientific(double value) {
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  return std::string(buffer, end);
}

std::string fixed(double value) {
  char buffer[400];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  if (std::fabs(value) < 0x1p53) return std::string(buffer, end);
  // to_chars gives every digit of the binary number, Go the shortest that read back and zeros behind them.
  auto text = scientific(value);
  auto e = text.find('e');
  auto mantissa = text.substr(0, e);
  std::erase(mantissa, '.');
  mantissa.resize(static_cast<std::size_t>(end - buffer), '0');
  return mantissa;
}

}  // namespace

std::string json_number(double value) {
  // JSON has no word for these; null is what JavaScript writes.
  if (!std::isfinite(value)) return "null";
  double size = std::fabs(value);
  if (size != 0 && (size < 1e-6 || size >= 1e21)) {
    auto text = scientific(value);
    // encoding/json writes e-9 for e-09.
    if (auto n = text.size(); n >= 4 && text[n - 4] == 'e' && text[n - 3] == '-' && text[n - 2] == '0')
      text.erase(n - 2, 1);
    return text;
  }
  return fixed(value);
}

std::string yaml_number(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  auto text = scientific(value);
  auto e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0), text.data() + text.size(), exponent);
  // strconv decides by a precision of six when it prints the shortest form.
  if (exponent < -4 || exponent >= 6) return text;
  return fixed(value);
}

}  // namespace slipway::doc
