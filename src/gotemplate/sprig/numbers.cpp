#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/hash.h"
#include "base/text.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

// Sums of Go's int64 wrap around.
std::int64_t wrap(std::uint64_t n) { return static_cast<std::int64_t>(n); }
std::uint64_t bits(const Value& v) { return static_cast<std::uint64_t>(to_int64(v)); }

Result<Value> divided(const Items& a, bool rest) {
  auto x = to_int64(a[0]), y = to_int64(a[1]);
  if (y == 0) return wrong("runtime error: integer divide by zero");
  if (y == -1) return int64(rest ? 0 : wrap(0 - static_cast<std::uint64_t>(x)));
  return int64(rest ? x % y : x / y);
}

// Decimal arithmetic: 0.1 and 0.2 are 0.3. The sums of long doubles are right to more digits than are kept.
double decimal(long double value) {
  if (!std::isfinite(value)) return static_cast<double>(value);
  return std::strtod(fmt::format("{:.17Lg}", value).c_str(), nullptr);
}
long double exact(const Value& v) { return std::strtold(print_float(to_float(v), 'g', -1).c_str(), nullptr); }

template <class F>
Function folded(std::string_view parameters, F f) {
  return {parameters, [f](const Items& a) -> Result<Value> {
            if (a.empty()) return Value(0.0);
            auto sum = exact(a[0]);
            for (std::size_t i = 1; i < a.size(); ++i) sum = f(sum, exact(a[i]));
            if (std::isnan(sum) || std::isinf(sum)) return wrong("decimal division by 0");
            return Value(decimal(sum));
          }};
}

template <class F>
Function chosen(F f) {
  return {"aa*", [f](const Items& a) -> Result<Value> {
            auto best = to_int64(a[0]);
            for (const auto& v : a) best = f(best, to_int64(v)) ? best : to_int64(v);
            return int64(best);
          }};
}
template <class F>
Function chosen_real(F f) {
  return {"aa*", [f](const Items& a) -> Result<Value> {
            auto best = to_float(a[0]);
            for (const auto& v : a) best = f(best, to_float(v));
            return Value(best);
          }};
}

Result<std::vector<std::int64_t>> until_step(std::int64_t from, std::int64_t to, std::int64_t step) {
  std::vector<std::int64_t> out;
  if ((to < from && step >= 0) || (to >= from && step <= 0)) return out;
  for (auto i = from; to < from ? i > to : i < to; i += step) {
    out.push_back(i);
    TRY_OK(within(out.size(), most_items, "the list"));
  }
  return out;
}

Result<Value> numbers(Result<std::vector<std::int64_t>> list) {
  if (!list) return Fail(std::move(list).error());
  Items items;
  for (auto n : *list) items.emplace_back(Int{n, false});
  return Value(std::move(items), List::Of::ints);
}

Result<Value> seq(const Items& a) {
  if (a.empty() || a.size() > 3) return Value("");
  auto from = a.size() == 1 ? 1 : num(a[0]), to = num(a.back());
  std::int64_t sign = to < from ? -1 : 1;
  auto step = a.size() == 3 ? num(a[1]) : sign;
  if (a.size() == 3 && sign < 0 && step > 0) return Value("");
  TRY(auto list, until_step(from, to + sign, step));
  std::vector<std::string> words;
  for (auto n : list) words.push_back(std::to_string(n));
  return Value(join(words, " "));
}

Result<Value> rounded(const Items& a) {
  auto on = a.size() > 2 ? *a[2].if_float() : 0.5;
  auto scale = std::pow(10.0, static_cast<double>(num(a[1])));
  auto shifted = scale * to_float(a[0]);
  double whole = 0;
  auto rest = std::modf(shifted, &whole);
  return Value((rest >= on ? std::ceil(shifted) : std::floor(shifted)) / scale);
}

Result<Value> octal(const Items& a) {
  auto s = print(a[0]);
  std::int64_t n = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n, 8);
  return int64(error == std::errc() && end == s.data() + s.size() ? n : 0);
}

}  // namespace

Rows number_rows() {
  return {
      {"int", strings_to("a", [](const Items& a) { return Int{to_int64(a[0]), false}; })},
      {"int64", strings_to("a", [](const Items& a) { return Int{to_int64(a[0]), true}; })},
      {"float64", strings_to("a", [](const Items& a) { return to_float(a[0]); })},
      {"atoi", strings_to("s", [](const Items& a) { return Int{to_int(text(a[0])).value_or(0), false}; })},
      {"toDecimal", {"a", octal}},
      {"add1", strings_to("a", [](const Items& a) { return Int{wrap(bits(a[0]) + 1), true}; })},
      {"add", strings_to("a*",
                         [](const Items& a) {
                           std::uint64_t sum = 0;
                           for (const auto& v : a) sum += bits(v);
                           return Int{wrap(sum), true};
                         })},
      {"sub", strings_to("aa", [](const Items& a) { return Int{wrap(bits(a[0]) - bits(a[1])), true}; })},
      {"mul", strings_to("aa*",
                         [](const Items& a) {
                           std::uint64_t product = 1;
                           for (const auto& v : a) product *= bits(v);
                           return Int{wrap(product), true};
                         })},
      {"div", {"aa", [](const Items& a) { return divided(a, false); }}},
      {"mod", {"aa", [](const Items& a) { return divided(a, true); }}},
      {"randInt",
       {"ii",
        [](const Items& a) -> Result<Value> {
          auto from = num(a[0]), to = num(a[1]);
          if (from >= to) return wrong("invalid argument to Intn");
          std::uint64_t n = 0;
          for (char c : random_bytes(8)) n = n << 8 | static_cast<unsigned char>(c);
          return Value(Int{from + static_cast<std::int64_t>(n % static_cast<std::uint64_t>(to - from)), false});
        }}},
      {"add1f", strings_to("a", [](const Items& a) { return decimal(exact(a[0]) + 1); })},
      {"addf", folded("a*", [](long double x, long double y) { return x + y; })},
      {"subf", folded("aa*", [](long double x, long double y) { return x - y; })},
      {"mulf", folded("aa*", [](long double x, long double y) { return x * y; })},
      {"divf", folded("aa*", [](long double x, long double y) { return x / y; })},
      {"max", chosen([](std::int64_t x, std::int64_t y) { return x >= y; })},
      {"biggest", chosen([](std::int64_t x, std::int64_t y) { return x >= y; })},
      {"min", chosen([](std::int64_t x, std::int64_t y) { return x <= y; })},
      {"maxf", chosen_real([](double x, double y) { return std::max(x, y); })},
      {"minf", chosen_real([](double x, double y) { return std::min(x, y); })},
      {"floor", strings_to("a", [](const Items& a) { return std::floor(to_float(a[0])); })},
      {"ceil", strings_to("a", [](const Items& a) { return std::ceil(to_float(a[0])); })},
      {"round", {"aif*", rounded}},
      {"until", {"i", [](const Items& a) { return numbers(until_step(0, num(a[0]), num(a[0]) < 0 ? -1 : 1)); }}},
      {"untilStep", {"iii", [](const Items& a) { return numbers(until_step(num(a[0]), num(a[1]), num(a[2]))); }}},
      {"seq", {"i*", seq}},
  };
}

}  // namespace slipway::gotemplate::sprig
