#pragma once
// The actions that are part of the program. Each is a function: inputs in, outputs and effects out.
#include "ci/detail/job_run.h"

namespace slipway::ci {

Result<> checkout(const Ctx& ctx, ActionUse& use);

}  // namespace slipway::ci
