// Kubernetes' amounts: "500m", "1.5Gi". Kept in billionths, as finer ones are rounded up to.
#include <cmath>

#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;
using Wide = __int128;

constexpr Wide billion = 1'000'000'000;
constexpr Wide most = Wide{1} << 120;

std::optional<Wide> times(Wide a, Wide b) {
  Wide out = 0;
  if (__builtin_mul_overflow(a, b, &out) || out > most || out < -most) return std::nullopt;
  return out;
}

// How many billionths one of the suffix is, as a fraction: n (1) to E, Ki to Ei, e3.
struct Scale {
  Wide multiply = 1, divide = 1;
};
std::optional<Scale> scale_of(std::string_view suffix) {
  if (suffix.empty()) return Scale{billion};
  constexpr std::string_view letters = "numkMGTPE";
  if (suffix.size() == 1 && letters.contains(suffix[0])) {
    auto at = letters.find(suffix[0]);
    Wide by = 1;
    // n, u and m are below one; k comes after it.
    for (std::size_t i = at < 3 ? at : at + 1; i > 0; --i) by *= 1000;
    return Scale{by};
  }
  if (suffix.size() == 2 && suffix[1] == 'i') {
    auto at = std::string_view("KMGTPE").find(suffix[0]);
    if (at == std::string_view::npos) return std::nullopt;
    return Scale{billion << (10 * (at + 1))};
  }
  if (suffix[0] != 'e' && suffix[0] != 'E') return std::nullopt;
  auto digits = suffix.substr(1);
  bool minus = digits.starts_with('-');
  if (minus || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > 2 || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  int exponent = 0;
  for (char c : digits) exponent = exponent * 10 + (c - '0');
  if (exponent > 27) return std::nullopt;
  Scale scale{billion};
  for (int i = 0; i < exponent; ++i) (minus ? scale.divide : scale.multiply) *= 10;
  return scale;
}

std::optional<Wide> parse(std::string_view text) {
  bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  auto end = std::min(text.find_first_not_of("0123456789."), text.size());
  auto scale = scale_of(text.substr(end));
  Wide digits = 0;
  std::size_t count = 0;
  bool point = false, finer = false;
  if (!scale) return std::nullopt;
  for (char c : text.substr(0, end)) {
    if (c == '.') {
      if (point) return std::nullopt;
      point = true;
      continue;
    }
    ++count;
    // Beyond what fits, a fraction only tells that there is something to round up.
    if (point && scale->divide >= Wide{1'000'000'000'000'000}) {
      finer = finer || c != '0';
      continue;
    }
    auto next = times(digits, 10);
    if (!next) return std::nullopt;
    digits = *next + (c - '0');
    if (point) scale->divide *= 10;
  }
  if (count == 0) return std::nullopt;
  // Shorten first: 0.1Ei is more than what its digits times its scale may be.
  while (scale->divide % 10 == 0 && scale->multiply % 10 == 0) scale->divide /= 10, scale->multiply /= 10;
  auto product = times(digits, scale->multiply);
  if (!product) return std::nullopt;
  auto nanos = *product / scale->divide + (*product % scale->divide != 0 || finer ? 1 : 0);
  return minus ? -nanos : nanos;
}

class Quantity final : public Object {
 public:
  explicit Quantity(Wide nanos) : nanos_(nanos) {}
  std::string_view type() const override { return "kubernetes.Quantity"; }
  bool equals(const Object& other) const override { return nanos_ == static_cast<const Quantity&>(other).nanos_; }
  std::string print() const override { return fmt::format("{}", static_cast<double>(nanos_) / 1e9); }
  Wide nanos() const { return nanos_; }

 private:
  Wide nanos_;
};

Wide nanos(const Value& v) {
  if (const auto* n = v.if_int()) return *n * billion;
  return static_cast<const Quantity*>(v.if_object())->nanos();
}
Result<Value> made(Wide nanos) {
  if (nanos > most || nanos < -most) return fail(Kind::invalid, "quantity overflow");
  return Value(std::shared_ptr<const Object>(std::make_shared<Quantity>(nanos)));
}

Result<Value> quantity(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_string()));
  auto parsed = parse(*a[0].if_string());
  if (!parsed)
    return fail(Kind::invalid, "{} is no quantity, want like 500m, 1.5Gi or 1e3", print(a[0]).substr(0, 100));
  return made(*parsed);
}
Result<Value> is_quantity(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_string()));
  return Value(parse(*a[0].if_string()).has_value());
}
Result<Value> sign(Run&, Args a) { return Value((nanos(a[0]) > 0) - (nanos(a[0]) < 0)); }
Result<Value> add(Run&, Args a) { return made(nanos(a[0]) + nanos(a[1])); }
Result<Value> subtract(Run&, Args a) { return made(nanos(a[0]) - nanos(a[1])); }
Result<Value> less(Run&, Args a) { return Value(nanos(a[0]) < nanos(a[1])); }
Result<Value> greater(Run&, Args a) { return Value(nanos(a[0]) > nanos(a[1])); }
Result<Value> compare_to(Run&, Args a) { return Value((nanos(a[0]) > nanos(a[1])) - (nanos(a[0]) < nanos(a[1]))); }

bool whole(Wide n) { return n % billion == 0 && n / billion <= INT64_MAX && n / billion >= INT64_MIN; }
Result<Value> is_integer(Run&, Args a) { return Value(whole(nanos(a[0]))); }
Result<Value> as_integer(Run&, Args a) {
  if (!whole(nanos(a[0]))) return fail(Kind::invalid, "the quantity is no whole number of 64 bits");
  return Value(static_cast<std::int64_t>(nanos(a[0]) / billion));
}
Result<Value> as_float(Run&, Args a) { return Value(static_cast<double>(nanos(a[0])) / 1e9); }

constexpr Overload all[] = {
    {"quantity", "s", quantity},
    {"isQuantity", "s", is_quantity},
    {"sign", ".Q", sign},
    {"add", ".QQ", add},
    {"add", ".Qi", add},
    {"sub", ".QQ", subtract},
    {"sub", ".Qi", subtract},
    {"isLessThan", ".QQ", less},
    {"isGreaterThan", ".QQ", greater},
    {"compareTo", ".QQ", compare_to},
    {"isInteger", ".Q", is_integer},
    {"asInteger", ".Q", as_integer},
    {"asApproximateFloat", ".Q", as_float},
};

}  // namespace

Overloads quantity_functions() { return all; }

}  // namespace slipway::cel::detail
