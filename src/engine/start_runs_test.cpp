#include "engine/concurrency.h"
#include "engine/runs.h"
#include "engine/testing.h"
#include "intake/intake.h"

namespace slipway::engine {
namespace {

struct StartRuns : HouseTest {
  // The runs that a push of this commit starts, by workflow.
  std::map<std::string, kube::Object> started(const std::string& id, const std::string& branch = "main") {
    auto repository = must(house.git->repository("shop"));
    auto change = must(intake::change_of_push(
        repository, "shop", {"refs/heads/" + branch, std::string(git::zero_oid), id, false, ""}, "ada"));
    must(record(ctx, *house.client, "Change", name_of(change), to_doc(change)));
    EXPECT_TRUE(start_runs(ctx, house, name_of(change)));
    std::map<std::string, kube::Object> runs;
    for (const auto& run : must(all(ctx, *house.client, "WorkflowRun")))
      if (run["spec"]["change"]["after"].text() == id) runs[run["spec"]["workflow"].text()] = run;
    return runs;
  }
};

const std::string job = "jobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n";

TEST_F(StartRuns, OneForEachWorkflowThatTheChangeStarts) {
  auto runs = started(commit("shop", "main",
                             {{".github/workflows/ci.yml", "name: CI\non: push\n" + job},
                              {".github/workflows/pr.yaml", "on: pull_request\n" + job},
                              {".github/workflows/readme.md", "x"},
                              {"other.yml", "on: push\n" + job}}));
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs.begin()->first, ".github/workflows/ci.yml");
  EXPECT_EQ(runs.begin()->second["spec"]["name"].text(), "CI");
}

TEST_F(StartRuns, AWorkflowThatCannotBeReadIsAFailedRunThatSaysWhere) {
  auto runs = started(
      commit("shop", "main",
             {{".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-onn: x\n    steps: [{run: ls}]\n"}}));
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(phase_of(runs.begin()->second), path::Phase::failed);
  EXPECT_TRUE(runs.begin()->second["status"]["message"].text().starts_with(".github/workflows/ci.yml:4:5"))
      << runs.begin()->second["status"]["message"].text();
}

TEST_F(StartRuns, AGitlabPipelineIsOneMoreRun) {
  auto runs = started(
      commit("shop", "main",
             {{".gitlab-ci.yml",
               "include: /ci/*.yml\nworkflow: {name: 'Shop $CI_COMMIT_BRANCH'}\ndefault: {interruptible: true}\n"},
              {"ci/jobs.yml", "test: {script: make}\n"},
              {".github/workflows/ci.yml", "on: push\n" + job}}));
  ASSERT_EQ(runs.size(), 2U);
  auto& run = runs.at(".gitlab-ci.yml");
  EXPECT_EQ(run["spec"]["name"].text(), "Shop main");
  EXPECT_EQ(run["spec"]["concurrency"]["group"].text(), ".gitlab-ci.yml refs/heads/main");
  EXPECT_TRUE(run["spec"]["concurrency"]["cancelInProgress"].bool_or(false));
  runs = started(commit("shop", "main", {{"ci/jobs.yml", "test: {script: make, only: [tags]}\n"}}));
  EXPECT_FALSE(runs.contains(".gitlab-ci.yml"));
  runs = started(commit("shop", "main", {{"ci/jobs.yml", "test: {scirpt: make}\n"}}));
  EXPECT_EQ(phase_of(runs.at(".gitlab-ci.yml")), path::Phase::failed);
  EXPECT_TRUE(
      runs.at(".gitlab-ci.yml")["status"]["message"].text().contains("ci/jobs.yml:1:8: job 'test': unknown keyword"))
      << runs.at(".gitlab-ci.yml")["status"]["message"].text();
}

TEST_F(StartRuns, TheRunKnowsItsConcurrencyGroup) {
  auto text = "on: push\nconcurrency: {group: 'deploy-${{ github.ref_name }}', cancel-in-progress: true}\n" + job;
  auto run = started(commit("shop", "main", {{".github/workflows/ci.yml", text}})).begin()->second;
  EXPECT_EQ(run["spec"]["concurrency"]["group"].text(), "deploy-main");
  EXPECT_TRUE(run["spec"]["concurrency"]["cancelInProgress"].bool_or(false));
  EXPECT_EQ(run.label(std::string(concurrency_label)), concurrency_group("shop", "deploy-main"));
  EXPECT_EQ(must(take_turn(ctx, house, run)).what, Turn::What::go);
  auto later = started(commit("shop", "main", {{"a", "2\n"}})).begin()->second;
  EXPECT_EQ(must(take_turn(ctx, house, later)).what, Turn::What::wait);
  EXPECT_EQ(must(take_turn(ctx, house, run)).what, Turn::What::cancelled);
  ASSERT_TRUE(set_status(ctx, *house.client, "WorkflowRun", run.name(), doc::Map{{"phase", "Cancelled"}}));
  EXPECT_EQ(must(take_turn(ctx, house, later)).what, Turn::What::go);
}

TEST_F(StartRuns, TwiceIsOnce) {
  auto id = commit("shop", "main", {{".github/workflows/ci.yml", "on: push\n" + job}});
  started(id);
  EXPECT_EQ(started(id).size(), 1U);
  EXPECT_EQ(must(all(ctx, *house.client, "WorkflowRun")).size(), 1U);
}

TEST_F(StartRuns, TheSameCommitOnAnotherBranchNamesTheRunThatPassed) {
  auto id = commit("shop", "main", {{".github/workflows/ci.yml", "on: push\n" + job}});
  auto first = started(id).begin()->second;
  ASSERT_TRUE(set_status(ctx, *house.client, "WorkflowRun", first.name(), doc::Map{{"phase", "Succeeded"}}));
  started(id, "release");
  auto runs = must(all(ctx, *house.client, "WorkflowRun"));
  ASSERT_EQ(runs.size(), 2U);
  auto second = runs[0].name() == first.name() ? runs[1] : runs[0];
  EXPECT_EQ(second["spec"]["reuse"].text(), first.name());
}

}  // namespace
}  // namespace slipway::engine
