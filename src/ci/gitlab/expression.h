#pragma once
// The language of `rules:if`. Rule: GitLab's "CI/CD job rules", "variable expressions".
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::ci::gitlab {

// A variable's value; nothing: there is no such variable.
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

// /text/flags as RE2 takes it. Threads: any.
class Pattern {
 public:
  // Errors: invalid.
  static Result<Pattern> parse(std::string_view text);
  bool matches(std::string_view text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

struct RuleNode;
// $A == "x" && ($B =~ /^v/ || $C != null). Immutable, cheap to copy. Threads: any.
class RuleExpression {
 public:
  // At most 10,000 bytes, depth 50. Errors: invalid, with "at character N".
  static Result<RuleExpression> parse(std::string_view text);
  bool holds(const Lookup& variables) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::shared_ptr<const RuleNode> root_;
};

}  // namespace slipway::ci::gitlab
