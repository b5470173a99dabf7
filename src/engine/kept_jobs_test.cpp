#include "engine/kept_jobs.h"

#include "base/testing/golden.h"

namespace slipway::engine {
namespace {

TEST(KeptJobs, TheNewestStay) {
  auto dir = must(TempDir::make("kept"));
  must(forget_kept_jobs(dir.path()));
  auto now = fs::file_time_type::clock::now();
  for (int i = 0; i < 5; ++i) {
    auto place = kept_jobs_of(dir.path(), "run-" + std::to_string(i));
    must(make_dirs(place / "job"));
    fs::last_write_time(place, now - std::chrono::hours(i == 3 ? 0 : i + 1));
  }
  must(forget_kept_jobs(dir.path(), 2));
  EXPECT_EQ(must(list_dir(dir.path() / "kept")), (std::vector<std::string>{"run-0", "run-3"}));
}

}  // namespace
}  // namespace slipway::engine
