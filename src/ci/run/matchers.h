#pragma once
// Problem matchers: patterns that turn lines of compilers and linters into annotations.
// Rule: "problem-matchers.md" of actions/toolkit; how lines are matched: IssueMatcher of actions/runner.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::ci {

struct MatchedIssue {
  std::string severity;  // as written, lower case; "" when the pattern takes none
  std::string file, from_path, message, code;
  int line = 0, column = 0;
};

// Threads: one.
class Matchers {
 public:
  Matchers();
  ~Matchers();
  Matchers(Matchers&&) noexcept;
  Matchers& operator=(Matchers&&) noexcept;
  // {"problemMatcher": [{owner, severity, fromPath, pattern: [{regexp, file, line, column, severity, code, message,
  // fromPath, loop}]}]}. One of an owner that is there already takes its place. Gives the owners.
  // Errors: invalid, with the place in the file: no owner, no pattern, a group that is not there, `loop` not on the
  // last of several patterns, a regular expression that RE2 does not know (look-around, back references).
  Result<std::vector<std::string>> add(std::string_view json, const std::string& file);
  void remove(std::string_view owner);
  bool empty() const { return matchers_.empty(); }
  // A line without colours. The matcher added last is asked first; one that matches makes the others start anew.
  std::optional<MatchedIssue> match(std::string_view line);

 private:
  struct Matcher;
  std::vector<std::unique_ptr<Matcher>> matchers_;  // newest first
};

}  // namespace slipway::ci
