// kill -9 in the middle of a run, and the next process that takes it up.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ci/testing.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::string_view text = R"W(
on: push
jobs:
  one:
    runs-on: x
    outputs: {k: "${{ steps.s.outputs.k }}"}
    steps: [{id: s, run: 'echo "k=from-before" >> $GITHUB_OUTPUT'}]
  two:
    needs: one
    runs-on: x
    steps:
      - run: |
          echo "k ${{ needs.one.outputs.k }}"
          if [ -n "${{ vars.HANG }}" ]; then touch running; exec sleep 98.7654; fi
)W";

// What an engine does: every finished job is written down at once.
class Journal final : public Observer {
 public:
  explicit Journal(fs::path folder) : folder_(std::move(folder)) {}
  void job_finished(const JobResult& result) override {
    must(write_file(folder_ / (result.id + ".json"), doc::print_json(to_doc(result)), 0644, Durable::yes));
  }

 private:
  fs::path folder_;
};

bool is_running(std::string_view argument) {
  for (auto& pid : must(list_dir("/proc"))) {
    auto line = read_file(fs::path("/proc") / pid / "cmdline", 1 << 16);
    if (line && line->contains(argument)) return true;
  }
  return false;
}

TEST_F(RunnerTest, SLOW_AfterAKillTheRestRunsAndNothingIsLeft) {
  isolate();
  if (IsSkipped()) return;
  auto journal = dir.path() / "journal";
  must(make_dirs(journal));
  auto plan = must(make_plan(must(parse_workflow(text, "w.yml")), event));
  auto child = ::fork();
  if (child == 0) {
    Journal writes(journal);
    options.observer = &writes;
    options.vars = {{"HANG", "1"}};
    (void)Runner(options).run({}, plan);
    ::_exit(0);
  }
  auto seen = [&] {
    if (!path_exists(options.root)) return false;
    for (auto& job : must(list_dir(options.root)))
      if (path_exists(options.root / job / "home/work/local/local/running")) return true;
    return false;
  };
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!seen() && std::chrono::steady_clock::now() < until) ::usleep(2000);
  ASSERT_TRUE(seen()) << "the second job did not start";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (is_running("98.7654") && std::chrono::steady_clock::now() < until) ::usleep(2000);
  EXPECT_FALSE(is_running("98.7654")) << "the step outlived its runner";

  must(clean_up_after_crash(options.root, runtime.get()));
  EXPECT_TRUE(must(runtime->survivors()).empty());
  for (auto& name : must(list_dir(options.root))) EXPECT_FALSE(name.starts_with("job")) << name;
  auto document = must(doc::parse_json(must(read_file(journal / "one.json"))));
  options.finished = {must(job_result_from(doc::View(document)))};
  auto r = run(std::string(text));
  EXPECT_EQ(r.conclusions(), "one=success two=success") << r.words;
  EXPECT_EQ(r.output, "k from-before\n");
}

}  // namespace
}  // namespace slipway::ci
