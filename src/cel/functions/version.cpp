// Kubernetes' semantic versions: strict, or brought into form first.
#include <algorithm>

#include "base/semver.h"
#include "base/text.h"
#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

bool is_number(std::string_view part) {
  return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
}

// semver.org 2.0, to the letter.
bool strict(std::string_view text) {
  auto plus = text.find('+');
  auto identifiers = [](std::string_view all, bool leading_zeros) {
    return std::ranges::all_of(split(all, '.'), [&](std::string_view part) {
      bool named = !part.empty() && std::ranges::all_of(part, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
      });
      return named && (leading_zeros || !is_number(part) || part.size() == 1 || part[0] != '0');
    });
  };
  if (plus != std::string_view::npos && !identifiers(text.substr(plus + 1), true)) return false;
  text = text.substr(0, plus);
  auto dash = text.find('-');
  if (dash != std::string_view::npos && !identifiers(text.substr(dash + 1), false)) return false;
  auto numbers = split(text.substr(0, dash), '.');
  return numbers.size() == 3 && std::ranges::all_of(numbers, [](std::string_view n) {
           return is_number(n) && (n.size() == 1 || n[0] != '0') && to_int(n).has_value();
         });
}

// Without "v", with three numbers and without their leading zeros.
std::string normalized(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  auto end = std::min(text.find_first_of("-+"), text.size());
  auto numbers = split(text.substr(0, end), '.');
  std::string out;
  for (std::size_t i = 0; i < std::max<std::size_t>(numbers.size(), 3); ++i) {
    auto n = i < numbers.size() ? numbers[i] : std::string_view("0");
    while (n.size() > 1 && n[0] == '0') n.remove_prefix(1);
    if (i > 0) out += '.';
    out += n;
  }
  // A version with a pre-release but not all numbers stays wrong, as in Kubernetes.
  return numbers.size() < 3 && end < text.size() ? std::string(text) : out + std::string(text.substr(end));
}

std::optional<Version> parse(Args a) {
  auto text = *a[0].if_string();
  if (text.size() > 256) return std::nullopt;
  auto form = a.size() == 2 && *a[1].if_bool() ? normalized(text) : std::string(text);
  return strict(form) ? Version::parse(form) : std::nullopt;
}

class Semver final : public Object {
 public:
  explicit Semver(Version version) : version_(std::move(version)) {}
  std::string_view type() const override { return "kubernetes.Semver"; }
  bool equals(const Object& other) const override {
    return slipway::compare(version_, static_cast<const Semver&>(other).version_) == 0;
  }
  std::string print() const override { return version_.str(); }
  const Version& version() const { return version_; }

 private:
  Version version_;
};

const Version& version(const Value& v) { return static_cast<const Semver*>(v.if_object())->version(); }
int order(Args a) { return slipway::compare(version(a[0]), version(a[1])); }

Result<Value> semver(Run&, Args a) {
  auto parsed = parse(a);
  if (!parsed)
    return fail(Kind::invalid, "{} is no semantic version, want like 1.2.3-rc.1+build", print(a[0]).substr(0, 100));
  return Value(std::shared_ptr<const Object>(std::make_shared<Semver>(*std::move(parsed))));
}
Result<Value> is_semver(Run&, Args a) { return Value(parse(a).has_value()); }
template <std::size_t n>
Result<Value> number(Run&, Args a) {
  return Value(version(a[0]).n[n]);
}
Result<Value> less(Run&, Args a) { return Value(order(a) < 0); }
Result<Value> greater(Run&, Args a) { return Value(order(a) > 0); }
Result<Value> compare_to(Run&, Args a) { return Value((order(a) > 0) - (order(a) < 0)); }

constexpr Overload all[] = {
    {"semver", "s", semver},          {"semver", "sb", semver},    {"isSemver", "s", is_semver},
    {"isSemver", "sb", is_semver},    {"major", ".V", number<0>},  {"minor", ".V", number<1>},
    {"patch", ".V", number<2>},       {"isLessThan", ".VV", less}, {"isGreaterThan", ".VV", greater},
    {"compareTo", ".VV", compare_to},
};

}  // namespace

Overloads version_functions() { return all; }

}  // namespace slipway::cel::detail
