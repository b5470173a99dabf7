// + - * / %: within one type, and what does not fit is an error.
#include <cmath>

#include "cel/detail/function.h"
#include "cel/detail/text.h"

namespace slipway::cel::detail {
namespace {

constexpr std::int64_t billion = 1'000'000'000;

Fail overflow(std::string_view what = "integer") { return fail(Kind::invalid, "{} overflow", what); }

template <class T>
Result<Value> whole(Op op, T a, T b) {
  T out = 0;
  bool lost = false;
  switch (op) {
    case Op::add:
      lost = __builtin_add_overflow(a, b, &out);
      break;
    case Op::subtract:
      lost = __builtin_sub_overflow(a, b, &out);
      break;
    case Op::multiply:
      lost = __builtin_mul_overflow(a, b, &out);
      break;
    default:
      if (b == 0) return fail(Kind::invalid, "{}", op == Op::divide ? "division by zero" : "modulus by zero");
      if constexpr (std::is_signed_v<T>) {
        if (b == -1 && a == INT64_MIN) return overflow();
      }
      out = op == Op::divide ? a / b : a % b;
  }
  if (lost) return overflow(std::is_signed_v<T> ? "integer" : "unsigned integer");
  return Value(out);
}

Result<Value> moved(const Timestamp& t, __int128 nanos) {
  nanos += static_cast<__int128>(t.seconds) * billion + t.nanos;
  auto seconds = nanos / billion - (nanos % billion < 0 ? 1 : 0);
  Timestamp out{static_cast<std::int64_t>(seconds), static_cast<std::int32_t>(nanos - seconds * billion)};
  if (!in_range(out)) return overflow("timestamp");
  return Value(out);
}

Result<Value> times(Op op, const Value& a, const Value& b) {
  const auto *t = a.if_a<Timestamp>(), *u = b.if_a<Timestamp>();
  const auto *d = a.if_a<Duration>(), *e = b.if_a<Duration>();
  if (t != nullptr && e != nullptr) return moved(*t, op == Op::add ? __int128{e->nanos} : -__int128{e->nanos});
  if (d != nullptr && u != nullptr && op == Op::add) return moved(*u, d->nanos);
  __int128 nanos = 0;
  if (t != nullptr && u != nullptr && op == Op::subtract) {
    nanos = (static_cast<__int128>(t->seconds) - u->seconds) * billion + t->nanos - u->nanos;
  } else if (d != nullptr && e != nullptr) {
    nanos = op == Op::add ? __int128{d->nanos} + e->nanos : __int128{d->nanos} - e->nanos;
  } else {
    return fail(Kind::invalid, "{}", no_overload(to_string(op), std::array{a, b}));
  }
  if (nanos > INT64_MAX || nanos < INT64_MIN) return overflow("duration");
  return Value(Duration{static_cast<std::int64_t>(nanos)});
}

Result<Value> joined(Run& run, const List& a, const List& b) {
  // Paid for first: the sizes are known.
  TRY_OK(run.spend((a.size() + b.size()) / 10));
  TRY_OK(run.make((a.size() + b.size()) * sizeof(Value)));
  List::Items items;
  items.reserve(a.size() + b.size());
  for (std::size_t i = 0; i < a.size(); ++i) items.push_back(a.at(i));
  for (std::size_t i = 0; i < b.size(); ++i) items.push_back(b.at(i));
  return Value(List(std::move(items)));
}

Result<Value> sum_of_texts(Run& run, std::string_view a, std::string_view b, bool bytes) {
  TRY_OK(run.spend((a.size() + b.size()) / 10));
  TRY_OK(run.make(a.size() + b.size()));
  std::string out(a);
  out += b;
  if (bytes) return Value(Bytes{Text::own(std::move(out))});
  return Value(std::move(out));
}

}  // namespace

Result<Value> arithmetic(Run& run, Op op, const Value& a, const Value& b) {
  if (const auto *x = a.if_int(), *y = b.if_int(); x != nullptr && y != nullptr) return whole(op, *x, *y);
  if (const auto *x = a.if_uint(), *y = b.if_uint(); x != nullptr && y != nullptr) return whole(op, *x, *y);
  if (const auto *x = a.if_double(), *y = b.if_double(); x != nullptr && y != nullptr) {
    if (op == Op::add) return Value(*x + *y);
    if (op == Op::subtract) return Value(*x - *y);
    if (op == Op::multiply) return Value(*x * *y);
    if (op == Op::divide) return Value(*x / *y);
  }
  if (op == Op::add) {
    if (auto x = a.if_string(), y = b.if_string(); x && y) return sum_of_texts(run, *x, *y, false);
    if (auto x = a.if_bytes(), y = b.if_bytes(); x && y) return sum_of_texts(run, *x, *y, true);
    if (const auto *x = a.if_list(), *y = b.if_list(); x != nullptr && y != nullptr) return joined(run, *x, *y);
  }
  if (op == Op::add || op == Op::subtract) return times(op, a, b);
  return fail(Kind::invalid, "{}", no_overload(to_string(op), std::array{a, b}));
}

}  // namespace slipway::cel::detail
