#pragma once
// A Change becomes WorkflowRuns; a WorkflowRun is executed, its images become Artifacts.
#include "kube/client.h"
#include "path/types.h"

namespace slipway::engine {

struct House;

// A WorkflowRun for each workflow file of the commit that the change starts. What was run for the same commit and
// workflow before is reused, not run again.
Result<> start_runs(const Ctx& ctx, House& house, const std::string& change_name);
// Executes one WorkflowRun to its end, or goes on with it after a restart: finished jobs are not run again. One in
// which all that is left waits for people is put aside; gives when it is due, where a timer is among what it waits for.
Result<std::optional<Millis>> execute_run(const Ctx& ctx, House& house, const std::string& run_name);

}  // namespace slipway::engine
