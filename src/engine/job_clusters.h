#pragma once
// Clusters for jobs that ask for kind: each a second `slipway up` with data, addresses and a bridge of its own. It ends
// itself, and all it made, when its standard input closes: with the job, or with us, however we end.
#include <memory>

#include "base/files.h"
#include "path/services.h"

namespace slipway::engine {

// Their data lies below `root`; what a kill left there goes when this opens. The program that calls is slipway.
std::unique_ptr<path::ClusterMaker> make_job_clusters(const Ctx& ctx, fs::path root);

}  // namespace slipway::engine
