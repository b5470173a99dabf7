#pragma once
// Test reports: JUnit XML and TAP.
#include <string>
#include <string_view>
#include <vector>

#include "base/ctx.h"
#include "path/types.h"

namespace slipway::ci {

struct TestCase {
  enum class Outcome : std::uint8_t { passed, failed, skipped } outcome = Outcome::passed;
  std::string suite, name;
  path::Place place;
  Millis time{0};
  std::string message, detail;
};
struct TestReport {
  std::vector<TestCase> cases;
  int passed = 0, failed = 0, skipped = 0;
  void add(TestCase test);
  // Markdown: the counts, then failures, slowest last.
  std::string print() const;
};
// At most depth 64 and a million cases; no entities but XML's own five and characters by number, no DTD.
// Errors: invalid with source:line.
Result<TestReport> parse_junit(std::string_view xml, std::string_view source);
// TAP 12 to 14: "ok 1 - name # SKIP why", diagnostics of a failure as its detail. Errors: invalid.
Result<TestReport> parse_tap(std::string_view text, std::string_view source);
// By the first characters that are not blank.
Result<TestReport> parse_test_report(std::string_view text, std::string_view source);
// "suite name" of tests that both passed and failed on the same inputs.
std::vector<std::string> flaky_tests(const std::vector<TestReport>& runs);

}  // namespace slipway::ci
