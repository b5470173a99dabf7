// Containers that are made before a job asks.
#include "ci/ready.h"

#include "ci/run/ready_place.h"
#include "ci/testing.h"

namespace slipway::ci {
namespace {

constexpr std::string_view text = R"W(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: cat a.txt; touch /etc/mark /home/runner/mark; pwd
  two:
    runs-on: ubuntu-latest
    steps:
      - run: test ! -e /home/runner/mark; test ! -e /etc/mark; echo clean
)W";

class ReadyTest : public RunnerTest {
 protected:
  ReadyPlaces::Options places() {
    must(make_dirs(root));  // beside the jobs' own folders, which the runner leaves empty
    return {
        .root = root, .runtime = runtime.get(), .hide = options.hide, .limits = options.limits, .settle = Millis(0)};
  }
  fs::path root = dir.path() / "ready";
  Ctx soon() const { return Ctx{}.within(Millis(20000)); }
};

TEST_F(ReadyTest, SLOW_JobsUseThemOnceAndTheyAreMadeAgain) {
  isolate();
  if (IsSkipped()) return;
  options.cache = nullptr;
  file("a.txt", "source\n");
  {
    ReadyPlaces ready(places());
    options.ready = &ready;
    EXPECT_EQ(must(ready.settled(soon())), 0u) << "nobody asked yet";
    for (int n = 0; n < 3; ++n) {
      auto r = run(std::string(text));
      EXPECT_EQ(r.conclusions(), "one=success two=success") << r.words;
      EXPECT_TRUE(r.output.contains("source\n") && r.output.contains("/home/runner/work/local/local\n")) << r.output;
      EXPECT_TRUE(r.output.contains("clean\n")) << r.output;
      EXPECT_GE(must(ready.settled(soon())), 1u);
    }
    auto before = must(runtime->survivors());
    EXPECT_FALSE(before.empty());
    run(std::string(text));
    auto after = must(ready.settled(soon()));
    EXPECT_GE(after, 1u);
    auto now = must(runtime->survivors());
    for (const auto& id : now) EXPECT_EQ(std::count(before.begin(), before.end(), id), 0) << id << " was used before";
  }
  EXPECT_TRUE(must(runtime->survivors()).empty());
  for (auto& name : must(list_dir(root))) EXPECT_FALSE(name.starts_with("job")) << name;
}

TEST_F(ReadyTest, SLOW_NobodyAsksForAWhileAndTheyGo) {
  isolate();
  if (IsSkipped()) return;
  auto wanted = places();
  wanted.keep = Millis(0);
  ReadyPlaces ready(std::move(wanted));
  EXPECT_EQ(ready.take(options.limits, options.hide), nullptr);
  EXPECT_EQ(must(ready.settled(soon())), 0u);
  EXPECT_TRUE(must(runtime->survivors()).empty());
  EXPECT_EQ(ready.take({.pids = 7}, options.hide), nullptr) << "other limits";
}

}  // namespace
}  // namespace slipway::ci
