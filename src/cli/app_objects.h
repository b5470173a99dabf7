#pragma once
// What Git says of an Application, for commands: from the repositories of the data directory, else from their URL.
#include "cli/command.h"
#include "gitops/source.h"

namespace slipway::cli {

// The objects at a revision ("" the Application's own). Errors: invalid (file:line:col), not_found, unavailable.
Result<std::vector<doc::Value>> rendered_at(const Ctx& ctx, const Arguments& arguments, gitops::Application app,
                                            const std::string& revision);

}  // namespace slipway::cli
