#include "engine/reuse.h"

#include <gtest/gtest.h>

namespace slipway::engine {
namespace {

using Ids = std::set<std::string>;

TEST(Reuse, JobsThatAskForTheEventAreDecidedAnew) {
  auto text = R"(
on: [push, pull_request]
concurrency: ci-${{ github.ref }}
jobs:
  test: {runs-on: x, steps: [{uses: actions/checkout@v4}, {run: make test}]}
  image: {runs-on: x, steps: [{uses: docker/build-push-action@v6, with: {tags: "a:${{ github.sha }}"}}]}
  deploy: {runs-on: x, needs: [test], if: "github.ref == 'refs/heads/main'", steps: [{run: deploy}]}
  preview: {runs-on: x, if: "github.event_name == 'pull_request'", steps: [{run: ls}]}
  shell: {runs-on: x, steps: [{run: 'echo $GITHUB_REF_NAME'}]}
  tags: {runs-on: x, steps: [{uses: docker/metadata-action@v5}]}
  mine: {runs-on: x, steps: [{uses: ./action}]}
  called: {uses: ./.github/workflows/other.yml}
  after: {runs-on: x, needs: deploy, steps: [{run: ls}]}
  last: {runs-on: x, needs: [test, after], steps: [{run: ls}]}
)";
  EXPECT_EQ(jobs_of_the_commit_alone(text, true), (Ids{"test", "image"}));
}

TEST(Reuse, WhatAllJobsShareCounts) {
  EXPECT_EQ(jobs_of_the_commit_alone(
                "on: push\nenv: {REF: '${{ github.ref }}'}\njobs: {a: {runs-on: x, steps: [{run: ls}]}}\n", true),
            Ids{});
}

TEST(Reuse, SecretsCountWhenOnlyOneOfThemHadThem) {
  auto text = "on: push\njobs: {a: {runs-on: x, steps: [{run: 'x ${{ secrets.TOKEN }}'}]}}\n";
  EXPECT_EQ(jobs_of_the_commit_alone(text, true), Ids{"a"});
  EXPECT_EQ(jobs_of_the_commit_alone(text, false), Ids{});
}

TEST(Reuse, WhatCannotBeReadGivesNothing) { EXPECT_EQ(jobs_of_the_commit_alone("jobs: [", true), Ids{}); }

}  // namespace
}  // namespace slipway::engine
