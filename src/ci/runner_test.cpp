#include "ci/runner.h"

#include "base/process.h"
#include "ci/testing.h"

namespace slipway::ci {
namespace {

TEST_F(RunnerTest, TwoJobsPassOutputs) {
  auto r = run(R"W(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    outputs: {word: "${{ steps.say.outputs.word }}"}
    steps:
      - id: say
        run: echo "word=hello" >> $GITHUB_OUTPUT
  two:
    needs: one
    runs-on: ubuntu-latest
    steps:
      - run: echo "got ${{ needs.one.outputs.word }} from ${{ needs.one.result }}"
)W");
  EXPECT_EQ(r.conclusions(), "one=success two=success") << r.words;
  EXPECT_TRUE(r.output.contains("got hello from success")) << r.output << r.words;
}

TEST_F(RunnerTest, SLOW_IsolatedJobSeesAViewOfTheHost) {
  isolate();
  if (IsSkipped()) return;
  file("a.txt", "from the source\n");
  must(write_file(dir.path() / "secret-of-ours", "x"));
  options.hide = {dir.path()};
  auto r = steps(fmt::format(R"W(
- uses: actions/checkout@v4
- run: cat a.txt; echo "pid $$"; id -u; ls /proc | grep -c '^[0-9]'
- run: test ! -e {0}/secret-of-ours && echo hidden; echo broken > /etc/hostname; touch /usr/bin/evil && echo written
- run: test -e /usr/bin/evil && echo same container; cat /proc/self/status | grep -E 'NoNewPrivs|Seccomp:'
- run: mount -t tmpfs none /mnt || echo no mount; cat /etc/shadow | head -1; echo end
)W",
                             dir.path().string()));
  EXPECT_EQ(r.conclusions(), "j=success") << r.output << r.words;
  for (auto want :
       {"from the source", "hidden", "written", "same container", "NoNewPrivs:\t1", "Seccomp:\t2", "no mount"})
    EXPECT_TRUE(r.output.contains(want)) << want << "\n" << r.output << r.words;
  EXPECT_FALSE(path_exists("/usr/bin/evil"));
}

TEST_F(RunnerTest, ConditionsFollowStatus) {
  auto r = run(R"W(
on: push
jobs:
  bad:
    runs-on: x
    steps:
      - run: exit 3
      - run: echo never
      - if: failure()
        run: echo on failure ${{ steps.__run.outcome }}
      - if: always()
        run: echo always ${{ job.status }}
  after: {needs: bad, runs-on: x, steps: [{run: echo never}]}
  cleanup: {needs: [bad, after], if: always(), runs-on: x, steps: [{run: 'echo "${{ needs.bad.result }} ${{ needs.after.result }}"'}]}
  last: {needs: cleanup, runs-on: x, steps: [{run: echo never}]}
)W");
  EXPECT_EQ(r.conclusions(), "after=skipped bad=failure cleanup=success last=skipped") << r.words;
  EXPECT_EQ(r.output.contains("never"), false);
  for (auto want : {"on failure failure", "always failure", "failure skipped"})
    EXPECT_TRUE(r.output.contains(want)) << want << r.output;
  EXPECT_EQ(r.job("bad").why, "step 'Run exit 3': Process completed with exit code 3.");
}

TEST_F(RunnerTest, ContinueOnErrorOfStepAndJob) {
  auto r = run(R"W(
on: push
jobs:
  step:
    runs-on: x
    steps:
      - {id: a, continue-on-error: true, run: exit 1}
      - run: echo "${{ steps.a.outcome }} ${{ steps.a.conclusion }}"
  job: {continue-on-error: true, runs-on: x, steps: [{run: exit 1}]}
  after: {needs: job, runs-on: x, steps: [{run: 'echo "job ${{ needs.job.result }}"'}]}
)W");
  EXPECT_EQ(r.conclusions(), "after=success job=failure step=success");
  EXPECT_EQ(r.result->conclusion, Conclusion::success);
  EXPECT_TRUE(r.output.contains("failure success") && r.output.contains("job success")) << r.output;
}

TEST_F(RunnerTest, MatrixRunsAllRowsAndMergesOutputs) {
  auto r = run(R"W(
on: push
jobs:
  make:
    runs-on: x
    outputs: {list: "${{ steps.s.outputs.list }}"}
    steps: [{id: s, run: 'echo "list=[1,2]" >> $GITHUB_OUTPUT'}]
  fixed:
    runs-on: x
    strategy: {matrix: {os: [a, b], n: [1, 2], exclude: [{os: a, n: "2"}], include: [{os: b, extra: yes}, {os: c}]}}
    steps: [{run: 'echo "row ${{ matrix.os }}${{ matrix.n }}${{ matrix.extra }} ${{ strategy.job-index }}/${{ strategy.job-total }}"'}]
  dynamic:
    needs: make
    runs-on: x
    strategy: {matrix: {v: "${{ fromJSON(needs.make.outputs.list) }}"}}
    steps: [{run: 'echo dynamic ${{ matrix.v }}'}]
)W");
  EXPECT_EQ(r.conclusions(),
            "dynamic (1)=success dynamic (2)=success fixed (a, 1)=success fixed (b, 1)=success fixed (b, 2)=success "
            "fixed (c)=success make=success")
      << r.words;
  for (auto want : {"row a1 0/4", "row b1yes 1/4", "row b2yes 2/4", "row c 3/4", "dynamic 1", "dynamic 2"})
    EXPECT_TRUE(r.output.contains(want)) << want;
}

TEST_F(RunnerTest, FailFastCancelsSiblings) {
  options.max_parallel = 2;
  auto r = run(R"W(
on: push
jobs:
  m:
    runs-on: x
    strategy: {matrix: {n: [bad, slow]}}
    steps: [{run: 'if [ ${{ matrix.n }} = bad ]; then exit 1; else exec sleep 60; fi'}]
)W");
  EXPECT_EQ(r.conclusions(), "m (bad)=failure m (slow)=cancelled");
  EXPECT_EQ(r.result->conclusion, Conclusion::failure);
}

TEST_F(RunnerTest, CancelRunsWhatIsAlwaysRunAndEndsHangingSteps) {
  std::stop_source stop;
  std::thread canceller([&] {
    auto mark = dir.path() / "running";
    while (!path_exists(mark)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    stop.request_stop();
  });
  auto started = std::chrono::steady_clock::now();
  Ctx ctx;
  ctx.stop = stop.get_token();
  auto r = run(fmt::format(R"W(
on: push
jobs:
  j:
    runs-on: x
    steps:
      - run: touch {}/running; exec sleep 60
      - run: echo never
      - if: cancelled()
        run: echo cleaned up
)W",
                           dir.path().string()),
               ctx);
  canceller.join();
  EXPECT_EQ(r.conclusions(), "j=cancelled") << r.words;
  EXPECT_TRUE(r.output.contains("cleaned up")) << r.output;
  EXPECT_FALSE(r.output.contains("never"));
  // Bash may take the SIGINT between touch and exec, and then only the SIGTERM after 7.5 s ends the sleep.
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
}

TEST_F(RunnerTest, AStepThatAlwaysRunsFinishesWhenCancelled) {
  std::stop_source stop;
  std::thread canceller([&] {
    while (!path_exists(dir.path() / "running")) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    stop.request_stop();
    must(write_file(dir.path() / "cancelled", ""));
  });
  Ctx ctx;
  ctx.stop = stop.get_token();
  auto r = run(fmt::format(R"W(
on: push
jobs:
  j:
    runs-on: x
    steps:
      - if: always()
        run: touch {0}/running; while [ ! -e {0}/cancelled ]; do sleep 0.01; done; echo finished
      - run: echo never
)W",
                           dir.path().string()),
               ctx);
  canceller.join();
  EXPECT_EQ(r.conclusions(), "j=cancelled") << r.words;
  EXPECT_TRUE(r.output.contains("finished") && !r.output.contains("never")) << r.output;
}

TEST_F(RunnerTest, StepTimeoutFailsTheStep) {
  auto r = steps("- {timeout-minutes: 0.002, run: exec sleep 60}\n- if: failure()\n  run: echo after\n");
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_TRUE(r.output.contains("after") && r.words.contains("timed out after 0.002 minutes")) << r.words;
}

TEST_F(RunnerTest, JobTimeout) {
  auto r =
      run("on: push\njobs:\n  j:\n    timeout-minutes: 0.003\n    runs-on: x\n    steps: [{run: exec sleep 60}, {if: "
          "cancelled(), run: echo late}]\n");
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_EQ(r.job("j").why, "the job ran longer than its timeout");
  EXPECT_TRUE(r.output.contains("late"));
}

TEST_F(RunnerTest, EnvironmentFilesAndCommands) {
  auto r = steps(R"W(
- run: |
    echo "A=1" >> $GITHUB_ENV
    echo "M<<END" >> $GITHUB_ENV; printf 'x\ny\n' >> $GITHUB_ENV; echo END >> $GITHUB_ENV
    mkdir -p bin; printf '#!/bin/sh\necho tool\n' > bin/mytool; chmod +x bin/mytool; echo "$PWD/bin" >> $GITHUB_PATH
    echo "# Title" >> $GITHUB_STEP_SUMMARY
    echo "::error file=a.c,line=3,col=5,title=T::bad%0Athing"
    echo "::warning::careful"
- run: echo "$A-$M-${{ env.A }}"; mytool
- run: echo "$A"
  env: {A: step}
- id: old
  run: echo "::set-output name=k::v%25"
- run: echo "${{ steps.old.outputs.k }}"; echo "::set-env name=X::1"
)W");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  for (auto want : {"1-x\ny-1", "tool", "step", "v%"}) EXPECT_TRUE(r.output.contains(want)) << want << "\n" << r.output;
  auto& j = r.job("j");
  EXPECT_EQ(j.summary, "# Title\n");
  ASSERT_EQ(j.annotations.size(), 2U);
  EXPECT_EQ(j.annotations[0].place.print(), "a.c:3:5");
  EXPECT_EQ(j.annotations[0].message, "bad\nthing");
  EXPECT_TRUE(r.words.contains("`set-env` command is disabled"));
}

TEST_F(RunnerTest, SecretsAreMaskedInEveryForm) {
  options.secrets = {{"TOKEN", "s3cr3t-value"}};
  auto r = steps(R"W(
- env: {T: "${{ secrets.TOKEN }}"}
  run: |
    echo "plain $T"; echo -n "$T" | base64; echo -n "x$T" | base64; echo -n "xy$T!" | base64
    echo "::add-mask::another one"; echo "another one"
    echo "::warning::$T"
    echo "w=$T" >> $GITHUB_STEP_SUMMARY
    echo "split: s3cr3t-"; echo "T=$T" >> $GITHUB_ENV
- run: echo "$T"
)W");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  for (auto leak : {"s3cr3t-value", "czNjcjN0LXZhbHVl", "MzY3IzdC12YWx1", "another one\n"})
    EXPECT_FALSE(r.output.contains(leak)) << leak << r.output;
  EXPECT_FALSE(r.words.contains("s3cr3t-value")) << r.words;
  EXPECT_EQ(r.job("j").summary, "w=***\n");
  EXPECT_EQ(r.job("j").annotations.at(0).message, "***");
}

TEST_F(RunnerTest, OutputsWithSecretsStayInTheJob) {
  options.secrets = {{"TOKEN", "s3cr3t-value"}};
  auto r = run(R"W(
on: push
jobs:
  a: {runs-on: x, outputs: {t: "${{ steps.s.outputs.t }}", u: ok}, steps: [{id: s, run: 'echo "t=${{ secrets.TOKEN }}" >> $GITHUB_OUTPUT'}]}
)W");
  EXPECT_EQ(r.job("a").outputs, (std::map<std::string, std::string>{{"u", "ok"}}));
}

TEST_F(RunnerTest, UntrustedChangesGetNoSecrets) {
  options.secrets = {{"TOKEN", "s3cr3t-value"}};
  event.trusted = false;
  auto r = steps("- run: 'echo \"[${{ secrets.TOKEN }}]\"'\n");
  EXPECT_TRUE(r.output.contains("[]")) << r.output;
}

TEST_F(RunnerTest, ForgedCommandsAfterStopCommandsAreText) {
  auto r = steps(R"W(
- id: s
  run: |
    echo "::stop-commands::tok3n"
    echo "::set-output name=k::forged"
    echo "::error::forged"
    echo "::tok3n::"
    echo "::set-output name=k::real"
- run: echo "k=${{ steps.s.outputs.k }}"
)W");
  EXPECT_TRUE(r.output.contains("k=real") && r.output.contains("::error::forged")) << r.output;
  EXPECT_TRUE(r.job("j").annotations.empty());
}

TEST_F(RunnerTest, CommandFilesThatAreLinksAreNotFollowed) {
  must(write_file(dir.path() / "outside", "k=stolen\n"));
  auto r =
      steps(fmt::format("- id: s\n  run: rm $GITHUB_OUTPUT; ln -s {}/outside $GITHUB_OUTPUT\n- run: 'echo \"k=${{{{ "
                        "steps.s.outputs.k }}}}\"'\n",
                        dir.path().string()));
  EXPECT_FALSE(r.output.contains("stolen")) << r.output;
}

TEST_F(RunnerTest, LogFloodIsCut) {
  options.max_log_bytes = 100'000;
  auto r = steps("- run: head -c 20000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo \"k=v\" >> $GITHUB_OUTPUT\n");
  EXPECT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_LT(r.output.size(), 200'000U);
  EXPECT_TRUE(r.words.contains("too long"));
}

TEST_F(RunnerTest, CompositeActionsHaveTheirOwnScope) {
  file("act/action.yml", R"W(
name: a
inputs: {who: {default: world}, loud: {default: "no"}}
outputs: {said: {value: "${{ steps.inner.outputs.said }}"}}
runs:
  using: composite
  steps:
    - id: inner
      shell: bash
      run: echo "said=hello ${{ inputs.who }} $E" >> $GITHUB_OUTPUT; echo "path ${{ github.action_path }}"
    - shell: bash
      run: test -f ${{ github.action_path }}/action.yml && echo found
)W");
  auto r = steps(R"W(
- uses: actions/checkout@v4
- id: inner
  uses: ./act
  with: {who: you}
  env: {E: from-caller}
- run: echo "[${{ steps.inner.outputs.said }}]"
)W");
  ASSERT_EQ(r.conclusions(), "j=success") << r.output << r.words;
  EXPECT_TRUE(r.output.contains("[hello you from-caller]") && r.output.contains("found")) << r.output;
}

TEST_F(RunnerTest, JavaScriptActionsRunMainAndPost) {
  if (!find_program("node")) GTEST_SKIP() << "no node here";
  file("js/action.yml", "name: j\ninputs: {a-b: {default: x}}\nruns: {using: node20, main: main.js, post: post.js}\n");
  file("js/main.js",
       "const fs=require('fs');console.log('in "
       "'+process.env['INPUT_A-B']);fs.appendFileSync(process.env.GITHUB_STATE,'s=1\\n');"
       "fs.appendFileSync(process.env.GITHUB_OUTPUT,'o=2\\n')");
  file("js/post.js", "console.log('post '+process.env.STATE_s)");
  auto r =
      steps("- uses: actions/checkout@v4\n- id: js\n  uses: ./js\n- run: echo o=${{ steps.js.outputs.o }}; exit 1\n");
  EXPECT_EQ(r.conclusions(), "j=failure");
  for (auto want : {"in x", "o=2", "post 1"}) EXPECT_TRUE(r.output.contains(want)) << want << r.output << r.words;
}

TEST_F(RunnerTest, ReusableWorkflowOfTheSameTree) {
  file(".github/workflows/called.yml", R"W(
on:
  workflow_call:
    inputs: {n: {type: number, required: true}, flag: {type: boolean, default: true}}
    secrets: {T: {required: true}}
    outputs: {sum: {value: "${{ jobs.add.outputs.sum }}"}}
jobs:
  add:
    runs-on: x
    outputs: {sum: "${{ steps.s.outputs.sum }}"}
    steps:
      - id: s
        run: echo "sum=$(( ${{ inputs.n }} + 1 ))" >> $GITHUB_OUTPUT; test "${{ inputs.flag }}" = true; test -n "${{ secrets.T }}"
)W");
  options.secrets = {{"T", "abcdef"}};
  auto r = run(R"W(
on: push
jobs:
  c: {uses: ./.github/workflows/called.yml, with: {n: 41}, secrets: inherit}
  d: {needs: c, runs-on: x, steps: [{run: 'echo "sum ${{ needs.c.outputs.sum }}"'}]}
)W");
  EXPECT_EQ(r.conclusions(), "c=success c / add=success d=success") << r.words;
  EXPECT_TRUE(r.output.contains("sum 42")) << r.output;
}

TEST_F(RunnerTest, UnknownActionsAreNamedWithTheWayOut) {
  auto r = steps("- uses: actions/chekout@v4\n");
  EXPECT_TRUE(r.words.contains("action actions/chekout@v4 is neither built in nor mirrored here")) << r.words;
  EXPECT_TRUE(r.words.contains("did you mean actions/checkout?")) << r.words;
}

TEST_F(RunnerTest, ResumeRunsOnlyTheRest) {
  JobResult done;
  done.key = "one", done.id = "one", done.conclusion = Conclusion::success, done.outputs = {{"k", "earlier"}};
  options.finished = {done};
  auto r = run(R"W(
on: push
jobs:
  one: {runs-on: x, outputs: {k: new}, steps: [{run: echo ran again}]}
  two: {needs: one, runs-on: x, steps: [{run: 'echo "k ${{ needs.one.outputs.k }}"'}]}
)W");
  EXPECT_EQ(r.conclusions(), "one=success two=success");
  EXPECT_TRUE(r.output.contains("k earlier") && !r.output.contains("ran again")) << r.output;
}

TEST_F(RunnerTest, JobsAreAnsweredFromTheCacheUntilTheirInputsChange) {
  auto cache = must(open_file_job_cache(dir.path() / "cache"));
  options.cache = cache.get();
  file("web/a.txt", "1"), file("api/b.txt", "1");
  const std::string text = R"W(
on: push
jobs:
  web:
    runs-on: x
    env: {SLIPWAY_INPUTS: "web/**"}
    outputs: {v: "${{ steps.s.outputs.v }}"}
    steps: [{uses: actions/checkout@v4}, {id: s, run: 'echo "v=$(cat web/a.txt)" >> $GITHUB_OUTPUT; echo web runs'}]
  all: {runs-on: x, steps: [{run: echo all runs}]}
)W";
  EXPECT_TRUE(run(text).output.contains("web runs"));
  auto second = run(text);
  EXPECT_FALSE(second.output.contains("runs")) << second.output;
  EXPECT_TRUE(second.job("web").from_cache && second.words.contains("answered from the cache"));
  EXPECT_EQ(second.job("web").outputs.at("v"), "1");
  file("api/b.txt", "2");
  auto third = run(text);
  EXPECT_TRUE(third.job("web").from_cache && !third.job("all").from_cache) << third.words;
  file("web/a.txt", "2");
  EXPECT_EQ(run(text).job("web").outputs.at("v"), "2");
}

TEST_F(RunnerTest, SLOW_ForkBombIsContained) {
  isolate();
  if (IsSkipped()) return;
  options.limits.pids = 64;
  auto r =
      run("on: push\njobs:\n  j:\n    timeout-minutes: 0.1\n    runs-on: x\n    steps:\n      - run: |\n          b() "
          "{ b | b & }; b; sleep 1; echo survived\n");
  EXPECT_TRUE(r.result.has_value());
  EXPECT_TRUE(run("on: push\njobs: {k: {runs-on: x, steps: [{run: echo next}]}}").output.contains("next"));
}

TEST_F(RunnerTest, AJobThatFillsTheDiskIsStopped) {
  must(make_dirs(options.root));
  options.keep_free_bytes = fs::space(options.root).available - (std::uint64_t{64} << 20);
  auto r = steps("- run: head -c 400000000 /dev/zero > big; sleep 60; echo not reached");
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_TRUE(r.job("j").why.contains("are kept free")) << r.job("j").why;
  EXPECT_FALSE(r.output.contains("not reached"));
  options.keep_free_bytes = 0;
  EXPECT_EQ(steps("- run: echo next").conclusions(), "j=success");
}

TEST(JobResult, RoundTrip) {
  JobResult r;
  r.key = "a (1)", r.id = "a", r.name = "A", r.conclusion = Conclusion::failure, r.why = "w", r.summary = "s";
  r.outputs = {{"k", "v"}};
  r.steps.push_back({"s", "S", Conclusion::failure, Conclusion::success, Millis(5), {{"o", "1"}}});
  r.annotations.push_back({Annotation::Level::warning, {"f", 1, 2}, 3, 4, "t", "m"});
  r.artifacts.push_back({"art", Digest::of("x"), 7});
  r.images.push_back({"shop/web", Digest::of("y"), {"t"}, "in", 9});
  r.findings.push_back({.check = "secret", .rule = "key", .severity = path::Severity::high, .message = "m"});
  auto document = to_doc(r);
  auto again = must(job_result_from(doc::View(document)));
  EXPECT_EQ(to_doc(again), document);
  EXPECT_EQ(again.steps[0].outputs.at("o"), "1");
}

TEST_F(RunnerTest, RefusesTheBareHostUnlessAllowed) {
  options.allow_unisolated = false;
  EXPECT_EQ(steps("- run: echo hi").result.error().kind(), Kind::unavailable);
}

TEST_F(RunnerTest, StepsInTheBackground) {
  auto r = steps(fmt::format(R"W(
- id: a
  background: true
  run: while [ ! -e {0}/go ]; do sleep 0.01; done; echo "k=late" >> $GITHUB_OUTPUT; echo "E=set" >> $GITHUB_ENV
- id: server
  background: true
  run: exec sleep 60
- run: echo "before [${{{{ steps.a.outputs.k }}}}] [$E]"; touch {0}/go
- wait: a
- run: echo "after [${{{{ steps.a.outputs.k }}}}] [$E]"
- cancel: server
- run: echo "server ${{{{ steps.server.outcome }}}}"
- parallel:
    - run: while [ ! -e {0}/p ]; do sleep 0.01; done; echo one
    - run: touch {0}/p; echo two
- {{id: bad, background: true, run: exit 4}}
- wait-all:
- if: failure()
  run: echo "bad ${{{{ steps.bad.outcome }}}}"
)W",
                             dir.path().string()));
  EXPECT_EQ(r.conclusions(), "j=failure") << r.words;
  for (auto want : {"before [] []", "after [late] [set]", "server cancelled", "one\n", "two\n", "bad failure"})
    EXPECT_TRUE(r.output.contains(want)) << want << r.output << r.words;
  EXPECT_EQ(r.job("j").why, "step 'bad': Process completed with exit code 4.");
}

// The example's own workflows, as `slipway run` would: what needs no builder runs for real.
TEST_F(RunnerTest, SLOW_TheExampleShopPasses) {
  auto shop = fs::path(SLIPWAY_SOURCE_DIR) / "examples/shop";
  if (!path_exists(shop) || !find_program("node") || !find_program("go"))
    GTEST_SKIP() << "needs the example, node and go";
  isolate();
  if (IsSkipped()) return;
  options.folder = shop;
  options.only_jobs = {"lint", "test"};
  for (auto* name : {"api.yml", "web.yml"}) {
    auto r = run(must(read_file(shop / ".github/workflows" / name)));
    EXPECT_EQ(r.conclusions(), "lint=success test=success") << name << r.output << r.words;
  }
}

// A file that a step left empty is another's next, under another name: what comes late changes nobody's outputs.
TEST_F(RunnerTest, CommandFilesAreAStepsOwn) {
  auto r = steps(R"(- run: echo $GITHUB_OUTPUT > ~/old
- id: s
  run: echo "late=1" >> $(cat ~/old); test $GITHUB_OUTPUT != $(cat ~/old); echo "k=v" >> $GITHUB_OUTPUT
- run: chmod 0644 $GITHUB_ENV; ln $GITHUB_STATE ~/second; rm $GITHUB_PATH; ln -s ~/old $GITHUB_PATH
- run: stat -c %a $GITHUB_ENV; stat -c %h $GITHUB_STATE; test ! -L $GITHUB_PATH; echo "[${{ steps.s.outputs.k }}] [${{ steps.s.outputs.late }}]"
)");
  EXPECT_EQ(r.conclusions(), "j=failure") << r.words;  // the link that a step leaves is refused
  r = steps(R"(- run: echo $GITHUB_OUTPUT > ~/old
- id: s
  run: echo "late=1" >> $(cat ~/old); test $GITHUB_OUTPUT != $(cat ~/old); echo "k=v" >> $GITHUB_OUTPUT
- run: chmod 0644 $GITHUB_ENV; ln $GITHUB_STATE ~/second
- run: stat -c %a $GITHUB_ENV; stat -c %h $GITHUB_STATE; echo "[${{ steps.s.outputs.k }}] [${{ steps.s.outputs.late }}]"
)");
  EXPECT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(r.output.contains("666\n1\n[v] []")) << r.output;
}

TEST_F(RunnerTest, RowsThatWereAskedForAlone) {
  options.only_matrix = {{"OS", "debian"}, {"node", "8"}, {"node", "9"}};
  auto r = run(R"(on: push
jobs:
  all: {runs-on: x, strategy: {matrix: {os: [debian, alpine], node: [8, 9, 10]}}, steps: [{run: 'true'}]}
  some: {runs-on: x, strategy: {matrix: {node: [9, 10]}}, steps: [{run: 'true'}]}
  other: {runs-on: x, strategy: {matrix: {node: [11]}}, steps: [{run: 'true'}]}
  none: {runs-on: x, strategy: {matrix: {go: [1]}}, steps: [{run: 'true'}]}
)");
  EXPECT_EQ(r.conclusions(),
            "all (debian, 8)=success all (debian, 9)=success none (1)=success other=skipped some (9)=success");
}

TEST_F(RunnerTest, ForetellsWhatWouldRun) {
  options.explain = true;
  auto r = run(R"(on: push
jobs:
  a: {runs-on: x, steps: [{run: touch ~/never}]}
  b: {runs-on: x, needs: a, if: failure(), steps: [{run: 'true'}]}
)");
  EXPECT_EQ(r.conclusions(), "a=success b=skipped");
  EXPECT_TRUE(r.job("a").foretold);
  EXPECT_EQ(r.job("a").why, "nothing is answered from the cache here");
  EXPECT_EQ(r.output, "");
}

}  // namespace
}  // namespace slipway::ci
