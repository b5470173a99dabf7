#pragma once
// What Git says of an Application, for commands: from the repositories of the data directory, or of the house that the
// kubeconfig names, else from their URL, signed in to as the house does.
#include "cli/command.h"
#include "gitops/source.h"

namespace slipway::cli {

// The objects at a revision ("" the Application's own). Errors: invalid (file:line:col), not_found, unavailable.
Result<std::vector<doc::Value>> rendered_at(const Ctx& ctx, const Arguments& arguments,
                                            const std::shared_ptr<kube::Client>& client, gitops::Application app,
                                            const std::string& revision);

// A repository by its name at the embedded host of the data directory, by its URL, or a folder. What is fetched goes
// below `mirrors`.
Result<git::Repository> repository_at(const Ctx& ctx, const Arguments& arguments, const std::string& place,
                                      const fs::path& mirrors);

}  // namespace slipway::cli
