#pragma once
// Shared by the tables of sprig's functions.
#include <utility>

#include "gotemplate/functions.h"

namespace slipway::gotemplate::sprig {

using Row = std::pair<std::string_view, Function>;
using Rows = std::vector<Row>;

Rows string_rows();
Rows text_rows();  // cases, wrapping, abbreviations
Rows number_rows();
Rows list_rows();
Rows dict_rows();
Rows value_rows();  // defaults, types
Rows encoding_rows();
Rows regex_rows();
Rows path_rows();
Rows version_rows();
Rows date_rows();
Rows absent_rows();

inline const std::string& text(const Value& value) { return *value.if_string(); }
inline std::int64_t num(const Value& value) { return value.if_int()->n; }
// Sprig's strval: strings as they are, else %v.
inline std::string strval(const Value& value) { return value.if_string() ? text(value) : print(value); }
std::int64_t to_int64(const Value& value);  // 0 for what is no number
double to_float(const Value& value);
Value copy(const Value& value);
std::vector<std::string> to_strings(const Value& value);

// What a template may make at once.
inline constexpr std::size_t most_bytes = 16u << 20, most_items = 1'000'000;
Result<> within(std::size_t size, std::size_t most, std::string_view what);

// A function of strings that cannot fail.
template <class F>
Function strings_to(std::string_view parameters, F f) {
  return {parameters, [f](const Items& a) -> Result<Value> { return Value(f(a)); }};
}

}  // namespace slipway::gotemplate::sprig
