#include "rollout/counts.h"

#include <gtest/gtest.h>

namespace slipway::rollout {
namespace {

TEST(Counts, SplitIsTheNearestToTheWeight) {
  struct Case {
    std::int64_t replicas, weight, surge;
    Counts want;
  };
  for (const auto& [replicas, weight, surge, want] : std::vector<Case>{{10, 10, 0, {1, 9}},
                                                                       {10, 5, 0, {1, 9}},
                                                                       {1, 5, 1, {1, 1}},
                                                                       {1, 95, 1, {1, 1}},
                                                                       {1, 95, 0, {1, 0}},
                                                                       {10, 0, 1, {0, 10}},
                                                                       {10, 100, 1, {10, 0}},
                                                                       {4, 25, 1, {1, 3}},
                                                                       {8, 25, 2, {2, 6}},
                                                                       {0, 50, 1, {0, 0}},
                                                                       {5, 20, 1, {1, 4}},
                                                                       {2, 50, 1, {1, 1}}})
    EXPECT_EQ(split_of(replicas, weight, surge), want) << replicas << "@" << weight << " surge " << surge;
}

TEST(Counts, MoveStaysInsideItsBudget) {
  auto moved = [](Move m) { return move_towards(m).now; };
  Share three{3, false}, none{0, false}, five{5, false};
  EXPECT_EQ(moved({10, 30, three, none, {0, 0}, {10, 10}, {}}), (Counts{3, 10}));
  EXPECT_EQ(moved({10, 30, none, five, {0, 0}, {10, 10}, {}}), (Counts{0, 7}));
  EXPECT_EQ(moved({10, 30, none, five, {0, 0}, {7, 7}, {}}), (Counts{3, 7}));
  EXPECT_EQ(moved({10, 30, three, none, {3, 3}, {10, 10}, {}}), (Counts{3, 7}));
  EXPECT_EQ(moved({4, 100, none, none, {0, 0}, {4, 4}, {}}), (Counts{0, 3}));  // both zero: one may be missing
  EXPECT_EQ(moved({4, 100, none, none, {1, 0}, {3, 3}, {}}), (Counts{1, 3}));  // waits for the new one
  EXPECT_EQ(moved({4, 0, none, none, {2, 0}, {2, 2}, {}}), (Counts{0, 2}));    // pods that never came go at once
  auto older = move_towards({4, 50, {1, false}, none, {1, 1}, {2, 2}, {2, 0}});
  EXPECT_EQ(older.older, 0);
}

// Whatever the state, following the moves ends at the split and never leaves the budget.
TEST(Counts, MovesConverge) {
  for (std::int64_t replicas : {1, 2, 3, 5, 10})
    for (std::int64_t weight : {0, 5, 25, 50, 75, 100})
      for (Share surge : {Share{0, false}, Share{1, false}, Share{25, true}})
        for (Share unavailable : {Share{0, false}, Share{1, false}, Share{25, true}}) {
          Pods canary, stable{replicas, replicas}, older;
          Counts last;
          for (int i = 0; i < 40; ++i) {
            auto m = move_towards({replicas, weight, surge, unavailable, canary, stable, older});
            auto most = replicas + surge.up(replicas);
            EXPECT_LE(m.now.canary + m.now.stable, std::max(most, canary.wanted + stable.wanted));
            canary = {m.now.canary, m.now.canary}, stable = {m.now.stable, m.now.stable};
            last = m.now;
          }
          EXPECT_EQ(last, split_of(replicas, weight, surge.up(replicas))) << replicas << "@" << weight;
        }
}

}  // namespace
}  // namespace slipway::rollout
