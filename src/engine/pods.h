#pragma once
// Jobs as Pods: which cluster, by which address Pods reach this house, and the image that brings the agent.
#include <memory>

#include "ci/pod/pods.h"

namespace slipway::engine {

struct House;

// Null: jobs run here. Errors: invalid (what `up` was told), those of the cluster.
Result<std::unique_ptr<ci::JobPods>> open_job_pods(const Ctx& ctx, House& house);

// An image of this program alone (with its libraries and their loader, so that it runs in any container), in the
// house's own registry; made once for each build. Gives repository@digest.
Result<std::string> agent_image(const Ctx& ctx, House& house);

}  // namespace slipway::engine
