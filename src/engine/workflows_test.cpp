// Workflows as objects, their timers, and what people ask for by names.
#include "engine/workflows.h"

#include "engine/runs.h"
#include "engine/testing.h"

namespace slipway::engine {
namespace {

constexpr auto file = ".github/workflows/a.yml";

struct Workflows : HouseTest {
  std::string workflow(const std::string& on, const std::string& repository = "shop") {
    commit(repository, "main",
           {{file, fmt::format("name: A\non: {}\njobs: {{j: {{runs-on: x, steps: [{{run: x}}]}}}}\n", on), 0}});
    must(keep_workflows(ctx, house, repository));
    return workflow_object_name(repository, file);
  }
  std::size_t ticks() { return must(all(ctx, *house.client, "Change")).size(); }
  void last(const std::string& name, const std::string& line, WallTime at) {
    must(set_status(ctx, *house.client, "Workflow", name, doc::Map{{"ticks", doc::Map{{line, rfc3339(at)}}}}));
  }
  // The Change that a person makes, and what became of it.
  doc::Value ask(path::Change change, const std::string& name) {
    change.event = path::Change::Event::manual;
    must(record(ctx, *house.client, "Change", name, to_doc(change)));
    must(start_runs(ctx, house, name));
    return object("Change", name)["status"].value();
  }
};

TEST_F(Workflows, FollowTheDefaultBranch) {
  auto name = workflow("{push: , workflow_dispatch: {inputs: {n: {type: number, required: true}}}}");
  auto known = object("Workflow", name);
  EXPECT_EQ(known["spec"]["name"].text(), "A");
  EXPECT_EQ(known["spec"]["events"].items().size(), 2U);
  EXPECT_EQ(known["spec"]["inputs"][0]["name"].text(), "n");
  EXPECT_EQ(must(listeners(ctx, house, "shop", "workflow_dispatch")), std::vector<std::string>{file});
  EXPECT_TRUE(must(listeners(ctx, house, "other", "workflow_dispatch")).empty());
  workflow("nonsense");
  EXPECT_TRUE(object("Workflow", name)["spec"]["problem"].text().contains(".github/workflows/a.yml:2:"));
  commit("shop", "main", {{file, std::nullopt, 0}});
  must(keep_workflows(ctx, house, "shop"));
  EXPECT_FALSE(must(find(ctx, *house.client, "Workflow", name)));
}

TEST_F(Workflows, ATimerIsDueOnceForAllItMissed) {
  auto name = workflow("{schedule: [{cron: '0 0 1 1 *'}]}");
  auto wait = must(look_at_timers(ctx, house, name));
  ASSERT_TRUE(wait);
  EXPECT_LE(*wait, Millis(3'600'000)) << "the clock may be set meanwhile";
  EXPECT_EQ(ticks(), 0U) << "a line counts from when it was pushed";
  auto then = ctx.clock->wall() - std::chrono::hours(24 * 800);
  last(name, "0 0 1 1 *", then);
  must(look_at_timers(ctx, house, name));
  EXPECT_EQ(ticks(), 1U);
  last(name, "0 0 1 1 *", then);  // as if it had been killed before it noted the tick down
  must(look_at_timers(ctx, house, name));
  EXPECT_EQ(ticks(), 1U);
  auto change = must(path::change_from(must(all(ctx, *house.client, "Change")).front()["spec"]));
  EXPECT_EQ(change.event, path::Change::Event::schedule);
  EXPECT_EQ(change.cron, "0 0 1 1 *");
  EXPECT_EQ(change.workflow, file);
}

TEST_F(Workflows, NoTimerIsDueMoreOftenThanEveryFiveMinutes) {
  auto name = workflow("{schedule: [{cron: '* * * * *'}]}");
  auto minute = std::chrono::floor<std::chrono::minutes>(ctx.clock->wall());
  last(name, "* * * * *", minute - std::chrono::minutes(2));
  must(look_at_timers(ctx, house, name));
  EXPECT_EQ(ticks(), 0U);
  EXPECT_EQ(object("Workflow", name)["status"]["nextRun"].text(), rfc3339(minute + std::chrono::minutes(3)));
  last(name, "* * * * *", minute - std::chrono::minutes(30));
  must(look_at_timers(ctx, house, name));
  EXPECT_EQ(ticks(), 1U);
}

TEST_F(Workflows, LinesThatAreGoneAreForgotten) {
  auto name = workflow("{schedule: [{cron: '0 0 1 1 *', timezone: Nowhere/There}, {cron: '0 0 2 1 *'}]}");
  must(look_at_timers(ctx, house, name));
  auto status = object("Workflow", name)["status"];
  EXPECT_TRUE(status["message"].text().contains("there is no timezone \"Nowhere/There\"")) << status["message"].text();
  EXPECT_EQ(status["ticks"].members().size(), 1U);
  workflow("push");
  EXPECT_FALSE(must(look_at_timers(ctx, house, name)));
  EXPECT_TRUE(object("Workflow", name)["status"]["ticks"].members().empty());
  EXPECT_FALSE(object("Workflow", name)["status"]["nextRun"].present());
}

TEST_F(Workflows, WhatAPersonAsksForIsMadeWhole) {
  auto tip = commit("shop", "main", {{"x", "y", 0}});
  workflow("{workflow_dispatch: {inputs: {n: {type: number, required: true}}}}");
  path::Change change;
  change.repository = "shop", change.workflow = "A", change.inputs = {{"n", "3"}};
  auto said = ask(change, "one");
  EXPECT_EQ(said.str_at({"phase"}), "Started");
  auto whole = must(path::change_from(object("Change", "one")["spec"]));
  EXPECT_EQ(whole.workflow, file);
  EXPECT_EQ(whole.ref, "refs/heads/main");
  EXPECT_NE(whole.after, tip);
  EXPECT_EQ(object("WorkflowRun", "one-a")["spec"]["number"].num_or(0), 1);
  EXPECT_EQ(ask(change, "two").str_at({"phase"}), "Started");
  EXPECT_EQ(object("WorkflowRun", "two-a")["spec"]["number"].num_or(0), 2) << "each time is a run of its own";
}

TEST_F(Workflows, WhatCannotBeIsRefusedWithTheReason) {
  workflow("{workflow_dispatch: {inputs: {n: {type: number, required: true}}}}");
  int number = 0;
  auto refused = [&](const std::string& repository, const std::string& name, const std::string& ref) {
    path::Change change;
    change.repository = repository, change.workflow = name, change.ref = ref;
    auto said = ask(change, fmt::format("x{}", ++number));
    EXPECT_EQ(said.str_at({"phase"}), "Refused");
    return said.str_at({"message"});
  };
  EXPECT_TRUE(refused("shop", "a", "").contains("it is required"));
  EXPECT_TRUE(refused("shop", "a", "no").contains("shop has no branch or tag no"));
  EXPECT_TRUE(refused("shop", "b", "").contains("has no workflow b"));
  EXPECT_TRUE(refused("shup", "a", "").contains("did you mean shop?"));
  workflow("push", "plain");
  EXPECT_TRUE(refused("plain", "a", "").contains("is not started by hand"));
}

TEST_F(Workflows, ARunIsFollowedOnce) {
  workflow("{workflow_run: {workflows: [A], types: [completed]}}");
  must(record(ctx, *house.client, "WorkflowRun", "r",
              doc::Map{{"name", "A"},
                       {"workflow", file},
                       {"change", doc::Map{{"repository", "shop"}, {"ref", "refs/heads/main"}}}}));
  must(follow_run(ctx, house, "r"));
  EXPECT_EQ(ticks(), 0U);
  must(set_status(ctx, *house.client, "WorkflowRun", "r", doc::Map{{"phase", "Succeeded"}}));
  must(follow_run(ctx, house, "r"));
  must(follow_run(ctx, house, "r"));
  EXPECT_EQ(ticks(), 1U);
  must(set_status(ctx, *house.client, "WorkflowRun", "r", doc::Map{{"told", ""}}));
  must(follow_run(ctx, house, "r"));
  EXPECT_EQ(ticks(), 1U) << "what was told and not noted down is not told twice";
}

}  // namespace
}  // namespace slipway::engine
