#pragma once
// What a pull request's comment says: checks, findings, and what merging changes in every environment.
#include "kube/client.h"
#include "path/types.h"

namespace slipway::engine {

struct House;

// Markdown. Errors: as reading the repositories.
Result<std::string> pull_request_comment(const Ctx& ctx, House& house, const path::Change& change,
                                         const std::string& change_name);

}  // namespace slipway::engine
