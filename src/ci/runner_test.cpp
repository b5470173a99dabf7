#include "ci/runner.h"

#include "ci/testing.h"

namespace slipway::ci {
namespace {

TEST_F(RunnerTest, TwoJobsPassOutputs) {
  auto r = run(R"(
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
)");
  EXPECT_EQ(r.conclusions(), "one=success two=success") << r.words;
  EXPECT_TRUE(r.output.contains("got hello from success")) << r.output << r.words;
}

TEST_F(RunnerTest, SLOW_IsolatedJobSeesAViewOfTheHost) {
  isolate();
  if (IsSkipped()) return;
  file("a.txt", "from the source\n");
  must(write_file(dir.path() / "secret-of-ours", "x"));
  options.hide = {dir.path()};
  auto r = steps(fmt::format(R"(
- uses: actions/checkout@v4
- run: cat a.txt; echo "pid $$"; id -u; ls /proc | grep -c '^[0-9]'
- run: test ! -e {0}/secret-of-ours && echo hidden; echo broken > /etc/hostname; touch /usr/bin/evil && echo written
- run: test -e /usr/bin/evil && echo same container; cat /proc/self/status | grep -E 'NoNewPrivs|Seccomp:'
- run: mount -t tmpfs none /mnt || echo no mount; cat /etc/shadow | head -1; echo end
)", dir.path().string()));
  EXPECT_EQ(r.conclusions(), "j=success") << r.output << r.words;
  for (auto want : {"from the source", "hidden", "written", "same container", "NoNewPrivs:\t1", "Seccomp:\t2", "no mount"})
    EXPECT_TRUE(r.output.contains(want)) << want << "\n" << r.output << r.words;
  EXPECT_FALSE(path_exists("/usr/bin/evil"));
}

}  // namespace
}  // namespace slipway::ci
