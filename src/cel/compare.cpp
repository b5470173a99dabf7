// What is equal, less, and in. Numbers of different types compare by their values; other types do not mix.
#include <array>

#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

std::partial_ordering order_of(std::int64_t a, std::uint64_t b) {
  return a < 0 ? std::partial_ordering::less : static_cast<std::uint64_t>(a) <=> b;
}
// As the reference has it: within the range the integer becomes a double, beyond 2^53 not exactly.
std::partial_ordering order_of(double a, std::int64_t b) {
  if (a < -0x1p63) return std::partial_ordering::less;
  if (a > 0x1p63) return std::partial_ordering::greater;
  return a <=> static_cast<double>(b);
}
std::partial_ordering order_of(double a, std::uint64_t b) {
  if (a < 0) return std::partial_ordering::less;
  if (a > 0x1p64) return std::partial_ordering::greater;
  return a <=> static_cast<double>(b);
}
std::partial_ordering reversed(std::partial_ordering order) { return 0 <=> order; }

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  if (const auto* x = a.if_int()) {
    if (const auto* y = b.if_int()) return *x <=> *y;
    if (const auto* y = b.if_uint()) return order_of(*x, *y);
    return reversed(order_of(*b.if_double(), *x));
  }
  if (const auto* x = a.if_uint()) {
    if (const auto* y = b.if_int()) return reversed(order_of(*y, *x));
    if (const auto* y = b.if_uint()) return *x <=> *y;
    return reversed(order_of(*b.if_double(), *x));
  }
  if (const auto* y = b.if_int()) return order_of(*a.if_double(), *y);
  if (const auto* y = b.if_uint()) return order_of(*a.if_double(), *y);
  return *a.if_double() <=> *b.if_double();
}

}  // namespace

Order compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return {true, order_numbers(a, b)};
  if (auto x = a.if_string(), y = b.if_string(); x && y) return {true, *x <=> *y};
  if (auto x = a.if_bytes(), y = b.if_bytes(); x && y) return {true, *x <=> *y};
  if (const auto *x = a.if_bool(), *y = b.if_bool(); x != nullptr && y != nullptr) return {true, *x <=> *y};
  if (const auto *x = a.if_a<Timestamp>(), *y = b.if_a<Timestamp>(); x != nullptr && y != nullptr)
    return {true, *x <=> *y};
  if (const auto *x = a.if_a<Duration>(), *y = b.if_a<Duration>(); x != nullptr && y != nullptr)
    return {true, *x <=> *y};
  return {};
}

bool scalar_equal(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  if (const auto *x = a.if_a<TypeName>(), *y = b.if_a<TypeName>(); x != nullptr && y != nullptr)
    return x->name == y->name;
  if (const auto *x = a.if_object(), *y = b.if_object(); x != nullptr && y != nullptr)
    return x->type() == y->type() && x->equals(*y);
  auto [comparable, order] = compare(a, b);
  return comparable && order == 0;
}

Result<bool> Run::equal(const Value& a, const Value& b) {
  TRY_OK(spend(1));
  if (const auto *x = a.if_list(), *y = b.if_list(); x != nullptr && y != nullptr) {
    if (x->size() != y->size()) return false;
    for (std::size_t i = 0; i < x->size(); ++i) {
      TRY(bool same, equal(x->at(i), y->at(i)));
      if (!same) return false;
    }
    return true;
  }
  if (const auto *x = a.if_map(), *y = b.if_map(); x != nullptr && y != nullptr) {
    if (x->size() != y->size()) return false;
    for (std::size_t i = 0; i < x->size(); ++i) {
      auto other = y->find(x->key(i));
      if (!other) return false;
      TRY(bool same, equal(x->value(i), *other));
      if (!same) return false;
    }
    return true;
  }
  if (const auto *x = a.if_optional(), *y = b.if_optional(); x != nullptr && y != nullptr) {
    if (!x->held || !y->held) return !x->held && !y->held;
    return equal(*x->held, *y->held);
  }
  if (auto s = a.if_string()) TRY_OK(spend_on(*s));
  return scalar_equal(a, b);
}

Result<Value> in(Run& run, const Value& item, const Value& of) {
  if (const auto* map = of.if_map()) return Value(map->find(item).has_value());
  const auto* list = of.if_list();
  if (list == nullptr) return fail(Kind::invalid, "{}", no_overload("in", std::array{item, of}));
  for (std::size_t i = 0; i < list->size(); ++i) {
    TRY(bool same, run.equal(list->at(i), item));
    if (same) return Value(true);
  }
  return Value(false);
}

}  // namespace slipway::cel::detail
