// A job that failed is put aside, looked at, and goes on at the step that failed.
#include <fcntl.h>
#include <unistd.h>

#include "ci/run/kept_job.h"
#include "ci/testing.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

class KeptJobTest : public RunnerTest {
 protected:
  void SetUp() override {
    options.keep_failed = dir.path() / "kept";
    file("a.txt", "one\n");
    file("gone.txt", "x\n");
  }
  static constexpr const char* text = R"(on: push
jobs:
  a:
    runs-on: x
    outputs: {made: "${{ steps.make.outputs.made }}"}
    steps:
      - uses: actions/checkout@v4
      - id: make
        run: |
          echo made >> ~/count
          echo made=$(cat a.txt) >> $GITHUB_OUTPUT
          echo FROM_ENV=yes >> $GITHUB_ENV
          echo ::add-mask::covered
      - id: check
        run: |
          echo $FROM_ENV $(wc -l < ~/count) covered ${{ steps.make.outputs.made }}
          ls
          grep -q two a.txt
      - if: always()
        run: echo cleaning
)";
};

TEST_F(KeptJobTest, GoesOnAtTheStepThatFailed) {
  for (bool real : {false, true}) {
    if (real) isolate();
    if (IsSkipped()) return;
    file("a.txt", "one\n");
    file("gone.txt", "x\n");
    auto first = run(text);
    EXPECT_EQ(first.conclusions(), "a=failure") << first.output << first.words;
    EXPECT_EQ(first.job("a").resumable, "Run echo $FROM_ENV $(wc -l < ~/count) *** ${{ steps.make.outputs.made }}");
    file("a.txt", "two\n");
    file("new.txt", "x\n");
    must(remove_tree(options.folder / "gone.txt"));
    options.resume = true;
    auto second = run(text);
    EXPECT_EQ(second.conclusions(), "a=success") << second.output << second.words;
    EXPECT_EQ(second.output, "yes 1 *** one\na.txt\nnew.txt\ncleaning\n") << second.words;
    EXPECT_NE(second.words.find("the 2 before it are not run again"), std::string::npos) << second.words;
    EXPECT_NE(second.words.find("3 files of the source have changed since"), std::string::npos) << second.words;
    EXPECT_EQ(second.job("a").outputs.at("made"), "one");
    EXPECT_EQ(second.job("a").steps.size(), 4U);
    EXPECT_TRUE(must(list_dir(options.keep_failed)).empty());
    options.resume = false;
  }
}

TEST_F(KeptJobTest, ChangedStepsBeforeAreToldAndNothingIsLost) {
  run(text);
  options.resume = true;
  auto changed = run(replace_all(text, "echo made >> ~/count", "echo other >> ~/count"));
  EXPECT_EQ(changed.conclusions(), "a=failure");
  EXPECT_NE(changed.words.find("cannot go on at step"), std::string::npos) << changed.words;
  EXPECT_FALSE(must(list_dir(options.keep_failed)).empty());
}

TEST_F(KeptJobTest, SomeJobsAreNotKept) {
  std::pair<const char*, const char*> cases[] = {
      {"success", "      - run: 'true'\n"},
      {"behind a background step", "      - run: sleep 1\n        background: true\n      - run: 'false'\n"},
      {"tolerated", "      - run: 'false'\n        continue-on-error: true\n"}};
  for (auto& [name, steps] : cases) {
    run(std::string("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n") + steps);
    EXPECT_FALSE(path_exists(options.keep_failed)) << name;
  }
}

TEST_F(KeptJobTest, AShellOpensWhereItFailed) {
  isolate();
  if (IsSkipped()) return;
  run(text);
  options.observer = nullptr;
  auto plan = must(make_plan(must(parse_workflow(text, "w.yml")), event));
  auto in = must(make_pipe()), out = must(make_pipe());
  must(write_all(in.write.get(), "stty -echo; PS1=; echo [$FROM_ENV]; cat a.txt; touch left; exit 7\n"));
  auto code = Runner(options).shell(Ctx{}.within(Millis(20'000)), plan, "a", {in.read.get(), out.write.get(), "dumb"});
  out.write.reset();
  auto said = must(read_all(out.read.get()));
  EXPECT_EQ(must(std::move(code)), 7) << said;
  EXPECT_NE(said.find("[yes]\r\none\r\n"), std::string::npos) << said;
  // What was done there is there when the job goes on.
  options.resume = true;
  file("a.txt", "two\n");
  auto second = run(text);
  EXPECT_EQ(second.conclusions(), "a=success") << second.words;
  EXPECT_NE(second.output.find("left\n"), std::string::npos) << second.output;
  auto none = Runner(options).shell(Ctx{}, plan, "a", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what(), "job 'a' is not kept: it has not failed here");
}

TEST(KeptState, GoesThroughADocument) {
  KeptState s;
  s.key = "a (1)", s.step = "test", s.next = 2, s.before = "abc", s.env = {{"A", "b\nc"}}, s.paths = {"/x"};
  s.masks = {"m"}, s.checkout = "work/r/r", s.source = {{"a", "1"}};
  s.result.key = "a (1)", s.result.id = "a";
  auto again = must(kept_state_from(doc::View(must(doc::parse_json(doc::print_json(to_doc(s)), "state")))));
  EXPECT_EQ(doc::print_json(to_doc(again)), doc::print_json(to_doc(s)));
}

}  // namespace
}  // namespace slipway::ci
