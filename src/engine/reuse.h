#pragma once
// What a run may take over from an earlier run of the same commit and workflow: the jobs whose result follows from the
// commit alone. A job that asks for the branch or the event (`if: github.ref == 'refs/heads/main'`) is decided anew.
#include <set>
#include <string>
#include <string_view>

namespace slipway::engine {

// Ids of jobs that give the same whatever started the run. `same_secrets`: both runs had them, or neither.
std::set<std::string> jobs_of_the_commit_alone(std::string_view workflow, bool same_secrets);

}  // namespace slipway::engine
