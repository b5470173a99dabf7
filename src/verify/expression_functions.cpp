#include <cmath>

#include "base/text.h"
#include "doc/json.h"
#include "verify/detail/expression.h"

namespace slipway::verify::detail {
namespace {

using Arguments = std::vector<doc::Value>;

std::optional<double> number_of(const doc::Value& v) {
  if (const auto* n = v.if_int()) return static_cast<double>(*n);
  if (const auto* d = v.if_double()) return *d;
  return std::nullopt;
}

// Also out of text, as strconv reads it.
std::optional<double> real_of(const doc::Value& v) {
  if (const auto* s = v.if_string()) {
    auto word = lower(trim(*s));
    if (word == "nan") return std::nan("");
    if (word == "inf" || word == "+inf") return HUGE_VAL;
    if (word == "-inf") return -HUGE_VAL;
    return to_double(trim(*s));
  }
  return number_of(v);
}

Result<doc::Value> as_int(const Node& node, const doc::Value& v) {
  if (v.is_int()) return v;
  if (const auto* s = v.if_string())
    if (auto n = to_int(trim(*s))) return doc::Value(*n);
  auto d = real_of(v);
  if (!d || std::isnan(*d) || std::abs(*d) > 9e18)
    return wrong_at(node, fmt::format("{}() of {}", node.text, doc::print_json(v).substr(0, 60)));
  return doc::Value(static_cast<std::int64_t>(*d));
}

Result<doc::Value> as_float(const Node& node, const doc::Value& v) {
  auto d = real_of(v);
  if (!d)
    return wrong_at(
        node, fmt::format("{}() of {}{}", node.text, to_string(v.type()), v.is_null() ? ": there is no data" : ""));
  return doc::Value(*d);
}

Result<doc::Value> length(const Node& node, const doc::Value& v) {
  if (const auto* s = v.if_string()) return doc::Value(static_cast<std::int64_t>(s->size()));
  if (const auto* l = v.if_list()) return doc::Value(static_cast<std::int64_t>(l->size()));
  if (const auto* m = v.if_map()) return doc::Value(static_cast<std::int64_t>(m->size()));
  return wrong_at(node, fmt::format("len() of {}", to_string(v.type())));
}

// Numbers of the arguments, lists taken apart.
Result<std::vector<double>> numbers(const Node& node, const Arguments& arguments) {
  std::vector<double> out;
  for (const auto& a : arguments) {
    doc::List one{a};
    for (const auto& item : a.is_list() ? *a.if_list() : one) {
      auto n = number_of(item);
      if (!n) return wrong_at(node, fmt::format("{}() of {}", node.text, to_string(item.type())));
      out.push_back(*n);
    }
  }
  return out;
}

Result<doc::Value> fold_numbers(const Node& node, const Arguments& arguments) {
  TRY(auto list, numbers(node, arguments));
  double sum = 0;
  for (auto n : list) sum += n;
  if (node.text == "sum") return doc::Value(sum);
  if (list.empty()) return wrong_at(node, fmt::format("{}() of nothing: there is no data", node.text));
  if (node.text == "mean") return doc::Value(sum / static_cast<double>(list.size()));
  auto it =
      node.text == "min" ? std::min_element(list.begin(), list.end()) : std::max_element(list.begin(), list.end());
  return doc::Value(*it);
}

Result<doc::Value> round_number(const Node& node, const doc::Value& v) {
  if (v.is_int() && node.text != "abs") return v;
  auto n = number_of(v);
  if (!n) return wrong_at(node, fmt::format("{}() of {}", node.text, to_string(v.type())));
  if (node.text == "abs")
    return v.is_int() ? doc::Value(static_cast<std::int64_t>(std::abs(*n))) : doc::Value(std::abs(*n));
  return doc::Value(node.text == "floor" ? std::floor(*n) : node.text == "ceil" ? std::ceil(*n) : std::round(*n));
}

Result<doc::Value> text_function(const Node& node, const doc::Value& v) {
  const auto* s = v.if_string();
  if (s == nullptr) return wrong_at(node, fmt::format("{}() of {}", node.text, to_string(v.type())));
  if (node.text == "trim") return doc::Value(trim(*s));
  if (node.text == "lower") return doc::Value(lower(*s));
  auto out = *s;
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return doc::Value(std::move(out));
}

Result<doc::Value> end_of_list(const Node& node, const doc::Value& v) {
  const auto* list = v.if_list();
  if (list == nullptr) return wrong_at(node, fmt::format("{}() of {}", node.text, to_string(v.type())));
  if (list->empty()) return doc::Value();
  return node.text == "first" ? list->front() : list->back();
}

Result<doc::Value> map_parts(const Node& node, const doc::Value& v) {
  const auto* map = v.if_map();
  if (map == nullptr) return wrong_at(node, fmt::format("{}() of {}", node.text, to_string(v.type())));
  doc::List out;
  for (const auto& [key, value] : *map) out.push_back(node.text == "keys" ? doc::Value(key) : value);
  return doc::Value(std::move(out));
}

Result<doc::Value> with_one(const Node& node, const doc::Value& v) {
  const auto& name = node.text;
  if (name == "len") return length(node, v);
  if (name == "asInt" || name == "int") return as_int(node, v);
  if (name == "asFloat" || name == "float") return as_float(node, v);
  if (name == "string") return v.is_string() ? v : doc::Value(doc::print_json(v));
  if (name == "isNil") return doc::Value(v.is_null());
  if (name == "isNaN" || name == "isInf") {
    auto n = number_of(v);
    if (!n)
      return wrong_at(node,
                      fmt::format("{}() of {}{}", name, to_string(v.type()), v.is_null() ? ": there is no data" : ""));
    return doc::Value(name == "isNaN" ? std::isnan(*n) : std::isinf(*n));
  }
  if (name == "abs" || name == "floor" || name == "ceil" || name == "round") return round_number(node, v);
  if (name == "trim" || name == "lower" || name == "upper") return text_function(node, v);
  if (name == "first" || name == "last") return end_of_list(node, v);
  if (name == "keys" || name == "values") return map_parts(node, v);
  return wrong_at(node, fmt::format("there is no function {}() of one argument", name));
}

}  // namespace

Result<doc::Value> call_function(const Node& node, const Arguments& arguments) {
  const auto& name = node.text;
  if (name == "sum" || name == "min" || name == "max" || name == "mean") return fold_numbers(node, arguments);
  if (name == "default" && arguments.size() == 2) return arguments[0].is_null() ? arguments[1] : arguments[0];
  if (arguments.size() == 1) return with_one(node, arguments[0]);
  return wrong_at(node, fmt::format("there is no function {}() of {} arguments", name, arguments.size()));
}

}  // namespace slipway::verify::detail
