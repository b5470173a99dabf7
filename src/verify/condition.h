#pragma once
// Conditions over a measured value, in the language of Argo's analysis (expr-lang): result[0] < 0.05 && len(result) >
// 0.
#include <memory>
#include <string>
#include <string_view>

#include "doc/value.h"

namespace slipway::verify {

namespace detail {
struct Node;
}

// Literals, lists and maps; . [] ?. ; ! not - + ** * / % .. ; == != < <= > >= in, not in, contains, startsWith,
// endsWith, matches; && and || or ?? and ?: ; len, all, any, one, none, filter, map, count, sum, min, max, mean, abs,
// floor, ceil, round, int, float, string, first, last, upper, lower, trim, keys, values; Argo's asInt, asFloat, isNaN,
// isInf, isNil, default. Threads: any.
class Condition {
 public:
  // Errors: invalid with the column. At most 10,000 characters, nested 100 deep.
  static Result<Condition> parse(std::string_view text);
  // Errors: invalid (a type that an operator does not take, an index beyond the end; after an empty result it says so).
  Result<doc::Value> value(const doc::Value& result) const;
  Result<bool> holds(const doc::Value& result) const;  // also: no bool
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::shared_ptr<const detail::Node> root_;
};

}  // namespace slipway::verify
