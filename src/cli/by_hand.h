#pragma once
// What a person asks of the chain of environments: always a Promotion, which becomes a commit in the configuration
// repository. Nothing here writes to what runs.
#include "cli/command.h"
#include "path/objects.h"

namespace slipway::cli {

struct Target {
  path::Pipeline pipeline;
  path::Environment environment;
  path::ServiceSource service;
};
// The Pipelines that can be read. Errors: those of the client.
Result<std::vector<path::Pipeline>> pipelines(const Ctx& ctx, kube::Client& client);
// `service`: its name or its image. `of_pipeline` ("" any) says which where several have one of the name. Errors:
// not_found, naming what there is; conflict, when several are meant.
Result<Target> target_of(const Ctx& ctx, kube::Client& client, const std::string& service,
                         const std::string& environment, const std::string& of_pipeline = "");

// The artifact of the service with this digest, as it was recorded when it was built; of one that was not built here
// only what is known of it.
Result<path::Artifact> artifact_of(const Ctx& ctx, kube::Client& client, const path::ServiceSource& service,
                                   const Digest& digest);

// Who asks, as the server knows it; behind the administrator's token several people may stand, who say it with --as.
Result<std::string> asker(const Ctx& ctx, kube::Client& client, const Arguments& arguments);

struct Order {
  Target target;
  path::Artifact artifact;
  std::string reason, who;
  bool override_window = false;  // also when a window is closed
};
// Asks for it. Errors: denied (the person may not approve there), conflict (it is what the environment holds).
// Gives the Promotion's name.
Result<std::string> ask(const Ctx& ctx, kube::Client& client, const Order& order);
// Until it is a commit, or with `verified` until what it put there is healthy. Without it also until it waits for a
// word, a merge or a window: then it says so. Gives the exit status.
Result<int> follow(const Ctx& ctx, kube::Client& client, const std::string& promotion, bool verified, Io& io);

}  // namespace slipway::cli
