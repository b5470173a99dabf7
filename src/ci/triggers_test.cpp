// What starts a workflow beside pushes: what github.event holds then, and which inputs fit.
#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "ci/front_end.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

using E = path::Change::Event;

path::Change change(E event) {
  path::Change c;
  c.event = event, c.repository = "shop", c.ref = "refs/heads/main", c.after = std::string(40, 'a');
  return c;
}
bool starts(const char* on, const path::Change& c) {
  auto text = fmt::format("on: {}\njobs: {{j: {{runs-on: x, steps: [{{run: x}}]}}}}\n", on);
  auto start = start_of(text, ".github/workflows/a.yml", c, {}, {});
  EXPECT_TRUE(start) << start.error().what();
  return start && *start;
}

TEST(Triggers, AfterAnotherRun) {
  auto c = change(E::workflow_run);
  c.action = "completed";
  c.details = doc::Map{{"workflow_run", doc::Map{{"name", "CI"}, {"head_branch", "main"}, {"conclusion", "success"}}}};
  EXPECT_TRUE(starts("{workflow_run: {workflows: [CI]}}", c));
  EXPECT_TRUE(starts("{workflow_run: {workflows: [Other, CI], types: [completed], branches: ['ma*']}}", c));
  EXPECT_FALSE(starts("{workflow_run: {workflows: [Other]}}", c));
  EXPECT_FALSE(starts("{workflow_run: {workflows: [CI], types: [requested]}}", c));
  EXPECT_FALSE(starts("{workflow_run: {workflows: [CI], branches-ignore: [main]}}", c));
  EXPECT_FALSE(starts("push", c));
  auto event = event_from(c);
  EXPECT_EQ(event.payload.str_at({"workflow_run", "conclusion"}), "success");
  EXPECT_EQ(event.payload.str_at({"action"}), "completed");
}

TEST(Triggers, TimersOfThisLine) {
  auto c = change(E::schedule);
  c.cron = "0 1 * * *";
  EXPECT_TRUE(starts("{schedule: [{cron: '0 1 * * *'}, {cron: '0 2 * * *'}]}", c));
  EXPECT_FALSE(starts("{schedule: [{cron: '0 3 * * *'}]}", c));
  EXPECT_EQ(event_from(c).payload.str_at({"schedule"}), "0 1 * * *");
}

TEST(Triggers, WordsOfScriptsAndRefs) {
  auto c = change(E::repository_dispatch);
  c.action = "deploy", c.details = doc::Map{{"version", "1"}};
  EXPECT_TRUE(starts("repository_dispatch", c));
  EXPECT_TRUE(starts("{repository_dispatch: {types: [deploy]}}", c));
  EXPECT_FALSE(starts("{repository_dispatch: {types: [other]}}", c));
  EXPECT_EQ(event_from(c).payload.str_at({"client_payload", "version"}), "1");
  c = change(E::created);
  c.details = doc::Map{{"ref", "topic"}, {"ref_type", "branch"}};
  EXPECT_TRUE(starts("create", c));
  EXPECT_FALSE(starts("delete", c));
  EXPECT_EQ(event_from(c).name, "create");
  EXPECT_EQ(event_from(c).payload.str_at({"ref_type"}), "branch");
}

constexpr auto dispatch = R"Y(on:
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [a, b], default: a}
      count: {type: number, required: true}
      dry: {type: boolean, default: true}
      where: {type: environment}
jobs: {j: {runs-on: x, steps: [{run: x}]}}
)Y";

TEST(Triggers, InputsAreTypedAndTheirStringsKept) {
  auto c = change(E::manual);
  c.inputs = {{"count", "3"}, {"dry", "false"}, {"where", "production"}};
  auto plan = must(plan_file(dispatch, ".github/workflows/a.yml", event_from(c), {}));
  doc::View inputs(plan.event.inputs), strings(plan.event.payload);
  EXPECT_EQ(inputs["count"].num_or(0), 3);
  EXPECT_FALSE(inputs["dry"].bool_or(true));
  EXPECT_EQ(inputs["level"].text(), "a");
  EXPECT_EQ(must(strings["inputs"]["dry"].str()), "false");
  EXPECT_EQ(must(strings["inputs"]["count"].str()), "3");
}

TEST(Triggers, AWrongInputNamesItsPlace) {
  for (auto [inputs, want] : std::initializer_list<std::pair<std::map<std::string, std::string>, const char*>>{
           {{}, ".github/workflows/a.yml:5:7: input 'count': got \"\", want a value: it is required"},
           {{{"count", "x"}}, ".github/workflows/a.yml:5:7: input 'count': got \"x\", want a number"},
           {{{"count", "1"}, {"level", "c"}}, "4:7: input 'level': got \"c\", want one of a, b"},
           {{{"count", "1"}, {"dry", "maybe"}}, "6:7: input 'dry': got \"maybe\", want true or false"},
           {{{"cuont", "1"}}, "declares no input 'cuont', did you mean 'count'?"},
           {{{"elsewhere", "1"}}, "declares no input 'elsewhere'; it has level, count, dry, where"}}) {
    auto c = change(E::manual);
    c.inputs = inputs;
    auto plan = plan_file(dispatch, ".github/workflows/a.yml", event_from(c), {});
    ASSERT_FALSE(plan);
    EXPECT_TRUE(std::string(plan.error().what()).contains(want)) << plan.error().what();
  }
}

TEST(Triggers, GitlabKnowsPeopleAndTimersAlone) {
  auto known = [](E event) {
    return must(start_of("j: {script: x}", ".gitlab-ci.yml", change(event), {}, {})).has_value();
  };
  EXPECT_TRUE(known(E::manual));
  EXPECT_TRUE(known(E::schedule));
  for (auto event : {E::workflow_run, E::repository_dispatch, E::created, E::deleted, E::release})
    EXPECT_FALSE(known(event));
}

}  // namespace
}  // namespace slipway::ci
