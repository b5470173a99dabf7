#pragma once
// What a runner in a Pod has that one of the house does not need: the Pod is its isolation, and what belongs to the run
// is in the house.
#include <map>
#include <memory>
#include <string>

#include "base/ctx.h"
#include "base/files.h"
#include "ci/runner.h"

namespace slipway::ci {

class Sandbox;

// Threads: any.
class InPod {
 public:
  virtual ~InPod() = default;
  fs::path home = "/home/runner";          // where steps expect it; a volume
  std::string name;                        // of the Pod
  std::map<std::string, std::string> env;  // of the image

  // What an action is about to look at of the repository is there when it returns.
  virtual Result<> need_source(const Ctx& ctx, std::string_view action,
                               const std::function<std::string(std::string_view)>& input) = 0;
  // Errors: conflict (the run has one of that name).
  virtual Result<> give_artifact(const RunArtifact& artifact, bool overwrite) = 0;
  virtual Result<> refresh_artifacts(std::map<std::string, RunArtifact>& all) = 0;
};

// Processes beside the agent, in the container it is in.
std::unique_ptr<Sandbox> open_pod_sandbox(const InPod& pod);

}  // namespace slipway::ci
