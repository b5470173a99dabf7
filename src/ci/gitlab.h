#pragma once
// The second front end: GitLab CI. A .gitlab-ci.yml and an event become the same Plan as a GitHub workflow; the runner
// does not know which it was. Rule: GitLab's "CI/CD YAML syntax reference". docs/job-graph.md says what maps on what.
#include <string>
#include <string_view>
#include <vector>

#include "ci/plan.h"

namespace slipway::ci {

inline constexpr std::string_view gitlab_file = ".gitlab-ci.yml";

// Everything that is wrong with a file and those it includes, whatever the event. Threads: any.
std::vector<Problem> check_gitlab(std::string_view text, std::string_view source, const SourceTree& tree = {});

// The plan of an event. Nothing: the event starts no pipeline (workflow:rules, or no job is left).
// Errors: invalid, one problem a line with file:line:col; not_found for a file that is included and not there.
Result<std::optional<Plan>> gitlab_plan(std::string_view text, std::string_view source, const Event& event,
                                        const SourceTree& tree = {});

}  // namespace slipway::ci
