// Jobs before the rules of their environment, and jobs that are started by hand.
#include "ci/testing.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "base/guarded.h"

namespace slipway::ci {
namespace {

// Rules that a test sets: environments wait until they are opened or refused.
class Doors final : public Environments {
 public:
  Result<Grant> enter(const Ctx& ctx, const Wish& wish, const std::function<void(const Waiting&)>& waiting) override {
    auto door = wish.by_hand ? wish.key : wish.environment;
    auto state = state_.lock();
    state->asked.push_back(wish);
    if (!state->open.contains(door)) {
      Waiting told;
      told.why = "waits for " + door, told.environment = wish.environment, told.by_hand = wish.by_hand;
      waiting(told);
      state->waiting.insert(door);
      changed_.notify_all();
      TRY_OK(state.wait(ctx, changed_, [&] { return state->open.contains(door); }));
    }
    if (state->open[door] == "refused") return fail(Kind::denied, "ada rejected {}", door);
    return Grant{{{"KEY", "key-of-" + door}}, {{"WHERE", "at " + door}}};
  }
  void open(const std::string& door, const std::string& how = "open") {
    state_.lock()->open[door] = how;
    changed_.notify_all();
  }
  void until_waiting(const std::string& door) {
    auto state = state_.lock();
    must(state.wait(Ctx{}.within(Millis(10000)), changed_, [&] { return state->waiting.contains(door); }));
  }
  std::vector<Wish> asked() { return state_.lock()->asked; }

 private:
  struct State {
    std::map<std::string, std::string> open;
    std::set<std::string> waiting;
    std::vector<Wish> asked;
  };
  Guarded<State> state_;
  std::condition_variable_any changed_;
};

class EnvironmentsTest : public RunnerTest {
 protected:
  EnvironmentsTest() {
    options.environments = &doors;
    options.secrets = {{"KEY", "plain-key-of-all"}, {"OTHER", "other-secret"}};
    options.vars = {{"WHERE", "nowhere"}, {"WHO", "us"}};
  }
  Doors doors;
};

constexpr auto deploy = R"Y(
on: push
jobs:
  build:
    runs-on: x
    outputs: {to: "${{ steps.s.outputs.to }}"}
    steps: [{id: s, run: "echo to=production >> $GITHUB_OUTPUT; test \"$K\" = plain-key-of-all", env: {K: "${{ secrets.KEY }}"}}]
  deploy:
    needs: build
    runs-on: x
    environment: {name: "${{ needs.build.outputs.to }}", url: "https://${{ steps.where.outputs.host }}/"}
    steps:
      - id: where
        run: echo host=shop.example >> $GITHUB_OUTPUT
      - run: test "$K" = key-of-production && echo "${{ vars.WHERE }} for ${{ vars.WHO }} with $K"
        env: {K: "${{ secrets.KEY }}"}
  after:
    needs: deploy
    runs-on: x
    steps: [{run: echo after}]
)Y";

TEST_F(EnvironmentsTest, AnOpenOneGivesItsSecretsAndVariables) {
  doors.open("production");
  auto r = run(deploy);
  ASSERT_EQ(r.conclusions(), "after=success build=success deploy=success") << r.output << r.words;
  EXPECT_TRUE(r.output.contains("at production for us with ***")) << r.output;
  EXPECT_EQ(r.job("deploy").environment, "production");
  EXPECT_EQ(r.job("deploy").environment_url, "https://shop.example/");
  EXPECT_FALSE(r.result->waits);
  auto again = must(job_result_from(doc::View(to_doc(r.job("deploy")))));
  EXPECT_EQ(again.environment_url, "https://shop.example/");
}

TEST_F(EnvironmentsTest, ARunThatOnlyWaitsIsPutAside) {
  auto r = run(deploy);
  EXPECT_EQ(r.conclusions(), "build=success");
  EXPECT_TRUE(r.result->waits);
  // Taken up again with what was done.
  options.finished = r.result->jobs;
  doors.open("production");
  r = run(deploy);
  EXPECT_EQ(r.conclusions(), "after=success build=success deploy=success") << r.output << r.words;
  EXPECT_FALSE(r.result->waits);
}

TEST_F(EnvironmentsTest, ARefusalFailsTheJobAndSaysWhy) {
  doors.open("production", "refused");
  auto r = run(deploy);
  EXPECT_EQ(r.conclusions(), "after=skipped build=success deploy=failure");
  EXPECT_EQ(r.job("deploy").why, "ada rejected production");
  EXPECT_EQ(r.result->conclusion, Conclusion::failure);
}

TEST_F(EnvironmentsTest, ItGoesOnAtOnceWhileOthersRun) {
  auto gate = (dir.path() / "gate").string();
  must(write_file(gate + ".wait", ""));
  std::jthread person([&] {
    doors.until_waiting("production");
    doors.open("production");
  });
  auto r = run(fmt::format(R"Y(
on: push
jobs:
  long:
    runs-on: x
    steps: [{{run: "until test -e {0}; do sleep 0.02; done"}}]
  deploy:
    runs-on: x
    environment: production
    steps: [{{run: "touch {0}"}}]
)Y",
                           gate));
  EXPECT_EQ(r.conclusions(), "deploy=success long=success") << r.output << r.words;
}

TEST_F(EnvironmentsTest, StrangersGetNoSecrets) {
  doors.open("production");
  event.trusted = false;
  auto r = run(R"Y(
on: push
jobs:
  deploy:
    runs-on: x
    environment: production
    steps: [{run: 'echo "[$K]"', env: {K: "${{ secrets.KEY }}"}}]
)Y");
  EXPECT_TRUE(r.output.contains("[]")) << r.output;
}

TEST_F(EnvironmentsTest, JobsOfCalledWorkflowsWaitToo) {
  file("called.yml", R"Y(
on: workflow_call
jobs:
  first: {runs-on: x, steps: [{run: echo first}]}
  deploy: {needs: first, runs-on: x, environment: production, steps: [{run: echo deployed}]}
)Y");
  constexpr auto text = R"Y(
on: push
jobs:
  call: {uses: ./called.yml}
  after: {needs: call, runs-on: x, steps: [{run: echo after}]}
)Y";
  auto r = run(text);
  EXPECT_EQ(r.conclusions(), "call / first=success");
  EXPECT_TRUE(r.result->waits);
  options.finished = r.result->jobs;
  doors.open("production");
  r = run(text);
  EXPECT_EQ(r.conclusions(), "after=success call=success call / deploy=success call / first=success") << r.words;
}

TEST_F(EnvironmentsTest, AMatrixWaitsLegByLeg) {
  doors.open("dev");
  auto r = run(R"Y(
on: push
jobs:
  deploy:
    strategy: {matrix: {to: [dev, production]}}
    runs-on: x
    environment: ${{ matrix.to }}
    steps: [{run: "echo ${{ matrix.to }}"}]
  after: {needs: deploy, runs-on: x, steps: [{run: echo after}]}
)Y");
  EXPECT_EQ(r.conclusions(), "deploy (dev)=success");
  EXPECT_TRUE(r.result->waits);
}

TEST_F(EnvironmentsTest, CancellingEndsTheWait) {
  std::stop_source stop;
  Ctx ctx;
  ctx.stop = stop.get_token();
  auto gate = (dir.path() / "never").string();
  std::jthread person([&] {
    doors.until_waiting("production");
    stop.request_stop();
  });
  auto r = run(fmt::format(R"Y(
on: push
jobs:
  long: {{runs-on: x, steps: [{{run: "until test -e {0}; do sleep 0.02; done"}}]}}
  deploy: {{runs-on: x, environment: production, steps: [{{run: echo no}}]}}
)Y",
                           gate),
               ctx);
  EXPECT_EQ(r.conclusions(), "deploy=cancelled long=cancelled");
  EXPECT_FALSE(r.result->waits);
  EXPECT_EQ(r.result->conclusion, Conclusion::cancelled);
}

TEST_F(EnvironmentsTest, WithoutAServerThereAreNoRules) {
  options.environments = nullptr;
  auto r = run(R"Y({on: push, jobs: {deploy: {runs-on: x, environment: production, steps: [{run: echo deployed}]}}})Y");
  EXPECT_EQ(r.conclusions(), "deploy=success");
  EXPECT_TRUE(r.words.contains("environment production: a run by hand knows no rules")) << r.words;
}

TEST_F(EnvironmentsTest, ManualJobsOfGitlab) {
  constexpr auto text = R"Y(
stages: [build, deploy, after]
build: {stage: build, script: [echo built]}
free: {stage: deploy, when: manual, script: [echo free]}
held:
  stage: deploy
  environment: {name: production, url: "https://$CI_ENVIRONMENT_SLUG.example"}
  rules: [{when: manual}]
  script: [echo held]
last: {stage: after, script: [echo last]}
)Y";
  auto r = run_gitlab(text);
  EXPECT_EQ(r.conclusions(), "build=success free=skipped") << r.words;
  EXPECT_TRUE(r.result->waits) << "one that may not be left out keeps the pipeline waiting";
  EXPECT_EQ(r.job("free").why, "manual: waits for somebody to start it");
  options.finished = r.result->jobs;
  doors.open("held");
  r = run_gitlab(text);
  EXPECT_EQ(r.conclusions(), "build=success free=skipped held=success last=success") << r.words;
  EXPECT_EQ(r.job("held").environment, "production");
  EXPECT_EQ(r.job("held").environment_url, "https://production.example");
  auto asked = doors.asked();
  ASSERT_FALSE(asked.empty());
  EXPECT_TRUE(asked.back().by_hand);
}

}  // namespace
}  // namespace slipway::ci
