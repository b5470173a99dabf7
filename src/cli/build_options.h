#pragma once
// What `slipway build` is asked for, in the spellings that docker's and BuildKit's command lines have.
#include "cli/command.h"
#include "image/agent.h"
#include "path/services.h"

namespace slipway::cli {

// Where the result goes beside the store.
struct BuildOutput {
  std::string type;  // "local", "tar", "oci", "docker"
  std::string to;    // a path; "-" standard output
};
Result<BuildOutput> output_of(const std::string& text);

// What the build uses while it runs, and what ends with it: agents with the keys that --ssh names, folders that a
// context from elsewhere was put into.
struct BuildMeans {
  std::vector<TempDir> folders;
  std::vector<image::KeyAgent> agents;
};
// Errors: invalid for what makes no sense, not_found, unavailable.
Result<path::BuildRequest> build_request(const Ctx& ctx, const Arguments& arguments, BuildMeans& means);

std::vector<Option> build_options();

}  // namespace slipway::cli
