#pragma once
// hashFiles(): one digest over the files that patterns match.
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::ci {

// Rule: @actions/glob: SHA-256 over the SHA-256 digests (32 bytes each) of the matched files, depth first, names of a
// folder by bytes; "" when nothing matches. Links are not followed; nothing outside of the workspace counts.
Result<std::string> hash_files(const Ctx& ctx, const fs::path& workspace, const std::vector<std::string>& patterns);
// The files below `root` that patterns match, relative, sorted; patterns may start with `!`; a folder stands for all
// it holds. Hidden names are matched.
Result<std::vector<std::string>> find_files(const Ctx& ctx, const fs::path& root,
                                            const std::vector<std::string>& patterns);

}  // namespace slipway::ci
