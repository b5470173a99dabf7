#include "engine/git_policy.h"

#include "engine/testing.h"

namespace slipway::engine {
namespace {

using Recovery = HouseTest;

// kill -9 after the ref moved, before the Change was written.
TEST_F(Recovery, AFirstPushThatLostItsChangeGetsIt) {
  auto id = commit("shop", "main", {{"a", "1\n"}});
  ASSERT_TRUE(house.push_notes->write({"shop", "refs/heads/main", std::string(git::zero_oid), id, "ada"}));
  ASSERT_TRUE(recover_changes(ctx, house));
  auto changes = must(all(ctx, *house.client, "Change"));
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0]["spec"]["after"].text(), id);
  EXPECT_EQ(changes[0]["spec"]["author"].text(), "ada");
  EXPECT_TRUE(must(house.push_notes->left()).empty());
  ASSERT_TRUE(recover_changes(ctx, house));
  EXPECT_EQ(must(all(ctx, *house.client, "Change")).size(), 1U);
}

// kill -9 before the ref moved: the push was never acknowledged.
TEST_F(Recovery, APushThatMovedNothingIsForgotten) {
  commit("shop", "main", {{"a", "1\n"}});
  ASSERT_TRUE(
      house.push_notes->write({"shop", "refs/heads/other", std::string(git::zero_oid), std::string(40, 'a'), "ada"}));
  ASSERT_TRUE(
      house.push_notes->write({"nosuch", "refs/heads/main", std::string(git::zero_oid), std::string(40, 'a'), "ada"}));
  ASSERT_TRUE(recover_changes(ctx, house));
  EXPECT_TRUE(must(all(ctx, *house.client, "Change")).empty());
  EXPECT_TRUE(must(house.push_notes->left()).empty());
}

// A later push went over it: both are changes.
TEST_F(Recovery, AnOlderPushIsAChangeToo) {
  auto first = commit("shop", "main", {{"a", "1\n"}});
  auto second = commit("shop", "main", {{"a", "2\n"}});
  ASSERT_TRUE(house.push_notes->write({"shop", "refs/heads/main", std::string(git::zero_oid), first, "ada"}));
  ASSERT_TRUE(house.push_notes->write({"shop", "refs/heads/main", first, second, "ada"}));
  ASSERT_TRUE(recover_changes(ctx, house));
  EXPECT_EQ(must(all(ctx, *house.client, "Change")).size(), 2U);
}

// The cluster's state is lost, Git is not: nothing is run again.
TEST_F(Recovery, AStoreWithoutAPastRunsNothingAgain) {
  commit("shop", "main", {{"a", "1\n"}});
  ASSERT_TRUE(recover_changes(ctx, house));
  EXPECT_TRUE(must(all(ctx, *house.client, "Change")).empty());
}

// A full disk: the ref moved, the store refused.
TEST_F(Recovery, WhileRunningOnlyWhatIsBehindIsCaughtUp) {
  auto id = commit("shop", "main", {{"a", "1\n"}});
  ASSERT_TRUE(house.push_notes->write({"shop", "refs/heads/main", std::string(git::zero_oid), id, "ada"}));
  ASSERT_TRUE(
      house.push_notes->write({"shop", "refs/heads/coming", std::string(git::zero_oid), std::string(40, 'a'), "ada"}));
  ASSERT_TRUE(catch_up(ctx, house));
  EXPECT_TRUE(must(all(ctx, *house.client, "Change")).empty());
  house.pushes_behind = true;
  ASSERT_TRUE(catch_up(ctx, house));
  EXPECT_EQ(must(all(ctx, *house.client, "Change")).size(), 1U);
  EXPECT_EQ(must(house.push_notes->left()).size(), 1U) << "a push under way keeps its note";
}

}  // namespace
}  // namespace slipway::engine
