#include "path/findings.h"

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::path {
namespace {

Finding finding(std::string rule, Severity severity, int line, bool fails = false) {
  Finding f;
  f.check = "lint", f.rule = std::move(rule), f.severity = severity, f.place = {"a.yaml", line, 3}, f.message = "what",
  f.fails = fails;
  return f;
}

TEST(Findings, SortWorstFirst) {
  std::vector<Finding> list{finding("c", Severity::info, 1), finding("b", Severity::medium, 9),
                            finding("a", Severity::critical, 2), finding("d", Severity::low, 5, true)};
  sort_findings(list);
  EXPECT_EQ(print_text(list),
            "a.yaml:5:3: low: what [d]\na.yaml:2:3: critical: what [a]\na.yaml:9:3: medium: what [b]\na.yaml:1:3: "
            "info: what [c]\n");
}

TEST(Findings, LinesOfJsonHaveThreeLevels) {
  auto line = must(doc::parse_json(print_jsonl(std::vector{finding("a", Severity::critical, 2)})));
  EXPECT_EQ(line.str_at({"severity"}), "warning");  // nothing stops on it
  line = must(doc::parse_json(print_jsonl(std::vector{finding("a", Severity::low, 2, true)})));
  EXPECT_EQ(line.str_at({"severity"}), "error");
  EXPECT_EQ(line.str_at({"rating"}), "low");
  EXPECT_EQ(doc::View(line)["line"].num_or(0), 2);
}

TEST(Findings, SarifNamesRulesOnce) {
  auto root = must(doc::parse_json(print_sarif(
      std::vector{finding("a", Severity::error, 2), finding("a", Severity::error, 4), finding("b", Severity::info, 0)},
      "1.0")));
  doc::View run = doc::View(root)["runs"][0];
  EXPECT_EQ(run["tool"]["driver"]["rules"].items().size(), 2U);
  EXPECT_EQ(run["results"][1]["ruleIndex"].num_or(-1), 0);
  EXPECT_EQ(run["results"][2]["level"].str_or(""), "note");
  EXPECT_EQ(run["results"][2]["locations"][0]["physicalLocation"]["region"]["startLine"].num_or(0), 1);
}

TEST(Findings, NewOnesAreThoseThatWereNotThere) {
  auto moved = finding("a", Severity::low, 50), other = finding("b", Severity::low, 2);
  auto fresh = new_findings(std::vector{moved, other}, std::vector{finding("a", Severity::low, 2)});
  ASSERT_EQ(fresh.size(), 1U);
  EXPECT_EQ(fresh[0].rule, "b");
}

}  // namespace
}  // namespace slipway::path
