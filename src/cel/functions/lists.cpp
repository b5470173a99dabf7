// Kubernetes' list functions: isSorted, sum, min, max, indexOf, lastIndexOf.
#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

Result<Value> is_sorted(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  TRY_OK(run.spend(list.size()));
  for (std::size_t i = 1; i < list.size(); ++i) {
    std::array pair{list.at(i - 1), list.at(i)};
    auto [comparable, order] = compare(pair[0], pair[1]);
    if (!comparable) return fail(Kind::invalid, "{}", no_overload("isSorted", pair));
    if (order > 0) return Value(false);
  }
  return Value(true);
}

Result<Value> sum(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  TRY_OK(run.spend(list.size()));
  if (list.size() == 0) return Value(0);
  auto total = list.at(0);
  if (!total.is_number() && total.letter() != 'D')
    return fail(Kind::invalid, "{}", no_overload("sum", std::array{total}));
  for (std::size_t i = 1; i < list.size(); ++i) {
    TRY(total, arithmetic(run, Op::add, total, list.at(i)));
  }
  return total;
}

template <bool greatest>
Result<Value> extreme(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  TRY_OK(run.spend(list.size()));
  if (list.size() == 0) return fail(Kind::invalid, "{} of an empty list", greatest ? "max" : "min");
  auto best = list.at(0);
  for (std::size_t i = 1; i < list.size(); ++i) {
    std::array pair{list.at(i), best};
    auto [comparable, order] = compare(pair[0], pair[1]);
    if (!comparable) return fail(Kind::invalid, "{}", no_overload(greatest ? "max" : "min", pair));
    if (greatest ? order > 0 : order < 0) best = pair[0];
  }
  return best;
}

Result<Value> index_of(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    TRY(bool same, run.equal(list.at(i), a[1]));
    if (same) return Value(static_cast<std::int64_t>(i));
  }
  return Value(-1);
}
Result<Value> last_index_of(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  for (std::size_t i = list.size(); i-- > 0;) {
    TRY(bool same, run.equal(list.at(i), a[1]));
    if (same) return Value(static_cast<std::int64_t>(i));
  }
  return Value(-1);
}

constexpr Overload all[] = {
    {"isSorted", ".l", is_sorted}, {"sum", ".l", sum},           {"min", ".l", extreme<false>},
    {"max", ".l", extreme<true>},  {"indexOf", ".la", index_of}, {"lastIndexOf", ".la", last_index_of},
};

}  // namespace

Overloads list_functions() { return all; }

}  // namespace slipway::cel::detail
