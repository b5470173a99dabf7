#include "ci/report.h"

#include <map>

#include "base/text.h"

namespace slipway::ci {

void TestReport::add(TestCase test) {
  using Outcome = TestCase::Outcome;
  ++(test.outcome == Outcome::passed ? passed : test.outcome == Outcome::failed ? failed : skipped);
  cases.push_back(std::move(test));
}

std::string TestReport::print() const {
  auto out = fmt::format("**{} passed, {} failed, {} skipped**\n", passed, failed, skipped);
  for (auto& c : cases) {
    if (c.outcome != TestCase::Outcome::failed) continue;
    out += fmt::format("\n- **{}{}{}**", c.suite, c.suite.empty() ? "" : " ", c.name);
    if (!c.place.file.empty()) out += fmt::format(" ({})", c.place.print());
    if (!c.message.empty())
      out += ": " + std::string(lines(c.message).empty() ? std::string_view() : lines(c.message)[0]);
    if (!c.detail.empty()) out += "\n  ```\n  " + replace_all(c.detail.substr(0, 2000), "\n", "\n  ") + "\n  ```";
  }
  if (failed > 0) out += '\n';
  return out;
}

Result<TestReport> parse_tap(std::string_view text, std::string_view source) {
  TestReport out;
  bool any = false;
  long planned = -1;
  for (auto line : lines(text)) {
    auto bare = trim_end(line);
    if (bare.starts_with("Bail out!")) return fail(Kind::invalid, "{}: {}", source, bare);
    if (bare.starts_with("1..")) {
      planned = to_int(split(bare.substr(3), ' ')[0]).value_or(-1), any = true;
      continue;
    }
    bool failed = bare.starts_with("not ok");
    if (!failed && !bare.starts_with("ok")) {
      // What stands after a failed test belongs to it.
      if (!out.cases.empty() && out.cases.back().outcome == TestCase::Outcome::failed &&
          (bare.starts_with("#") || bare.starts_with("  ")))
        out.cases.back().detail += std::string(bare) + "\n";
      continue;
    }
    any = true;
    auto rest = trim(bare.substr(failed ? 6 : 2));
    auto number = rest.find_first_not_of("0123456789");
    rest = trim(rest.substr(std::min(number, rest.size())));
    if (rest.starts_with("- ")) rest = rest.substr(2);
    TestCase test;
    test.outcome = failed ? TestCase::Outcome::failed : TestCase::Outcome::passed;
    auto directive = rest.find(" # ");
    if (directive != std::string_view::npos || rest.starts_with("# ")) {
      auto words = lower(rest.substr(directive == std::string_view::npos ? 0 : directive));
      if (words.contains("skip") || words.contains("todo")) test.outcome = TestCase::Outcome::skipped;
      test.message = trim(rest.substr(directive == std::string_view::npos ? 0 : directive + 3));
      rest = rest.substr(0, directive == std::string_view::npos ? 0 : directive);
    }
    test.name = rest.empty() ? fmt::format("test {}", out.cases.size() + 1) : std::string(rest);
    out.add(std::move(test));
  }
  if (!any) return fail(Kind::invalid, "{}: holds no TAP", source);
  // Tests that were planned and never told about did not pass.
  if (auto told = static_cast<long>(out.cases.size()); planned > told && planned < 1'000'000)
    out.add({.outcome = TestCase::Outcome::failed,
             .name = fmt::format("{} of {} planned tests have no result", planned - told, planned)});
  return out;
}

Result<TestReport> parse_test_report(std::string_view text, std::string_view source) {
  auto start = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return start != std::string_view::npos && text[start] == '<' ? parse_junit(text, source) : parse_tap(text, source);
}

std::vector<std::string> flaky_tests(const std::vector<TestReport>& runs) {
  std::map<std::string, std::pair<bool, bool>> seen;
  for (auto& run : runs)
    for (auto& c : run.cases) {
      auto& [passed, failed] = seen[c.suite.empty() ? c.name : c.suite + " " + c.name];
      passed |= c.outcome == TestCase::Outcome::passed, failed |= c.outcome == TestCase::Outcome::failed;
    }
  std::vector<std::string> out;
  for (auto& [name, outcomes] : seen)
    if (outcomes.first && outcomes.second) out.push_back(name);
  return out;
}

}  // namespace slipway::ci
