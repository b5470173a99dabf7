#pragma once
// Findings as a command shows them.
#include "cli/command.h"
#include "path/types.h"

namespace slipway::cli {

// Gives the exit status: 1 when the policy stops on one, or a file is not valid.
int show(Io& io, std::vector<path::Finding> findings, std::string_view format);

}  // namespace slipway::cli
