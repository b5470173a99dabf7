#pragma once
// Functions that expressions may call, found by name and by the types of what they are given.
#include <span>
#include <string_view>
#include <vector>

#include "cel/detail/run.h"

namespace slipway::cel::detail {

// `takes` is a letter for each argument: n null, b bool, i int, u uint, d double, s string, y bytes, l list, m map,
// t timestamp, D duration, T type, o optional, and of objects U URL, P IP, C CIDR, Q quantity, V semver, F format;
// a anything, N int, uint or double. A leading dot: called on the first argument. A last star: any number of the last.
struct Overload {
  std::string_view name;
  std::string_view takes;
  Result<Value> (*run)(Run& run, std::span<const Value> args);
  bool receiver() const { return takes.starts_with('.'); }
  std::string_view letters() const { return receiver() ? takes.substr(1) : takes; }
  bool takes_count(std::size_t count) const;
  bool takes_values(std::span<const Value> args) const;
};

using Overloads = std::span<const Overload>;
Overloads basic_functions();
Overloads conversion_functions();
Overloads string_functions();
Overloads regex_functions();
Overloads list_functions();
Overloads time_functions();
Overloads optional_functions();
Overloads math_functions();
Overloads url_functions();
Overloads address_functions();
Overloads quantity_functions();
Overloads version_functions();
Overloads format_functions();

// All of a name; empty: there is no such function.
const std::vector<const Overload*>& find_overloads(std::string_view name);
std::vector<std::string> function_names();

}  // namespace slipway::cel::detail
