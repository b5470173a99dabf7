#include "engine/testing.h"

namespace slipway::engine {
namespace {

TEST(ObjectName, IsWhatTheApiTakes) {
  EXPECT_EQ(object_name("Acme/Shop#7"), "acme-shop-7");
  EXPECT_EQ(object_name("--a--b--"), "a-b");
  EXPECT_LE(object_name(std::string(300, 'x')).size(), 63U);
  EXPECT_NE(object_name(std::string(300, 'x')), object_name(std::string(301, 'x')));
  EXPECT_FALSE(object_name("").empty());
  EXPECT_NE(object_name("/"), object_name("#"));
}

TEST(NameOf, TheSameCommitOnTwoBranchesIsTwoChanges) {
  path::Change change;
  change.repository = "shop", change.ref = "refs/heads/main", change.after = std::string(40, 'a');
  auto main = name_of(change);
  EXPECT_EQ(main, "shop-push-aaaaaaaaaaaa");
  change.ref = "refs/heads/release";
  EXPECT_NE(name_of(change), main);
  change.pull_request = 7;
  EXPECT_EQ(name_of(change), "shop-pr7-aaaaaaaaaaaa");
}

using Recorder = HouseTest;

TEST_F(Recorder, MakingOneTwiceMakesOne) {
  auto first = must(record(ctx, *house.client, "Notice", "a", doc::Map{{"event", "x"}}));
  auto second = must(record(ctx, *house.client, "Notice", "a", doc::Map{{"event", "y"}}));
  EXPECT_TRUE(first.fresh);
  EXPECT_FALSE(second.fresh);
  EXPECT_EQ(second.object["spec"]["event"].text(), "x");
}

TEST_F(Recorder, StatusIsMerged) {
  must(record(ctx, *house.client, "WorkflowRun", "a", doc::Map{{"name", "x"}}));
  ASSERT_TRUE(set_status(ctx, *house.client, "WorkflowRun", "a", doc::Map{{"phase", "Running"}, {"message", "m"}}));
  ASSERT_TRUE(set_status(ctx, *house.client, "WorkflowRun", "a", doc::Map{{"phase", "Succeeded"}}));
  EXPECT_EQ(phase_of(object("WorkflowRun", "a")), path::Phase::succeeded);
  EXPECT_EQ(object("WorkflowRun", "a")["status"]["message"].text(), "m");
  EXPECT_FALSE(set_status(ctx, *house.client, "WorkflowRun", "nosuch", doc::Map{{"phase", "Running"}}));
}

}  // namespace
}  // namespace slipway::engine
