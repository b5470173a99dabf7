#include "ci/report.h"

#include "ci/testing.h"

namespace slipway::ci {
namespace {

constexpr std::string_view junit = R"W(<?xml version="1.0"?>
<testsuites><testsuite name="math" tests="3">
  <testcase name="adds" classname="math.Add" time="0.012"/>
  <testcase name="divides" file="div.py" line="7"><failure message="1 &lt; 2">trace &amp; more
<![CDATA[ raw <b> ]]></failure></testcase>
  <testcase name="later"><skipped/></testcase>
</testsuite></testsuites>)W";

TEST(TestReports, JUnit) {
  auto r = must(parse_test_report(junit, "r.xml"));
  EXPECT_EQ(r.passed + 10 * r.failed + 100 * r.skipped, 111);
  EXPECT_EQ(r.cases[1].message, "1 < 2");
  EXPECT_EQ(r.cases[1].detail, "trace & more\n raw <b>");
  EXPECT_EQ(r.cases[1].suite, "math");
  EXPECT_EQ(r.cases[0].time, Millis(12));
  EXPECT_TRUE(r.print().starts_with("**1 passed, 1 failed, 1 skipped**\n\n- **math divides** (div.py:7"));
}

TEST(TestReports, HostileXmlIsRefused) {
  for (auto text : {"<testsuite", "<testsuite name=>", "<a></b>", "<testsuite name=\"&x;\"/>",
                    "<!DOCTYPE a [<!ENTITY b \"c\">]><testsuite/>", "<testsuite>", "< >", "<x/>"})
    EXPECT_FALSE(parse_junit(text, "r.xml")) << text;
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_FALSE(parse_junit(deep, "r.xml"));
}

TEST(TestReports, Tap) {
  auto r = must(parse_test_report(
      "TAP version 13\n1..4\nok 1 - first\nnot ok 2 - second\n  ---\n  message: bad\nok 3 # SKIP no net\n", "t.tap"));
  EXPECT_EQ(r.passed, 1);
  EXPECT_EQ(r.failed, 2);  // the second, and the one that never came
  EXPECT_EQ(r.skipped, 1);
  EXPECT_TRUE(r.cases[1].detail.contains("message: bad"));
}

TEST(TestReports, FlakyIsBothPassedAndFailed) {
  auto a = must(parse_tap("1..2\nok 1 - x\nok 2 - y\n", "a")),
       b = must(parse_tap("1..2\nnot ok 1 - x\nok 2 - y\n", "b"));
  EXPECT_EQ(flaky_tests({a, b}), (std::vector<std::string>{"x"}));
}

TEST_F(RunnerTest, TestReportsBecomeAnnotationsAndSummary) {
  file("r.xml", std::string(junit));
  auto r = steps("- uses: actions/checkout@v4\n- uses: slipway/test-report@v1\n  with: {path: '*.xml'}\n");
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_EQ(r.job("j").annotations.at(0).title, "math divides");
  EXPECT_EQ(r.job("j").annotations.at(0).place.file, "div.py");
  EXPECT_TRUE(r.job("j").summary.contains("1 failed"));
}

}  // namespace
}  // namespace slipway::ci
