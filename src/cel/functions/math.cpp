// math.*
#include <cmath>

#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

template <bool greatest>
Result<Value> best_of(Args a, std::string_view name) {
  if (a.empty()) return fail(Kind::invalid, "{}() of an empty list", name);
  const auto* best = &a[0];
  for (const auto& one : a) {
    if (!one.is_number()) return fail(Kind::invalid, "{}", no_overload(name, std::array{one}));
    auto order = compare(one, *best).order;
    if (greatest ? order > 0 : order < 0) best = &one;
  }
  return *best;
}
template <bool greatest>
Result<Value> extreme(Run&, Args a) {
  return best_of<greatest>(a, greatest ? "math.greatest" : "math.least");
}
template <bool greatest>
Result<Value> extreme_of_list(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  TRY_OK(run.spend(list.size()));
  List::Items items;
  for (std::size_t i = 0; i < list.size(); ++i) items.push_back(list.at(i));
  return best_of<greatest>(items, greatest ? "math.greatest" : "math.least");
}

template <double (*function)(double)>
Result<Value> real(Run&, Args a) {
  return Value(function(*a[0].if_double()));
}
template <bool (*function)(double)>
Result<Value> test(Run&, Args a) {
  return Value(function(*a[0].if_double()));
}
double up(double d) { return std::ceil(d); }
double down(double d) { return std::floor(d); }
double nearest_whole(double d) { return std::round(d); }
double cut_off(double d) { return std::trunc(d); }
double magnitude(double d) { return std::fabs(d); }
double sign_of(double d) { return d > 0 ? 1 : d < 0 ? -1 : d; }
bool finite(double d) { return std::isfinite(d); }
bool infinite(double d) { return std::isinf(d); }
bool not_a_number(double d) { return std::isnan(d); }

Result<Value> same(Run&, Args a) { return a[0]; }
Result<Value> abs_int(Run&, Args a) {
  auto n = *a[0].if_int();
  if (n == INT64_MIN) return fail(Kind::invalid, "integer overflow");
  return Value(n < 0 ? -n : n);
}
Result<Value> sign_int(Run&, Args a) { return Value((*a[0].if_int() > 0) - (*a[0].if_int() < 0)); }
Result<Value> sign_uint(Run&, Args a) { return Value(std::uint64_t{*a[0].if_uint() > 0}); }
Result<Value> sqrt_of(Run&, Args a) {
  if (const auto* n = a[0].if_int()) return Value(std::sqrt(static_cast<double>(*n)));
  if (const auto* n = a[0].if_uint()) return Value(std::sqrt(static_cast<double>(*n)));
  return Value(std::sqrt(*a[0].if_double()));
}

// The bits, whatever the sign says of them.
std::uint64_t bits(const Value& v) {
  return v.if_int() != nullptr ? static_cast<std::uint64_t>(*v.if_int()) : *v.if_uint();
}
Value like(const Value& v, std::uint64_t out) {
  return v.if_int() != nullptr ? Value(static_cast<std::int64_t>(out)) : Value(out);
}

Result<Value> bit_and(Run&, Args a) { return like(a[0], bits(a[0]) & bits(a[1])); }
Result<Value> bit_or(Run&, Args a) { return like(a[0], bits(a[0]) | bits(a[1])); }
Result<Value> bit_xor(Run&, Args a) { return like(a[0], bits(a[0]) ^ bits(a[1])); }
Result<Value> bit_not(Run&, Args a) { return like(a[0], ~bits(a[0])); }
template <bool left>
Result<Value> shift(Run&, Args a) {
  auto by = *a[1].if_int();
  if (by < 0) return fail(Kind::invalid, "negative offset: {}", by);
  if (by >= 64) return like(a[0], 0);
  return like(a[0], left ? bits(a[0]) << by : bits(a[0]) >> by);
}

constexpr Overload all[] = {
    {"math.greatest", "l", extreme_of_list<true>},
    {"math.greatest", "N*", extreme<true>},
    {"math.least", "l", extreme_of_list<false>},
    {"math.least", "N*", extreme<false>},
    {"math.ceil", "d", real<up>},
    {"math.floor", "d", real<down>},
    {"math.round", "d", real<nearest_whole>},
    {"math.trunc", "d", real<cut_off>},
    {"math.abs", "d", real<magnitude>},
    {"math.abs", "i", abs_int},
    {"math.abs", "u", same},
    {"math.sign", "d", real<sign_of>},
    {"math.sign", "i", sign_int},
    {"math.sign", "u", sign_uint},
    {"math.sqrt", "N", sqrt_of},
    {"math.isNaN", "d", test<not_a_number>},
    {"math.isInf", "d", test<infinite>},
    {"math.isFinite", "d", test<finite>},
    {"math.bitAnd", "ii", bit_and},
    {"math.bitAnd", "uu", bit_and},
    {"math.bitOr", "ii", bit_or},
    {"math.bitOr", "uu", bit_or},
    {"math.bitXor", "ii", bit_xor},
    {"math.bitXor", "uu", bit_xor},
    {"math.bitNot", "i", bit_not},
    {"math.bitNot", "u", bit_not},
    {"math.bitShiftLeft", "ii", shift<true>},
    {"math.bitShiftLeft", "ui", shift<true>},
    {"math.bitShiftRight", "ii", shift<false>},
    {"math.bitShiftRight", "ui", shift<false>},
};

}  // namespace

Overloads math_functions() { return all; }

}  // namespace slipway::cel::detail
