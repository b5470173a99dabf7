#include "ci/groups.h"

#include <gtest/gtest.h>

#include <future>

#include "base/testing/golden.h"

namespace slipway::ci {
namespace {

struct JobGroupsTest : testing::Test {
  Ctx ctx = Ctx{}.within(Millis(20000));
  JobGroups groups;
  auto enter(std::string who, bool cancel = false, bool keep_all = false, std::string group = "deploy",
             std::string repository = "shop") {
    return std::async(std::launch::async,
                      [this, wish = JobGroups::Wish{std::move(repository), std::move(group), std::move(who), cancel,
                                                    keep_all}] { return groups.enter(ctx, wish); });
  }
  static bool waits(std::future<Result<std::unique_ptr<JobGroups::Hold>>>& turn) {
    return turn.wait_for(Millis(30)) == std::future_status::timeout;
  }
};

TEST_F(JobGroupsTest, OneAfterTheOther) {
  auto first = must(enter("a").get());
  auto second = enter("b");
  EXPECT_TRUE(waits(second));
  first.reset();
  EXPECT_EQ(must(second.get())->cancelled(), "");
  must(enter("c").get());
}

TEST_F(JobGroupsTest, OtherGroupsAndRepositoriesDoNotWait) {
  auto first = must(enter("a").get());
  must(enter("b", false, false, "other").get());
  must(enter("c", false, false, "deploy", "elsewhere").get());
  auto same = enter("d", false, false, "DEPLOY");
  EXPECT_TRUE(waits(same));
  first.reset();
  must(same.get());
}

TEST_F(JobGroupsTest, TheNewestTakesThePlaceOfWhoWaits) {
  auto first = must(enter("a").get());
  auto second = enter("b");
  ASSERT_TRUE(waits(second));
  auto third = enter("c");
  auto replaced = second.get();
  ASSERT_FALSE(replaced);
  EXPECT_TRUE(replaced.error().is(Kind::cancelled));
  EXPECT_EQ(replaced.error().what(), "c took its place in the queue of concurrency group deploy");
  EXPECT_FALSE(first->token().stop_requested());
  first.reset();
  must(third.get());
}

TEST_F(JobGroupsTest, AllWaitWhenTheGroupKeepsAll) {
  auto first = must(enter("a", false, true).get());
  auto second = enter("b", false, true);
  ASSERT_TRUE(waits(second));
  auto third = enter("c", false, true);
  EXPECT_TRUE(waits(second));
  first.reset();
  must(second.get()).reset();
  must(third.get());
}

TEST_F(JobGroupsTest, CancelInProgressStopsWhoHoldsIt) {
  auto first = must(enter("a").get());
  auto second = enter("b", true);
  EXPECT_TRUE(waits(second)) << "not beside the one that is ending";
  EXPECT_TRUE(first->token().stop_requested());
  EXPECT_EQ(first->cancelled(), "cancelled by b: concurrency group deploy");
  first.reset();
  must(second.get());
}

TEST_F(JobGroupsTest, AStopEndsTheWaiting) {
  auto first = must(enter("a").get());
  std::stop_source stop;
  auto second = std::async(std::launch::async,
                           [&] { return groups.enter(ctx.with_stop(stop.get_token()), {"shop", "deploy", "b"}); });
  stop.request_stop();
  EXPECT_TRUE(second.get().error().is(Kind::cancelled));
  first.reset();
  must(enter("c").get());
}

}  // namespace
}  // namespace slipway::ci
