// int(), string() and the like; base64.
#include <charconv>
#include <cmath>

#include "base/encode.h"
#include "base/text.h"
#include "cel/detail/function.h"
#include "cel/detail/text.h"
#include "cel/detail/utf8.h"
#include "doc/json.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

Fail cannot(const Value& value, std::string_view type) {
  return fail(Kind::invalid, "{} cannot be made of {}", type, print(value).substr(0, 80));
}
Fail range(std::string_view type) { return fail(Kind::invalid, "{} overflow: out of range", type); }

Result<Value> same(Run&, Args a) { return a[0]; }

Result<Value> int_of_uint(Run&, Args a) {
  if (*a[0].if_uint() > static_cast<std::uint64_t>(INT64_MAX)) return range("integer");
  return Value(static_cast<std::int64_t>(*a[0].if_uint()));
}
Result<Value> int_of_double(Run&, Args a) {
  double d = *a[0].if_double();
  if (!(d > -0x1p63 && d < 0x1p63)) return range("integer");
  return Value(static_cast<std::int64_t>(d));
}
Result<Value> int_of_string(Run&, Args a) {
  auto text = *a[0].if_string();
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || (a[0].if_string()->starts_with("+-")))
    return cannot(a[0], "int");
  return Value(n);
}
Result<Value> int_of_time(Run&, Args a) { return Value(a[0].if_a<Timestamp>()->seconds); }

Result<Value> uint_of_int(Run&, Args a) {
  if (*a[0].if_int() < 0) return range("unsigned integer");
  return Value(static_cast<std::uint64_t>(*a[0].if_int()));
}
Result<Value> uint_of_double(Run&, Args a) {
  double d = *a[0].if_double();
  if (!(d >= 0 && d < 0x1p64)) return range("unsigned integer");
  return Value(static_cast<std::uint64_t>(d));
}
Result<Value> uint_of_string(Run&, Args a) {
  auto text = *a[0].if_string();
  std::uint64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return cannot(a[0], "uint");
  return Value(n);
}

Result<Value> double_of_int(Run&, Args a) { return Value(static_cast<double>(*a[0].if_int())); }
Result<Value> double_of_uint(Run&, Args a) { return Value(static_cast<double>(*a[0].if_uint())); }
Result<Value> double_of_string(Run&, Args a) {
  std::string text = lower(*a[0].if_string());
  std::string_view digits = text;
  bool minus = digits.starts_with('-');
  if (minus || digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  if (digits == "nan") {
    value = std::nan("");
  } else if (digits == "inf" || digits == "infinity") {
    value = HUGE_VAL;
  } else {
    if (digits.find_first_not_of("0123456789.e+-") != std::string_view::npos || digits.starts_with('-'))
      return cannot(a[0], "double");
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return cannot(a[0], "double");
    if (error == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
    if (std::isinf(value)) return cannot(a[0], "double");
  }
  return Value(minus ? -value : value);
}

Result<Value> bool_of_string(Run&, Args a) {
  auto text = *a[0].if_string();
  for (std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return Value(true);
  for (std::string_view no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return Value(false);
  return cannot(a[0], "bool");
}

Result<Value> bytes_of_string(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_string()));
  return Value(Bytes{*a[0].if_a<Text>()});
}
Result<Value> string_of_bytes(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_bytes()));
  if (!is_utf8(*a[0].if_bytes())) return fail(Kind::invalid, "invalid UTF-8 in bytes, cannot be a string");
  return Value(a[0].if_a<Bytes>()->text);
}
Result<Value> string_of(Run& run, Args a) { return run.text(plain_text(a[0])); }

Result<Value> time_of_string(Run&, Args a) {
  auto t = parse_time(*a[0].if_string());
  if (!t)
    return fail(Kind::invalid, "{} is no timestamp, want RFC 3339 of the years 1 to 9999", print(a[0]).substr(0, 80));
  return Value(*t);
}
Result<Value> time_of_int(Run&, Args a) {
  Timestamp t{*a[0].if_int(), 0};
  if (!in_range(t)) return range("timestamp");
  return Value(t);
}
Result<Value> duration_of_string(Run&, Args a) {
  auto d = parse_duration(*a[0].if_string());
  if (!d)
    return fail(Kind::invalid, "{} is no duration, want like 1h30m or 1.5s within 292 years",
                print(a[0]).substr(0, 80));
  return Value(*d);
}

Result<Value> base64_encode(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_bytes()));
  return run.text(to_base64(*a[0].if_bytes()));
}
Result<Value> base64_decode(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_string()));
  TRY(auto bytes, from_base64(*a[0].if_string()));
  TRY_OK(run.make(bytes.size()));
  return Value(Bytes{Text::own(std::move(bytes))});
}

constexpr Overload all[] = {
    {"int", "i", same},
    {"int", "u", int_of_uint},
    {"int", "d", int_of_double},
    {"int", "s", int_of_string},
    {"int", "t", int_of_time},
    {"uint", "u", same},
    {"uint", "i", uint_of_int},
    {"uint", "d", uint_of_double},
    {"uint", "s", uint_of_string},
    {"double", "d", same},
    {"double", "i", double_of_int},
    {"double", "u", double_of_uint},
    {"double", "s", double_of_string},
    {"bool", "b", same},
    {"bool", "s", bool_of_string},
    {"bytes", "y", same},
    {"bytes", "s", bytes_of_string},
    {"string", "s", same},
    {"string", "y", string_of_bytes},
    {"string", "b", string_of},
    {"string", "i", string_of},
    {"string", "u", string_of},
    {"string", "d", string_of},
    {"string", "t", string_of},
    {"string", "D", string_of},
    {"string", "P", string_of},
    {"string", "C", string_of},
    {"timestamp", "t", same},
    {"timestamp", "s", time_of_string},
    {"timestamp", "i", time_of_int},
    {"duration", "D", same},
    {"duration", "s", duration_of_string},
    {"base64.encode", "y", base64_encode},
    {"base64.decode", "s", base64_decode},
};

}  // namespace

Overloads conversion_functions() { return all; }

}  // namespace slipway::cel::detail
