#include "cel/detail/function.h"

#include <algorithm>
#include <map>

namespace slipway::cel::detail {
namespace {

using Table = std::map<std::string_view, std::vector<const Overload*>>;

const Table& table() {
  static const Table all = [] {
    Table t;
    for (auto overloads : {basic_functions(), conversion_functions(), string_functions(), regex_functions(),
                           list_functions(), time_functions(), optional_functions(), math_functions(), url_functions(),
                           address_functions(), quantity_functions(), version_functions(), format_functions()})
      for (const auto& overload : overloads) t[overload.name].push_back(&overload);
    return t;
  }();
  return all;
}

bool fits(char wanted, const Value& value) {
  if (wanted == 'a') return true;
  return wanted == 'N' ? value.is_number() : wanted == value.letter();
}

}  // namespace

bool Overload::takes_count(std::size_t count) const {
  auto wanted = letters();
  return wanted.ends_with('*') ? count + 1 >= wanted.size() - 1 && count > 0 : count == wanted.size();
}

bool Overload::takes_values(std::span<const Value> args) const {
  auto wanted = letters();
  bool more = wanted.ends_with('*');
  if (more) wanted.remove_suffix(1);
  if (!takes_count(args.size())) return false;
  for (std::size_t i = 0; i < args.size(); ++i)
    if (!fits(wanted[std::min(i, wanted.size() - 1)], args[i])) return false;
  return true;
}

const std::vector<const Overload*>& find_overloads(std::string_view name) {
  static const std::vector<const Overload*> none;
  auto it = table().find(name);
  return it != table().end() ? it->second : none;
}

std::vector<std::string> function_names() {
  std::vector<std::string> names;
  for (const auto& [name, overloads] : table()) names.emplace_back(name);
  return names;
}

std::string no_overload(std::string_view function, std::span<const Value> args) {
  std::string types;
  for (const auto& arg : args) {
    if (!types.empty()) types += ", ";
    types += arg.type();
  }
  return fmt::format("no such overload: {}({})", function, types);
}

}  // namespace slipway::cel::detail
