#include "engine/test_history.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::engine {
namespace {

using Outcome = ci::TestCase::Outcome;

struct History : testing::Test {
  TempDir dir = must(TempDir::make("tests"));
  std::unique_ptr<TestHistory> history = must(TestHistory::open(dir.path() / "tests.db"));
  WallTime now{std::chrono::seconds(1'800'000'000)};

  void add(TestOrigin origin, const std::vector<std::pair<std::string, Outcome>>& tests) {
    origin.repository = "shop";
    if (origin.job.empty()) origin.job = "test";
    now += Millis(1000);
    origin.at = now;
    ci::TestReport report;
    for (const auto& [name, outcome] : tests) {
      ci::TestCase test;
      test.suite = "suite", test.name = name, test.outcome = outcome, test.time = Millis(7);
      report.add(std::move(test));
    }
    must(history->add(origin, report));
  }
  std::string flaky() {
    std::string out;
    for (const auto& test : must(history->of("shop", true))) out += test.name + ": " + test.why + "\n";
    return out;
  }
  static TestOrigin at(std::string commit, std::string run, std::int64_t attempt = 1, int go = 1) {
    return {.run = std::move(run), .commit = commit, .tree = "t-" + commit, .attempt = attempt, .go = go};
  }
};

TEST_F(History, TheSameFilesWithAnotherEndAreFlaky) {
  add(at("aaa", "r1"), {{"steady", Outcome::passed}, {"broken", Outcome::passed}, {"shaky", Outcome::failed}});
  add(at("bbb", "r2"), {{"steady", Outcome::passed}, {"broken", Outcome::failed}, {"shaky", Outcome::passed}});
  EXPECT_EQ(flaky(), "") << "another commit may well change a test's end";
  add(at("aaa", "r1", 2), {{"steady", Outcome::passed}, {"broken", Outcome::passed}, {"shaky", Outcome::passed}});
  EXPECT_EQ(flaky(), "shaky: passed and failed on aaa: attempts 1 and 2\n");
  add(at("bbb", "r3"), {{"broken", Outcome::passed}});
  EXPECT_EQ(flaky(),
            "broken: passed and failed on bbb: in two runs\nshaky: passed and failed on aaa: attempts 1 and 2\n");
}

TEST_F(History, TriesOfOneAttemptCount) {
  add(at("aaa", "r1", 1, 1), {{"shaky", Outcome::failed}});
  add(at("aaa", "r1", 1, 2), {{"shaky", Outcome::passed}});
  EXPECT_EQ(flaky(), "shaky: passed and failed on aaa: when its job was tried again\n");
  auto summary = must(history->of_run("shop", "r1", 1));
  EXPECT_EQ(summary.passed, 1);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(summary.flaky, std::vector<std::string>{"suite shaky"});
}

TEST_F(History, SkippedOnesAndOtherJobsAreNoContradiction) {
  add(at("aaa", "r1"), {{"a", Outcome::failed}, {"a2", Outcome::skipped}});
  add(at("aaa", "r1", 2), {{"a", Outcome::skipped}, {"a2", Outcome::passed}});
  auto other = at("aaa", "r1");
  other.job = "test (20)";
  add(other, {{"a", Outcome::passed}});
  EXPECT_EQ(flaky(), "");
  EXPECT_EQ(must(history->of("shop")).size(), 3U);
  EXPECT_EQ(must(history->of("other")).size(), 0U);
}

TEST_F(History, TwiceInOneReportIsTheWorse) {
  add(at("aaa", "r1"), {{"a", Outcome::failed}, {"a", Outcome::passed}});
  auto tests = must(history->of("shop"));
  ASSERT_EQ(tests.size(), 1U);
  EXPECT_EQ(tests[0].outcomes.size(), 1U);
  EXPECT_EQ(tests[0].outcomes[0].outcome, Outcome::failed);
  EXPECT_EQ(tests[0].outcomes[0].time, Millis(14));
  EXPECT_FALSE(tests[0].flaky);
}

TEST_F(History, IsBoundedAndStays) {
  for (int n = 0; n < 70; ++n) add(at(std::to_string(n), "r" + std::to_string(n)), {{"a", Outcome::passed}});
  EXPECT_EQ(must(history->of("shop"))[0].outcomes.size(), 50U);
  must(history->prune(now));
  history.reset();
  history = must(TestHistory::open(dir.path() / "tests.db"));
  auto tests = must(history->of("shop"));
  ASSERT_EQ(tests.size(), 1U);
  EXPECT_EQ(tests[0].outcomes.front().commit, "20");
  EXPECT_EQ(tests[0].outcomes.back().commit, "69");
  must(history->prune(now + std::chrono::hours(24 * 91)));
  EXPECT_TRUE(must(history->of("shop")).empty());
}

TEST_F(History, ManyAtOnce) {
  std::vector<std::pair<std::string, Outcome>> many;
  for (int n = 0; n < 6000; ++n)
    many.emplace_back("t" + std::to_string(n), n == 5999 ? Outcome::failed : Outcome::passed);
  add(at("aaa", "r1"), many);
  auto tests = must(history->of("shop"));
  EXPECT_EQ(tests.size(), 5000U);
  EXPECT_EQ(tests[0].name, "t5999") << "what fails is not cut off";
}

}  // namespace
}  // namespace slipway::engine
