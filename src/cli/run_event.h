#pragma once
// The event that `slipway run` runs a workflow for: from the working tree's own git, and from what was asked for.
#include "ci/plan.h"
#include "cli/command.h"

namespace slipway::cli {

// --event NAME, --event-file JSON (a payload as the forge sends it), --input NAME=VALUE (of workflow_dispatch).
// `text`: of the workflow, which says what inputs there are. Errors: invalid with the place.
Result<ci::Event> event_of(const Arguments& arguments, const fs::path& source, const std::string& text,
                           const std::string& file);
// NAME=VALUE; of NAME alone the value is the environment's; and the lines of FILE (# begins a comment).
Result<std::map<std::string, std::string>> values_of(const std::vector<std::string>& given, const std::string& file,
                                                     std::string_view what);

}  // namespace slipway::cli
