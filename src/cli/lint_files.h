#pragma once
// What `slipway lint` checks beside the lint stage: whether files can be read at all by who will read them.
#include <functional>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "path/types.h"

namespace slipway::cli {

// Files of people below `root` (or it itself): no hidden folders, no installed packages, no templates of charts.
Result<> walk_files(const Ctx& ctx, const fs::path& root, const fs::path& below,
                    const std::function<void(const fs::path& file, const std::string& shown)>& take);

// Workflow files below .github/workflows and .gitlab-ci.yml, each with all its problems.
Result<> lint_workflows(const fs::path& root, std::vector<path::Finding>& findings);
// Dockerfile, Dockerfile.*, *.Dockerfile: what a build would refuse.
Result<> lint_dockerfiles(const Ctx& ctx, const fs::path& root, std::vector<path::Finding>& findings);
// Fields that no kind of that name has, values of the wrong type, in objects of built-in kinds.
Result<> lint_schemas(const Ctx& ctx, const fs::path& root, std::vector<path::Finding>& findings);

}  // namespace slipway::cli
