#include "ci/gitlab.h"

#include "ci/testing.h"

namespace slipway::ci {
namespace {

class GitlabRun : public RunnerTest {};

TEST_F(GitlabRun, SaysHello) {
  auto r = run_gitlab("job:\n  script: [echo \"hello $CI_JOB_NAME\"]\n");
  EXPECT_EQ(r.conclusions(), "job=success") << r.words;
  EXPECT_TRUE(r.output.contains("hello job")) << r.output;
}

}  // namespace
}  // namespace slipway::ci
