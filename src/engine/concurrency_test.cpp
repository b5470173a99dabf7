#include "engine/concurrency.h"

#include <gtest/gtest.h>

#include "engine/running_runs.h"

namespace slipway::engine {
namespace {

using What = Turn::What;

Claim claim(std::string run, int at, bool cancels = false, bool keeps_all = false, bool started = false) {
  return {std::move(run), fmt::format("2026-01-01T00:00:00.{:06}Z", at), cancels, keeps_all, started};
}

TEST(Concurrency, NobodyAheadGoes) {
  EXPECT_EQ(turn_of(claim("a", 1), {}, "g").what, What::go);
  // Newer ones that only queue do not hold up the oldest.
  EXPECT_EQ(turn_of(claim("a", 1), {claim("b", 2), claim("c", 3)}, "g").what, What::go);
}

TEST(Concurrency, TheNewerWaitsForTheOlder) {
  auto turn = turn_of(claim("b", 2), {claim("a", 1, false, false, true)}, "deploy");
  EXPECT_EQ(turn.what, What::wait);
  EXPECT_EQ(turn.why, "waits for a: concurrency group deploy");
}

TEST(Concurrency, OneWaitsAndItIsTheNewest) {
  std::vector<Claim> all{claim("a", 1, false, false, true), claim("c", 3)};
  auto turn = turn_of(claim("b", 2), all, "g");
  EXPECT_EQ(turn.what, What::cancelled);
  EXPECT_EQ(turn.why, "c took its place in the queue of concurrency group g");
  EXPECT_EQ(turn_of(claim("c", 3), {claim("a", 1, false, false, true), claim("b", 2)}, "g").what, What::wait);
}

TEST(Concurrency, QueueMaxKeepsAll) {
  EXPECT_EQ(
      turn_of(claim("b", 2, false, true), {claim("a", 1, false, true, true), claim("c", 3, false, true)}, "g").what,
      What::wait);
  EXPECT_EQ(
      turn_of(claim("b", 2, false, true), {claim("a", 1, false, true, true), claim("c", 3, false, true)}, "g").why,
      "waits for a: concurrency group g");
  EXPECT_EQ(
      turn_of(claim("c", 3, false, true), {claim("a", 1, false, true, true), claim("b", 2, false, true)}, "g").why,
      "waits for b: concurrency group g");
}

TEST(Concurrency, CancelInProgressEndsOlderOnes) {
  EXPECT_EQ(turn_of(claim("a", 1, false, false, true), {claim("b", 2, true)}, "g").what, What::cancelled);
  // The one that cancels starts when the others have ended, never beside them.
  EXPECT_EQ(turn_of(claim("b", 2, true), {claim("a", 1, true, false, true)}, "g").what, What::wait);
  EXPECT_EQ(turn_of(claim("b", 2, true), {}, "g").what, What::go);
}

TEST(Concurrency, TheSameTimeIsDecidedByName) {
  EXPECT_EQ(turn_of(claim("a", 1), {claim("b", 1)}, "g").what, What::go);
  EXPECT_EQ(turn_of(claim("b", 1), {claim("a", 1)}, "g").what, What::wait);
}

TEST(Concurrency, GroupsKnowNoCaseAndBelongToARepository) {
  EXPECT_EQ(concurrency_group("shop", "Deploy"), concurrency_group("shop", "deploy"));
  EXPECT_NE(concurrency_group("shop", "deploy"), concurrency_group("other", "deploy"));
  EXPECT_NE(concurrency_group("shop", "ci-a/b"), concurrency_group("shop", "ci-a-b"));
  EXPECT_LE(concurrency_group("shop", std::string(300, 'x')).size(), 63U);
}

TEST(RunningRuns, CancelStopsItOnceWithTheFirstReason) {
  RunningRuns runs;
  std::stop_source parent;
  EXPECT_FALSE(runs.cancel("a", "nobody"));
  {
    RunningRuns::Execution execution(runs, "a", parent.get_token());
    EXPECT_FALSE(execution.token().stop_requested());
    EXPECT_TRUE(runs.cancel("a", "first"));
    EXPECT_TRUE(runs.cancel("a", "second"));
    EXPECT_TRUE(execution.token().stop_requested());
    EXPECT_EQ(execution.cancelled(), "first");
    EXPECT_FALSE(parent.get_token().stop_requested());
  }
  EXPECT_FALSE(runs.cancel("a", "gone"));
  {
    RunningRuns::Execution back(runs, "c", parent.get_token(), {"x", "y"});
    back.found("x");
    EXPECT_TRUE(runs.cancel("c", "why"));
    EXPECT_EQ(back.cancelled(), "why");
    EXPECT_FALSE(back.token().stop_requested()) << "y has not been found yet";
    back.found("other");
    EXPECT_FALSE(back.token().stop_requested());
    back.found("y");
    EXPECT_TRUE(back.token().stop_requested());
  }
  RunningRuns::Execution other(runs, "b", parent.get_token());
  parent.request_stop();
  EXPECT_TRUE(other.token().stop_requested());
  EXPECT_EQ(other.cancelled(), "");
}

}  // namespace
}  // namespace slipway::engine
