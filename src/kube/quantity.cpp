#include "kube/quantity.h"

namespace slipway::kube {
namespace {

constexpr __int128 nano = 1'000'000'000;
constexpr __int128 most = (static_cast<__int128>(1) << 63) * nano;

std::string digits(__int128 n) {
  bool negative = n < 0;
  if (negative) n = -n;
  std::string out;
  do out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(n % 10)));
  while ((n /= 10) != 0);
  return negative ? "-" + out : out;
}

__int128 up(__int128 n, __int128 unit) {
  auto whole = n / unit;
  return n % unit > 0 ? whole + 1 : whole;
}

struct Suffix {
  std::string_view text;
  Quantity::Format format;
  int power;  // of 10 or of 1024
};
constexpr Suffix suffixes[] = {
    {"", Quantity::Format::decimal, 0},   {"n", Quantity::Format::decimal, -9}, {"u", Quantity::Format::decimal, -6},
    {"m", Quantity::Format::decimal, -3}, {"k", Quantity::Format::decimal, 3},  {"M", Quantity::Format::decimal, 6},
    {"G", Quantity::Format::decimal, 9},  {"T", Quantity::Format::decimal, 12}, {"P", Quantity::Format::decimal, 15},
    {"E", Quantity::Format::decimal, 18}, {"Ki", Quantity::Format::binary, 1},  {"Mi", Quantity::Format::binary, 2},
    {"Gi", Quantity::Format::binary, 3},  {"Ti", Quantity::Format::binary, 4},  {"Pi", Quantity::Format::binary, 5},
    {"Ei", Quantity::Format::binary, 6}};

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
  auto wrong = [&] {
    return fail(Kind::invalid, "\"{}\" is no quantity, want digits and a suffix such as m, Mi or e3", text);
  };
  std::size_t at = 0;
  bool negative = false;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) negative = text[at++] == '-';
  __int128 mantissa = 0;
  int scale = 0, count = 0;
  bool point = false, finer = false;
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      ++count;
      if (point && scale == 18) {
        finer |= c != '0';
        continue;
      }
      if (mantissa > (static_cast<__int128>(1) << 90))
        return fail(Kind::invalid, "\"{}\": the quantity is too large", text);
      mantissa = mantissa * 10 + (c - '0');
      scale += point;
    } else {
      break;
    }
  }
  if (count == 0) return wrong();
  auto rest = text.substr(at);
  Quantity q;
  int power = 0;
  const Suffix* suffix = nullptr;
  for (const auto& s : suffixes)
    if (s.text == rest) suffix = &s;
  if (suffix != nullptr) {
    q.format = suffix->format;
    power = suffix->power;
  } else if ((rest[0] == 'e' || rest[0] == 'E') && rest.size() >= 2 && rest.size() <= 4) {
    q.format = Format::exponent;
    bool minus = rest[1] == '-';
    auto number = rest.substr(rest[1] == '-' || rest[1] == '+' ? 2 : 1);
    if (number.empty()) return wrong();
    for (char c : number) {
      if (c < '0' || c > '9') return wrong();
      power = power * 10 + (c - '0');
    }
    if (minus) power = -power;
  } else {
    return wrong();
  }
  __int128 value = mantissa * nano;  // at most 2^120
  auto too_large = [&] { return fail(Kind::invalid, "\"{}\": the quantity is too large", text); };
  for (int i = 0; q.format == Format::binary && i < power; ++i) {
    if (value > (static_cast<__int128>(1) << 116)) return too_large();
    value *= 1024;
  }
  int tens = (q.format == Format::binary ? 0 : power) - scale;
  bool lost = finer;
  for (; tens < 0; ++tens) {
    lost |= value % 10 != 0;
    value /= 10;
  }
  for (; tens > 0; --tens) {
    if (value > (static_cast<__int128>(1) << 122)) return too_large();
    value *= 10;
  }
  if (value > most) return too_large();
  if (lost) ++value;
  q.nanos = negative ? -value : value;
  return q;
}

std::int64_t Quantity::value() const {
  auto n = up(nanos, nano);
  return n > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(n);
}
std::int64_t Quantity::millis() const {
  auto n = up(nanos, nano / 1000);
  return n > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(n);
}

std::string Quantity::print() const {
  if (nanos == 0) return "0";
  auto form = format;
  auto size = nanos < 0 ? -nanos : nanos;
  if (form == Format::binary && (size < 1024 * nano || size % nano != 0)) form = Format::decimal;
  if (form == Format::binary) {
    static constexpr std::string_view names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    auto n = nanos / nano;
    std::size_t i = 0;
    for (; i < 6 && n % 1024 == 0; ++i) n /= 1024;
    return digits(n) + std::string(names[i]);
  }
  static constexpr std::string_view names[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  auto n = nanos;
  int i = 0;
  for (; i < 9 && n % 1000 == 0; ++i) n /= 1000;
  if (form == Format::exponent) return i == 3 ? digits(n) : fmt::format("{}e{}", digits(n), (i - 3) * 3);
  return digits(n) + std::string(names[i]);
}

}  // namespace slipway::kube
