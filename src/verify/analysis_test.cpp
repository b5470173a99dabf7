#include "verify/analysis.h"

#include <cmath>
#include <random>

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "verify/sequential.h"

namespace slipway::verify {
namespace {

Metric metric(std::string_view yaml) {
  auto value = must(doc::parse_yaml(fmt::format("{{name: m, provider: {{job: {{}}}}, {}}}", yaml)));
  return must(metric_from(doc::View(value)));
}

struct Case {
  const char* name;
  const char* metric;
  const char* measured;  // one letter a measurement: S F I E
  const char* want;
};
class Assess : public testing::TestWithParam<Case> {};
TEST_P(Assess, FollowsTheLimits) {
  auto m = metric(GetParam().metric);
  MetricResult r;
  Phase phase = Phase::running;
  for (char c : std::string_view(GetParam().measured)) {
    take(m, r,
         {.phase = c == 'S'   ? Phase::successful
                   : c == 'F' ? Phase::failed
                   : c == 'I' ? Phase::inconclusive
                              : Phase::error});
    phase = assess(m, r, false).phase;
  }
  EXPECT_EQ(to_string(phase), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Assess,
    testing::ValuesIn(std::to_array<Case>({
        {"OneIsEnoughWithoutInterval", "count: 0", "S", "Successful"},
        {"OneFailure", "count: 0", "F", "Failed"},
        {"CountReached", "interval: 5s, count: 3", "SSS", "Successful"},
        {"CountNotReached", "interval: 5s, count: 3", "SS", "Running"},
        {"EndlessWithInterval", "interval: 5s", "SSSSSSSS", "Running"},
        {"FailureLimitTolerates", "interval: 5s, count: 3, failureLimit: 1", "SFS", "Successful"},
        {"FailureLimitPassed", "interval: 5s, count: 5, failureLimit: 1", "SFF", "Failed"},
        {"InconclusiveAtOnce", "interval: 5s, count: 3", "SI", "Inconclusive"},
        {"InconclusiveTolerated", "interval: 5s, count: 3, inconclusiveLimit: 1", "SIS", "Successful"},
        {"FourErrorsAreFine", "interval: 5s, count: 1", "EEEE", "Running"},
        {"FiveErrorsInARow", "interval: 5s, count: 1", "EEEEE", "Error"},
        {"ErrorsDoNotCount", "interval: 5s, count: 2", "SES", "Successful"},
        {"ErrorsNotInARow", "interval: 5s, count: 9, consecutiveErrorLimit: 1", "ESESE", "Running"},
        {"SuccessInARowEndsIt", "interval: 5s, consecutiveSuccessLimit: 2, failureLimit: -1", "FSFSS", "Successful"},
        {"SuccessInARowMissed", "interval: 5s, count: 4, consecutiveSuccessLimit: 3, failureLimit: -1", "SSFS",
         "Failed"},
        {"BothLimitsMissed", "interval: 5s, count: 4, consecutiveSuccessLimit: 3, failureLimit: 2", "SSFS",
         "Inconclusive"},
        {"LimitsOutOfArguments", "interval: 5s, count: '2', failureLimit: '1'", "FS", "Successful"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Analysis, JudgesAsTheConditionsSay) {
  auto phase = [](std::string_view conditions, doc::Value value) {
    return to_string(judge(metric(conditions), value).phase);
  };
  EXPECT_EQ(phase("count: 1", 5), "Successful");
  EXPECT_EQ(phase("successCondition: result > 3", 5), "Successful");
  EXPECT_EQ(phase("successCondition: result > 3", 1), "Failed");
  EXPECT_EQ(phase("failureCondition: result > 3", 1), "Successful");
  EXPECT_EQ(phase("failureCondition: result > 3", 5), "Failed");
  EXPECT_EQ(phase("successCondition: result > 3, failureCondition: result < 2", 2.5), "Inconclusive");
  EXPECT_EQ(phase("successCondition: result > 3, failureCondition: result > 2", 5), "Failed");
  EXPECT_EQ(phase("successCondition: 'result[0] > 3'", doc::List()), "Error");
}

TEST(Analysis, DueTimes) {
  WallTime start{std::chrono::seconds(1000)};
  auto m = metric("interval: 30s, initialDelay: 10s, count: 2");
  MetricResult r;
  EXPECT_EQ(next_due(m, r, start, start), start + std::chrono::seconds(10));
  take(m, r, {.phase = Phase::running, .started = start});
  EXPECT_EQ(next_due(m, r, start, start), std::nullopt);
  take(m, r, {.phase = Phase::error, .finished = start + std::chrono::seconds(20)});
  EXPECT_EQ(r.measurements.size(), 1U);
  EXPECT_EQ(next_due(m, r, start, start), start + std::chrono::seconds(30));
  take(m, r, {.phase = Phase::successful, .finished = start + std::chrono::seconds(30)});
  EXPECT_EQ(next_due(m, r, start, start), start + std::chrono::seconds(60));
  take(m, r, {.phase = Phase::successful, .finished = start + std::chrono::seconds(60)});
  EXPECT_EQ(next_due(m, r, start, start), std::nullopt);
}

TEST(Analysis, RunPhaseIsTheWorstFinished) {
  auto of = [](std::initializer_list<std::pair<Phase, bool>> list, bool terminating = false) {
    std::vector<MetricResult> results;
    for (auto [phase, dry] : list) results.push_back({.name = "m", .phase = phase, .dry_run = dry});
    return to_string(run_phase(results, terminating).phase);
  };
  EXPECT_EQ(of({{Phase::successful, false}, {Phase::running, false}}), "Running");
  EXPECT_EQ(of({{Phase::failed, false}, {Phase::running, false}}), "Failed");
  EXPECT_EQ(of({{Phase::failed, true}, {Phase::successful, false}}), "Successful");
  EXPECT_EQ(of({{Phase::error, false}, {Phase::inconclusive, false}, {Phase::successful, false}}), "Error");
  EXPECT_EQ(of({{Phase::running, false}}, true), "Successful");
}

TEST(Analysis, ArgumentsFillEveryString) {
  auto value = must(doc::parse_json(R"({"a":["x {{args.svc}} y","{{ args.n }}"],"b":{"c":"{{templates.x}}"},"n":1})"));
  EXPECT_EQ(doc::print_json(must(fill_args(value, {{"svc", "web"}, {"n", "3"}}))),
            R"({"a":["x web y","3"],"b":{"c":"{{templates.x}}"},"n":1})");
  EXPECT_EQ(fill_args(value, {{"n", "3"}}).error().what(), "argument \"svc\" has no value");
}

TEST(Analysis, ResultsSurviveTheStatus) {
  MetricResult r{.name = "m", .message = "x", .phase = Phase::running, .count = 2, .successful = 1, .failed = 1};
  r.measurements.push_back(
      {.phase = Phase::failed, .value = "[1]", .started = WallTime(std::chrono::seconds(5)), .metadata = {{"a", "b"}}});
  auto doc = to_doc(r);
  EXPECT_EQ(to_doc(result_from(doc::View(doc))), doc);
}

// How often a test that is looked at every minute ever aborts.
double abort_share(double stable_rate, double ratio, int per_minute, int minutes, int runs) {
  std::mt19937_64 random(7);
  int aborted = 0;
  for (int run = 0; run < runs; ++run) {
    SequentialTest test;
    for (int minute = 0; minute < minutes; ++minute) {
      std::binomial_distribution<std::uint64_t> ours(per_minute / 2, stable_rate * ratio),
          theirs(per_minute / 2, stable_rate);
      auto half = static_cast<std::uint64_t>(per_minute / 2);
      test.look({half, ours(random)}, {half, theirs(random)});
      if (test.evidence() >= 100) {
        ++aborted;
        break;
      }
    }
  }
  return static_cast<double>(aborted) / runs;
}

TEST(Sequential, BoundsFalseAbortsAndSeesRealOnes) {
  EXPECT_LE(abort_share(0.005, 1, 1000, 30, 400), 0.015);  // alpha 1 %
  EXPECT_GE(abort_share(0.005, 5, 1000, 30, 100), 0.99);
  EXPECT_GE(abort_share(0.005, 2, 1000, 30, 100), 0.85);
}

TEST(Sequential, NoDataIsNoEvidence) {
  SequentialTest test;
  test.look({0, 0}, {1000, 5});
  test.look({100, 50}, {0, 0});
  EXPECT_DOUBLE_EQ(test.evidence(), 1);
  test.look({100, 30}, {900, 1});
  EXPECT_GT(test.evidence(), 100);
  auto again = must(SequentialTest::parse(test.print()));
  EXPECT_NEAR(std::log(again.evidence()), std::log(test.evidence()), 1e-3);
  EXPECT_FALSE(SequentialTest::parse("1 2 3"));
}

TEST(Sequential, SaysHowManyRequestsItTakes) {
  EXPECT_NEAR(static_cast<double>(requests_needed(0.005, 0.01, 0.01)), 2149, 25);
  EXPECT_NEAR(static_cast<double>(requests_needed(0.001, 0.002, 0.01)), 10799, 110);
}

}  // namespace
}  // namespace slipway::verify
