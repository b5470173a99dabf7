#pragma once
// The workflow files of each repository's default branch as objects: what starts them, which inputs they take, and when
// their timers are due. What is not a push finds its workflows by them.
//   Workflow   spec: repository, file, name, events[], inputs[], schedules[], commit, problem
//              status: ticks {LINE: time of the last}, nextRun, message
#include <functional>

#include "ci/workflow.h"
#include "kube/client.h"
#include "path/types.h"

namespace slipway::git {
class Repository;
}

namespace slipway::engine {

struct House;

std::string workflow_object_name(const std::string& repository, const std::string& file);
// Makes the objects of a repository what its default branch says.
Result<> keep_workflows(const Ctx& ctx, House& house, const std::string& repository);
// Of every repository, at the start.
Result<> keep_all_workflows(const Ctx& ctx, House& house);
// For each Change of a default branch.
Result<> follow_default_branch(const Ctx& ctx, House& house, const std::string& change_name);

// Files that say they listen to an event.
Result<std::vector<std::string>> listeners(const Ctx& ctx, House& house, const std::string& repository,
                                           std::string_view event);
// Records the change once for each file that it starts; `name`: of the Change, unique to what happened.
Result<> tell_listeners(const Ctx& ctx, House& house, const path::Change& change, const std::string& name);

// One Workflow's timers: a Change for each that is due, at most one for all that were missed. Gives when the next is.
Result<std::optional<Millis>> look_at_timers(const Ctx& ctx, House& house, const std::string& name);

// A run began, or ended: `on: workflow_run`.
Result<> follow_run(const Ctx& ctx, House& house, const std::string& run_name);
// A branch or tag came or went: `on: create`, `on: delete`.
Result<> tell_of_ref(const Ctx& ctx, House& house, const std::string& repository, const std::string& ref,
                     const std::string& before, const std::string& after, const std::string& who);

}  // namespace slipway::engine
