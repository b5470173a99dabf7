// Values that may be missing.
#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

Result<Value> of(Run&, Args a) { return Value::some(a[0]); }
Result<Value> none(Run&, Args) { return Value::none(); }

bool is_zero(const Value& v) {
  switch (v.letter()) {
    case 'n':
      return true;
    case 'b':
      return !*v.if_bool();
    case 's':
      return v.if_string()->empty();
    case 'y':
      return v.if_bytes()->empty();
    case 'l':
      return v.if_list()->size() == 0;
    case 'm':
      return v.if_map()->size() == 0;
    case 'o':
      return !v.if_optional()->held;
    case 'D':
      return v.if_a<Duration>()->nanos == 0;
    case 't':
      return *v.if_a<Timestamp>() == Timestamp{-62'135'596'800, 0};
    default:
      return v.is_number() && scalar_equal(v, Value(0));
  }
}
Result<Value> of_non_zero(Run&, Args a) { return is_zero(a[0]) ? Value::none() : Value::some(a[0]); }
Result<Value> has_value(Run&, Args a) { return Value(a[0].if_optional()->held != nullptr); }
Result<Value> value(Run&, Args a) {
  const auto& held = a[0].if_optional()->held;
  if (!held) return fail(Kind::invalid, "optional.none() has no value");
  return *held;
}
Result<Value> either(Run&, Args a) { return a[0].if_optional()->held ? a[0] : a[1]; }
Result<Value> or_value(Run&, Args a) { return a[0].if_optional()->held ? *a[0].if_optional()->held : a[1]; }
Result<Value> unwrap(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  List::Items items;
  TRY_OK(run.spend(list.size()));
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto item = list.at(i);
    if (item.if_optional() == nullptr) return fail(Kind::invalid, "{}", no_overload("unwrap", std::array{item}));
    if (item.if_optional()->held) items.push_back(*item.if_optional()->held);
  }
  return run.list(std::move(items));
}

constexpr Overload all[] = {
    {"optional.of", "a", of},      {"optional.none", "", none},      {"optional.ofNonZeroValue", "a", of_non_zero},
    {"hasValue", ".o", has_value}, {"value", ".o", value},           {"or", ".oo", either},
    {"orValue", ".oa", or_value},  {"optional.unwrap", "l", unwrap}, {"unwrapOpt", ".l", unwrap},
};

}  // namespace

Overloads optional_functions() { return all; }

}  // namespace slipway::cel::detail
