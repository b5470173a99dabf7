#pragma once
// What became of each test in the runs of a repository: enough to see which are unsteady, and since when.
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "ci/report.h"
#include "store/database.h"

namespace slipway::engine {

// When and where a report was read.
struct TestOrigin {
  std::string repository, run, job, commit;
  std::string tree;  // what it ran on; the commit where it is not known
  std::int64_t attempt = 1;
  int go = 1;  // a job that is tried again within an attempt counts on
  WallTime at;
};
struct TestOutcome {
  ci::TestCase::Outcome outcome = ci::TestCase::Outcome::passed;
  std::string run, commit, tree;
  std::int64_t attempt = 1;
  int go = 1;
  Millis time{0};
  WallTime at;
};
struct TestHistoryOf {
  std::string job, suite, name;       // one test of two jobs is two: they run it elsewhere, or otherwise
  std::vector<TestOutcome> outcomes;  // oldest first
  bool flaky = false;
  int flips = 0;    // inputs on which it both passed and failed
  std::string why;  // "passed and failed on 1a2b3c4d5e6f: attempts 1 and 2"
};
// Fills flaky, flips and why: a test that both passed and failed on the same files is flaky.
void judge(TestHistoryOf& test);

// Threads: any.
class TestHistory {
 public:
  static constexpr int outcomes_kept = 50;  // of each test
  static Result<std::unique_ptr<TestHistory>> open(const fs::path& file);
  // A test that a report holds twice has failed if one of them has.
  Result<> add(const TestOrigin& origin, const ci::TestReport& report);
  // By job, suite and name. At most `limit` tests, flaky and failing ones first.
  Result<std::vector<TestHistoryOf>> of(const std::string& repository, bool flaky_only = false,
                                        std::size_t limit = 5000) const;
  // What one attempt of a run counted, and which of its tests were told to be unsteady by it.
  struct Summary {
    std::int64_t passed = 0, failed = 0, skipped = 0;
    std::vector<std::string> flaky;  // "suite name"
  };
  Result<Summary> of_run(const std::string& repository, const std::string& run, std::int64_t attempt) const;
  // Forgets what is older than the last `outcomes_kept` of a test, and tests that were not seen for 90 days.
  Result<> prune(WallTime now);

 private:
  explicit TestHistory(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}
  Result<std::vector<TestHistoryOf>> read(const std::string& repository, const std::string& run) const;
  std::unique_ptr<store::Database> database_;
};

}  // namespace slipway::engine
