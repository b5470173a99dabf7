#pragma once
#include "ci/ready.h"
#include "ci/run/job_folder.h"
#include "ci/run/sandbox.h"

namespace slipway::ci {

// What a job without an image of its own runs in.
struct ReadyPlace {
  JobFolder folder;
  std::unique_ptr<Sandbox> sandbox;  // last: ends before its folder goes
};

Result<std::unique_ptr<ReadyPlace>> make_place(const Ctx& ctx, const ReadyPlaces::Options& options);

}  // namespace slipway::ci
