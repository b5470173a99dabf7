// size, type, dyn, and what tells whether sets have things in common.
#include "cel/detail/function.h"
#include "cel/detail/utf8.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

Result<Value> count(std::size_t n) { return Value(static_cast<std::int64_t>(n)); }

Result<Value> size_string(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_string()));
  return count(count_code_points(*a[0].if_string()));
}
Result<Value> size_bytes(Run&, Args a) { return count(a[0].if_bytes()->size()); }
Result<Value> size_list(Run&, Args a) { return count(a[0].if_list()->size()); }
Result<Value> size_map(Run&, Args a) { return count(a[0].if_map()->size()); }

Result<Value> type_of(Run&, Args a) { return Value(TypeName{a[0].type()}); }
Result<Value> dyn(Run&, Args a) { return a[0]; }

Result<bool> holds_all(Run& run, const Value& all, const List& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    TRY(auto there, in(run, items.at(i), all));
    if (!*there.if_bool()) return false;
  }
  return true;
}
Result<Value> sets_contains(Run& run, Args a) {
  TRY(bool all, holds_all(run, a[0], *a[1].if_list()));
  return Value(all);
}
Result<Value> sets_equivalent(Run& run, Args a) {
  TRY(bool there, holds_all(run, a[0], *a[1].if_list()));
  if (!there) return Value(false);
  TRY(bool back, holds_all(run, a[1], *a[0].if_list()));
  return Value(back);
}
Result<Value> sets_intersects(Run& run, Args a) {
  const auto& items = *a[1].if_list();
  for (std::size_t i = 0; i < items.size(); ++i) {
    TRY(auto there, in(run, items.at(i), a[0]));
    if (*there.if_bool()) return Value(true);
  }
  return Value(false);
}

constexpr Overload all[] = {
    {"size", "s", size_string},
    {"size", ".s", size_string},
    {"size", "y", size_bytes},
    {"size", ".y", size_bytes},
    {"size", "l", size_list},
    {"size", ".l", size_list},
    {"size", "m", size_map},
    {"size", ".m", size_map},
    {"type", "a", type_of},
    {"dyn", "a", dyn},
    {"sets.contains", "ll", sets_contains},
    {"sets.equivalent", "ll", sets_equivalent},
    {"sets.intersects", "ll", sets_intersects},
};

}  // namespace

Overloads basic_functions() { return all; }

}  // namespace slipway::cel::detail
