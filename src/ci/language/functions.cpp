#include "base/text.h"
#include "ci/detail/node.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

using Arguments = std::vector<Data>;

Result<Data> contains(const Arguments& a) {
  if (a[0].is_primitive()) return a[1].is_primitive() && upper_text(a[0].text()).contains(upper_text(a[1].text()));
  if (auto* array = a[0].if_array())
    return std::any_of(array->items.begin(), array->items.end(), [&](auto& item) { return loose_equal(item, a[1]); });
  return false;
}
Result<Data> starts_with(const Arguments& a) {
  return a[0].is_primitive() && a[1].is_primitive() && upper_text(a[0].text()).starts_with(upper_text(a[1].text()));
}
Result<Data> ends_with(const Arguments& a) {
  return a[0].is_primitive() && a[1].is_primitive() && upper_text(a[0].text()).ends_with(upper_text(a[1].text()));
}

// {0} is an argument, {{ and }} are braces; anything else with a brace is wrong.
Result<Data> format(const Arguments& a) {
  std::string pattern = a[0].text(), out;
  auto wrong = [&]() -> Fail { return fail(Kind::invalid, "The following format string is invalid: {}", pattern); };
  for (std::size_t i = 0; i < pattern.size();) {
    char c = pattern[i];
    if (c != '{' && c != '}') {
      out += c, ++i;
    } else if (i + 1 < pattern.size() && pattern[i + 1] == c) {
      out += c, i += 2;
    } else if (c == '}') {
      return wrong();
    } else {
      auto end = pattern.find('}', i);
      if (end == std::string::npos) return wrong();
      auto digits = std::string_view(pattern).substr(i + 1, end - i - 1);
      auto index = to_int(digits);
      if (!index || *index < 0 || *index > 255 || digits[0] == '+' || digits[0] == '-') return wrong();
      if (static_cast<std::size_t>(*index) + 1 >= a.size())
        return fail(Kind::invalid, "The following format string references more arguments than were supplied: {}",
                    pattern);
      out += a[static_cast<std::size_t>(*index) + 1].text();
      if (out.size() > max_result_bytes) return fail(Kind::invalid, "The maximum allowed memory size was exceeded");
      i = end + 1;
    }
  }
  return out;
}

Result<Data> join_items(const Arguments& a) {
  if (a[0].is_primitive()) return a[0].text();
  auto* array = a[0].if_array();
  if (!array) return "";
  std::string separator = a.size() > 1 ? (a[1].is_primitive() ? a[1].text() : ",") : ",", out;
  for (std::size_t i = 0; i < array->items.size(); ++i) {
    if (i > 0) out += separator;
    out += array->items[i].text();
    if (out.size() > max_result_bytes) return fail(Kind::invalid, "The maximum allowed memory size was exceeded");
  }
  return out;
}

Result<Data> to_json(const Arguments& a) { return a[0].json(); }

Result<Data> from_json(const Arguments& a) {
  auto text = a[0].text();
  auto value = doc::parse_json(text, "fromJSON");
  if (!value) return Fail(std::move(value).error());
  return Data::from(*value);
}

constexpr BuiltIn built_ins[] = {
    {"contains", 2, 2, contains},  {"startsWith", 2, 2, starts_with}, {"endsWith", 2, 2, ends_with},
    {"format", 1, 255, format},    {"join", 1, 2, join_items},        {"toJson", 1, 1, to_json},
    {"fromJson", 1, 1, from_json}, {"case", 3, 255, nullptr},
};

}  // namespace

const BuiltIn* find_built_in(std::string_view name) {
  for (auto& f : built_ins)
    if (iequals(f.name, name)) return &f;
  return nullptr;
}

}  // namespace slipway::ci
