#pragma once
// Whether a job may go into its environment: the rules, and what people said. Values in, a decision out.
#include <string>
#include <vector>

#include "ci/environments.h"
#include "path/objects.h"

namespace slipway::engine {

// A job that wants in.
struct Entry {
  std::string run, commit, ref, job;  // job: its key
  std::int64_t attempt = 1;
  std::vector<std::string> started_by;  // who pushed, dispatched or ran it again
  WallTime since;                       // from when it could have started, were there no rules
};
struct Decision {
  enum class What { go, wait, refused } what = What::go;
  ci::Waiting waiting;          // wait
  std::string why;              // refused
  std::vector<std::string> by;  // go: who approved it
};
// Rule: "Managing environments for deployment": a ref that the branch and tag rules do not name is refused at once,
// reviewers and the wait timer must both be satisfied. One rejection refuses; approvals of the entry's starter do not
// count where that is ruled out. An approval counts for this run, commit and attempt, and from `since` on.
Decision decide(const path::JobEnvironment& rules, const Entry& entry, const std::vector<path::Approval>& approvals,
                WallTime now);

// Errors: denied, naming who may.
Result<> may_review(const path::JobEnvironment& rules, const std::vector<std::string>& started_by,
                    const std::string& person, const std::vector<std::string>& groups);

// "ada, or somebody of the group ops"
std::string reviewers_of(const path::JobEnvironment& rules);

}  // namespace slipway::engine
