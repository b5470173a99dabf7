// What jobs read, found out by watching them: real containers, real system calls.
#include "base/process.h"
#include "ci/observe/observation.h"
#include "ci/observe/tree_view.h"
#include "ci/testing.h"

namespace slipway::ci {
namespace {

class ObserveTest : public RunnerTest {
 protected:
  void SetUp() override {
    isolate();
    if (IsSkipped()) return;
    blobs = must(store::BlobStore::open(dir.path() / "blobs"));
    cache = must(open_file_job_cache(dir.path() / "cache"));
    options.blobs = blobs.get();
    options.cache = cache.get();
  }
  // "ran" or "cached", and why.
  std::string again(const std::string& text) {
    auto ran = run(text);
    EXPECT_EQ(ran.conclusions(), "a=success") << ran.output << ran.words;
    words = ran.words;
    return ran.job("a").from_cache ? "cached" : "ran";
  }
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<JobCache> cache;
  std::string words;
};

std::string job(const std::string& script, const std::string& inputs = "infer") {
  return "on: push\njobs:\n  a:\n    runs-on: x\n    env: {SLIPWAY_INPUTS: '" + inputs +
         "'}\n    steps:\n      - uses: actions/checkout@v4\n      - run: |\n          " +
         replace_all(script, "\n", "\n          ") + "\n";
}

struct Case {
  const char* name;
  const char* script;  // on a source with a.txt, b.txt, sub/c.txt, go.sh
  const char* touch;   // what changes then
  const char* to;      // nullptr: it goes away
  const char* want;
};

class ObserveTable : public ObserveTest, public testing::WithParamInterface<Case> {};

TEST_P(ObserveTable, RunsAgainOnlyWhenItMust) {
  auto& c = GetParam();
  file("a.txt", "one\n");
  file("b.txt", "two\n");
  file("sub/c.txt", "three\n");
  file("go.sh", "#!/bin/sh\ncat a.txt\n");
  fs::permissions(options.folder / "go.sh", fs::perms(0755));
  ASSERT_EQ(again(job(c.script)), "ran");
  ASSERT_EQ(again(job(c.script)), "cached") << words;
  if (c.to)
    file(c.touch, c.to);
  else
    must(remove_tree(options.folder / c.touch));
  if (path_exists(options.folder / "go.sh")) fs::permissions(options.folder / "go.sh", fs::perms(0755));
  EXPECT_EQ(again(job(c.script)), c.want) << words;
}

INSTANTIATE_TEST_SUITE_P(Table, ObserveTable,
                         testing::ValuesIn(std::to_array<Case>({
                             {"AnotherFileChanges", "cat a.txt", "b.txt", "2\n", "cached"},
                             {"TheFileChanges", "cat a.txt", "a.txt", "1\n", "ran"},
                             {"TheFileGoes", "test ! -e nothing; cat a.txt || true", "a.txt", nullptr, "ran"},
                             {"WhatWasLookedForComes", "test -e nothing || cat a.txt", "nothing", "!", "ran"},
                             {"AScriptReadsIt", "./go.sh", "a.txt", "1\n", "ran"},
                             {"TheScriptChanges", "./go.sh", "go.sh", "#!/bin/sh\n", "ran"},
                             {"AScriptDoesNotReadIt", "./go.sh", "b.txt", "2\n", "cached"},
                             {"AFolderIsListed", "ls sub", "sub/d.txt", "!", "ran"},
                             {"AnotherFolderIsListed", "ls sub", "e.txt", "!", "cached"},
                             {"SizeAloneIsAsked", "stat -c %s a.txt", "a.txt", "two\n", "cached"},
                             {"SizeChanges", "stat -c %s a.txt", "a.txt", "three\n", "ran"},
                             {"OwnOutputIsNoInput", "echo x > b.txt; cat b.txt", "b.txt", "2\n", "cached"},
                             {"AppendReadsFirst", "echo x >> b.txt", "b.txt", "2\n", "ran"},
                             {"ByAnotherWay", "cd sub && cat ../sub/../a.txt", "a.txt", "1\n", "ran"},
                             {"BelowWhatItMade", "mkdir -p out/x; cat out/x/y || true", "b.txt", "2\n", "cached"},
                             {"MovedAway", "mv sub other; cat other/c.txt", "sub/c.txt", "3\n", "ran"},
                             {"LinkedFolder", "ln -s sub l; cat l/c.txt", "sub/c.txt", "3\n", "ran"},
                             {"LinkedTo", "ln -s a.txt l; cat l", "a.txt", "1\n", "ran"},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST_F(ObserveTest, SaysWhatChanged) {
  file("a.txt", "one\n");
  auto text = job("cat a.txt");
  EXPECT_EQ(again(text), "ran");
  EXPECT_NE(words.find("Runs, and is watched: it has not succeeded before"), std::string::npos) << words;
  EXPECT_NE(words.find("as long as they stay the same"), std::string::npos) << words;
  file("a.txt", "other\n");
  EXPECT_EQ(again(text), "ran");
  EXPECT_NE(words.find("Runs, and is watched: a.txt has changed."), std::string::npos) << words;
  // Back as it was: still known.
  file("a.txt", "one\n");
  file("new.txt", "x\n");
  EXPECT_EQ(again(text), "cached");
}

TEST_F(ObserveTest, TheNetworkIsAnOpenEnd) {
  file("a.txt", "one\n");
  auto text = job("(echo > /dev/udp/192.0.2.1/9) 2>/dev/null || true");
  EXPECT_EQ(again(text), "ran");
  EXPECT_NE(words.find("cannot be told for certain: bash connects to 192.0.2.1:9"), std::string::npos) << words;
  file("b.txt", "x\n");
  EXPECT_EQ(again(text), "ran");
}

TEST_F(ObserveTest, ValuesOfTheRunCountWhenAFileNamesThem) {
  file("stamp.sh", "echo $GITHUB_SHA\n");
  auto text = job("sh stamp.sh");
  EXPECT_EQ(again(text), "ran");
  file("b.txt", "x\n");
  EXPECT_EQ(again(text), "cached");
  file("b.txt", "y\n");
  event.sha = std::string(40, 'b');
  EXPECT_EQ(again(text), "ran");
  EXPECT_NE(words.find("GITHUB_SHA is another one"), std::string::npos) << words;
}

TEST_F(ObserveTest, ACommitAnswersAsAFolderDoes) {
  file("a.txt", "one\n");
  file("sub/run.sh", "#!/bin/sh\n");
  fs::permissions(options.folder / "sub/run.sh", fs::perms(0755));
  fs::create_symlink("sub/run.sh", options.folder / "link");
  fs::create_symlink("/etc/passwd", options.folder / "out");
  Command add{
      .argv = {"sh", "-c",
               "git init -q . && git add . && git -c user.name=a -c user.email=a@b commit -qm x && git rev-parse "
               "HEAD"}};
  add.cwd = options.folder.string();
  auto commit = std::string(trim(must(run_ok(Ctx{}, add))));
  auto repository = must(git::Repository::open(options.folder / ".git"));
  auto of_commit = view_commit(repository, commit);
  auto of_folder = view_folder(options.folder);
  for (auto look : {Look::presence, Look::content, Look::meta, Look::names, Look::all_names, Look::whole})
    for (auto path : {"", "a.txt", "sub", "sub/run.sh", "link", "out", "nothing", "a.txt/x", "sub/../a.txt", "../x"})
      EXPECT_EQ(of_commit->answer(look, path), of_folder->answer(look, path)) << path << static_cast<char>(look);
  EXPECT_TRUE(of_folder->answer(Look::content, "out").starts_with('?'));
}

std::string two_steps(const std::string& build, const std::string& env, const std::string& use = "cat out/b") {
  return "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - id: build\n    "
         "    "
         "env: {" +
         env + "}\n        run: |\n          " + replace_all(build, "\n", "\n          ") + "\n      - run: " + use +
         "\n";
}

class StepTest : public ObserveTest {
 protected:
  void SetUp() override {
    ObserveTest::SetUp();
    options.cache_jobs = false;
  }
  // What steps said, and whether the one was answered.
  std::string steps(const std::string& text) {
    auto ran = run(text);
    EXPECT_EQ(ran.conclusions(), "a=success") << ran.output << ran.words;
    words = ran.words;
    std::string out;
    for (auto& step : ran.job("a").steps)
      if (step.id == "build") out = step.from_cache ? "cached: " : "ran: ";
    return out + replace_all(ran.output, "\n", "|");
  }
};

constexpr const char* build_step =
    "mkdir -p out && tr a-z A-Z < a.txt > out/b\necho n=$(wc -c < a.txt) >> $GITHUB_OUTPUT\necho X=1 >> "
    "$GITHUB_ENV\nrm -f old.txt\necho said";
constexpr const char* use_step = "cat out/b; ls; echo ${{ steps.build.outputs.n }} $X";

TEST_F(StepTest, AStepComesBackWithAllItDid) {
  for (auto* inputs :
       {"SLIPWAY_INPUTS: infer", "SLIPWAY_INPUTS: a.txt", "SLIPWAY_INPUTS: a.txt, SLIPWAY_OUTPUTS: out/**"}) {
    file("a.txt", "one\n");
    file("old.txt", "x");
    bool declared = std::string_view(inputs).contains("OUTPUTS");  // then what it removes is not known
    std::string after = declared ? "said|ONE|a.txt|b.txt|old.txt|out|4 1|" : "said|ONE|a.txt|b.txt|out|4 1|";
    file("b.txt", inputs);
    auto text = two_steps(build_step, inputs, use_step);
    EXPECT_EQ(steps(text), "ran: said|ONE|a.txt|b.txt|out|4 1|") << words;
    EXPECT_EQ(steps(text), "cached: " + after) << words;
    file("b.txt", "changed");
    EXPECT_EQ(steps(text), "cached: " + after) << words;
    file("a.txt", "another\n");
    EXPECT_EQ(steps(text), "ran: said|ANOTHER|a.txt|b.txt|out|8 1|") << words;
  }
}

TEST_F(StepTest, WhatIsNotKeptSaysWhy) {
  file("a.txt", "one\n");
  options.secrets = {{"KEY", "hush-hush"}};
  std::pair<const char*, const char*> cases[] = {
      {"(while cat a.txt; do sleep 0.01; done) > /dev/null 2>&1 &", "it leaves processes running"},
      {"echo '::add-mask::abcdef'", "it says or passes on a secret"},
      {"echo hush-hush", "it says or passes on a secret"},
      {"echo x > /usr/local/new", "it writes /usr/local/new"},
      {"head -c 2000000 /dev/zero | tr '\\0' x", "it says too much"}};
  for (auto& [script, why] : cases) {
    steps(two_steps(script, "SLIPWAY_INPUTS: infer", "true"));
    EXPECT_NE(words.find(std::string("This step's result is not kept: ") + why), std::string::npos) << script << words;
  }
}

TEST_F(StepTest, WhatAnEarlierStepMadeIsAnInput) {
  file("a.txt", "one\n");
  auto text = [](const char* made) {
    return std::string(
               "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - run: "
               "echo ") +
           made + " > ~/made\n      - id: build\n        env: {SLIPWAY_INPUTS: infer}\n        run: cat ~/made\n";
  };
  EXPECT_EQ(steps(text("x")), "ran: x|");
  EXPECT_EQ(steps(text("x")), "cached: x|");
  EXPECT_EQ(steps(text("y")), "ran: y|");
}

TEST_F(StepTest, WhatIsWrittenThroughLinksComesBackToo) {
  file("a.txt", "one\n");
  file("sub/c.txt", "old\n");
  fs::create_symlink("sub/c.txt", options.folder / "link");
  fs::create_symlink("sub", options.folder / "way");
  auto text = two_steps("cat a.txt > link; cat a.txt > way/new", "SLIPWAY_INPUTS: infer", "cat sub/c.txt sub/new");
  EXPECT_EQ(steps(text), "ran: one|one|");
  EXPECT_EQ(steps(text), "cached: one|one|") << words;
}

TEST_F(StepTest, AValueOfTheRunThatTheScriptNamesCounts) {
  file("a.txt", "one\n");
  auto text = two_steps("echo $GITHUB_SHA", "SLIPWAY_INPUTS: a.txt", "'true'");
  event.sha = std::string(40, 'a');
  EXPECT_EQ(steps(text), "ran: " + event.sha + "|");
  EXPECT_EQ(steps(text), "cached: " + event.sha + "|");
  event.sha = std::string(40, 'b');
  EXPECT_EQ(steps(text), "ran: " + event.sha + "|");
}

TEST_F(StepTest, AWatchedJobKnowsWhatItsAnsweredStepsRead) {
  options.cache_jobs = true;
  file("a.txt", "one\n");
  auto text = two_steps("cat a.txt", "SLIPWAY_INPUTS: infer", "'true'");
  text = replace_all(text, "    runs-on: x\n", "    runs-on: x\n    env: {SLIPWAY_INPUTS: infer}\n");
  EXPECT_EQ(steps(text), "ran: one|");
  options.cache = nullptr;
  cache = must(open_file_job_cache(dir.path() / "cache"));
  options.cache = cache.get();
  // Another job with the same step: the step is answered, the job is new.
  auto other = replace_all(text, "- run: 'true'", "- run: 'true '");
  EXPECT_EQ(steps(other), "cached: one|");
  file("b.txt", "x");
  EXPECT_EQ(again(other), "cached") << words;
  file("a.txt", "two\n");
  EXPECT_EQ(again(other), "ran") << words;
}

TEST(Observation, GoesThroughText) {
  Observation o;
  o.tree = {{Look::content, "a\tb\\c\nd", "f 123"}, {Look::names, "", "d 1"}};
  o.host = {{Look::meta, "/usr/bin/x", "-"}};
  o.values = {{"GITHUB_SHA", "a\nb"}};
  o.open_ends = {"why"};
  EXPECT_EQ(must(parse_observation(print(o))), o);
  EXPECT_EQ(parse_observation("slipway observation 1\ntz\ta\tb\n").error().what(), "line 2: unknown kind \"tz\"");
}

}  // namespace
}  // namespace slipway::ci
