// Pipelines of GitLab's language by the real runner.
#include "ci/service.h"
#include "ci/testing.h"

namespace slipway::ci {
namespace {

class GitlabRun : public RunnerTest {
 protected:
  void stores() {
    blobs = must(store::BlobStore::open(dir.path() / "blobs"));
    cache = must(open_file_job_cache(dir.path() / "cache"));
    options.blobs = blobs.get(), options.cache = cache.get();
  }
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<JobCache> cache;
};

TEST_F(GitlabRun, StagesArtifactsDotenvCacheAndFailures) {
  stores();
  file("src/a.txt", "source\n");
  options.secrets = {{"TOKEN", "s3cret-token"}};
  options.max_parallel = 4;
  const std::string text = R"Y(
stages: [build, test, deploy]
variables: {GREETING: "hello from $CI_JOB_STAGE"}
default:
  cache: {key: "$CI_COMMIT_REF_SLUG", paths: [.kept/]}
build:
  stage: build
  before_script: ["echo before; WORD=kept-in-one-shell"]
  script:
    - cat src/a.txt
    - echo "$GREETING $WORD"
    - mkdir -p out/deep .kept && cp src/a.txt out/deep/b.txt && echo no > out/left.out
    - echo "had $(cat .kept/count 2>/dev/null || echo nothing)"; echo once >> .kept/count
    - printf 'VERSION=1.2.3\nLEAK=%s\n' "$TOKEN" > build.env
  after_script: ['echo "after: $CI_JOB_STATUS [${WORD:-gone}]"']
  artifacts: {paths: [out/], exclude: ["out/*.out"], reports: {dotenv: build.env}}
loose:
  stage: build
  script: [exit 42]
  after_script: ['echo "after loose: $CI_JOB_STATUS"']
  allow_failure: {exit_codes: [42]}
test:
  stage: test
  script:
    - cat out/deep/b.txt; test ! -e out/left.out && echo excluded
    - echo "version $VERSION leak [$LEAK] dir $CI_PROJECT_DIR"
    - test "$PWD" = "$CI_PROJECT_DIR"
    - echo 'TOTAL lines 12 of 15 (80.5%)'
  coverage: '/TOTAL.*\((\d+\.\d+)%\)/'
deploy:
  stage: deploy
  dependencies: []
  variables: {GIT_STRATEGY: none}
  script: ['test ! -e src && test ! -e out && echo "empty, version [$VERSION]"']
by_hand: {stage: deploy, when: manual, script: [echo never]}
alarm: {stage: deploy, when: on_failure, script: [echo never]}
)Y";
  auto r = run_gitlab(text);
  ASSERT_EQ(r.conclusions(), "alarm=skipped build=success by_hand=skipped deploy=success loose=failure test=success")
      << r.output << r.words;
  EXPECT_EQ(r.result->conclusion, Conclusion::success);
  for (auto* want : {"source\n", "hello from build kept-in-one-shell", "had nothing", "after: success [gone]",
                     "after loose: failed", "excluded", "version 1.2.3 leak []", "empty, version []"})
    EXPECT_TRUE(r.output.contains(want)) << want << "\n" << r.output << r.words;
  EXPECT_FALSE(r.output.contains("never"));
  EXPECT_EQ(r.job("test").coverage, 80.5);
  EXPECT_EQ(r.job("loose").exit_code, 42);
  EXPECT_EQ(r.job("by_hand").why, "manual: starts only when it is named (slipway run --job)");
  // The cache is kept for the next run, and written anew each time.
  r = run_gitlab(text);
  EXPECT_TRUE(r.output.contains("had once")) << r.output << r.words;
  // A job that is named runs though it is manual.
  options.only_jobs = {"by_hand"};
  r = run_gitlab(text);
  EXPECT_TRUE(r.conclusions().contains("by_hand=success")) << r.conclusions() << r.words;
}

TEST_F(GitlabRun, FailuresGoWhereTheyBelong) {
  auto r = run_gitlab(R"Y(
stages: [a, b, c]
bad: {stage: a, script: [exit 3]}
free: {stage: b, needs: [], script: [echo free]}
held: {stage: b, script: [echo never]}
help: {stage: b, when: on_failure, script: [echo help]}
direct: {stage: c, needs: [bad], when: on_failure, script: [echo direct]}
chained: {stage: c, needs: [free], script: [echo chained]}
last: {stage: c, when: always, script: [echo last]}
)Y");
  EXPECT_EQ(r.conclusions(),
            "bad=failure chained=success direct=success free=success held=skipped help=success last=success")
      << r.words;
  EXPECT_EQ(r.result->conclusion, Conclusion::failure);
  EXPECT_FALSE(r.output.contains("never"));
}

TEST_F(GitlabRun, RetriesAndReports) {
  stores();
  auto marker = (dir.path() / "tried").string();
  auto r = run_gitlab(fmt::format(R"Y(
flaky:
  retry: {{max: 2, when: script_failure}}
  script: ["test -e {0}.2 || {{ test -e {0}.1 && touch {0}.2; touch {0}.1; exit 7; }}", "echo third time"]
stubborn:
  retry: {{max: 2, exit_codes: [9]}}
  script: ["echo tried >> {0}.log; exit 8"]
reports:
  script:
    - 'echo "<testsuite><testcase name=\"adds\"><failure message=\"two is not one\"/></testcase></testsuite>" > r.xml'
  artifacts: {{reports: {{junit: [r.xml, none.xml]}}}}
)Y",
                                  marker));
  EXPECT_EQ(r.conclusions(), "flaky=success reports=success stubborn=failure") << r.output << r.words;
  EXPECT_TRUE(r.output.contains("third time"));
  EXPECT_TRUE(r.words.contains("Runs again (3 of 3)")) << r.words;
  EXPECT_EQ(must(read_file(marker + ".log")), "tried\n");
  EXPECT_TRUE(r.job("reports").summary.contains("adds")) << r.job("reports").summary;
}

TEST_F(GitlabRun, WhatStartsNothingSaysSo) {
  auto r = run_gitlab("j: {script: x, only: [tags]}\n");
  EXPECT_EQ(r.conclusions(),
            ".gitlab-ci.yml: a push of refs/heads/main starts no pipeline\nhint: its workflow:rules, or the rules of "
            "all its jobs, leave it out");
}

TEST(FrontEnd, PicksByPath) {
  EXPECT_TRUE(is_pipeline_file(".gitlab-ci.yml"));
  EXPECT_TRUE(is_pipeline_file(".github/workflows/a.yaml"));
  for (auto* no : {"ci/.gitlab-ci.yml", ".github/workflows/x/a.yml", ".github/workflows/a.txt", "a.yml"})
    EXPECT_FALSE(is_pipeline_file(no)) << no;
  path::Change change;
  change.ref = "refs/heads/main", change.after = std::string(40, 'a'), change.repository = "shop";
  EXPECT_EQ(
      must(start_of("workflow: {name: 'P $CI_COMMIT_BRANCH'}\nj: {script: x}", ".gitlab-ci.yml", change, {}, {}))->name,
      "P main");
  EXPECT_EQ(must(start_of("name: N\non: push\njobs: {j: {runs-on: x, steps: [{run: x}]}}", ".github/workflows/a.yml",
                          change, {}, {}))
                ->name,
            "N");
  change.subject = "typo [skip ci]";
  EXPECT_FALSE(must(start_of("j: {script: x}", ".gitlab-ci.yml", change, {}, {})));
}

TEST_F(GitlabRun, ChildPipelinesReleasesTokensAndDelays) {
  stores();
  auto service = must(
      JobService::open({.blobs = blobs.get(), .cache = cache.get(), .key_file = dir.path() / "key", .url = [](bool) {
                          return "http://house.example";
                        }}));
  options.service = service.get();
  file("child.yml",
       "build: {script: ['echo \"child of $WHO\"', 'echo c > c.txt'], artifacts: {paths: [c.txt]}}\n"
       "fails: {stage: deploy, script: [exit 3]}\n");
  file("notes.md", "what is new\n");
  auto r = run_gitlab(R"Y(
build: {stage: build, script: ['mkdir -p public; echo p > public/index.html'], pages: true}
start: {stage: test, variables: {WHO: me}, trigger: {include: child.yml}}
follow: {stage: test, trigger: {include: child.yml, strategy: depend}, allow_failure: true}
late:
  stage: deploy
  when: delayed
  start_in: 1 second
  id_tokens: {WHO_I_AM: {aud: [one, two]}}
  script:
    - test "$(printf %s "$WHO_I_AM" | tr -cd . | wc -c)" = 2
    - printf %s "$WHO_I_AM" | cut -d. -f2 | tr _- /+ | base64 -d 2>/dev/null | grep -o '"sub":"[^"]*"\|"aud":\[[^]]*\]' || true
  release: {tag_name: v1, description: notes.md, name: One}
)Y");
  EXPECT_EQ(
      r.conclusions(),
      "build=success follow=failure follow / build=success follow / fails=failure late=success start=failure start "
      "/ build=success start / fails=failure")
      << r.output << r.words;
  EXPECT_EQ(r.result->conclusion, Conclusion::success);
  for (auto* want :
       {"child of me", "\"aud\":[\"one\",\"two\"]", "\"sub\":\"project_path:local/local:ref_type:branch:ref:main\""})
    EXPECT_TRUE(r.output.contains(want)) << want << r.output;
  EXPECT_TRUE(r.words.contains("Starts in 1s")) << r.words;
  std::string kept;
  for (auto& job : r.result->jobs)
    for (auto& artifact : job.artifacts) kept += artifact.name + ";";
  for (auto* want : {"build;", "start - build;", "follow - build;", "release v1;"})
    EXPECT_TRUE(kept.contains(want)) << want << " of " << kept;
}

}  // namespace
}  // namespace slipway::ci
