#pragma once
#include "ci/run/job_folder.h"
#include "ci/run/sandbox.h"

namespace slipway::ci {

// What a job without an image of its own runs in.
struct ReadyPlace {
  JobFolder folder;
  std::unique_ptr<Sandbox> sandbox;  // last: ends before its folder goes
};

}  // namespace slipway::ci
