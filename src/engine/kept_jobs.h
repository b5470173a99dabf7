#pragma once
// Jobs that failed are put aside as they are, so that another attempt can go on at the step that failed
// (`slipway rerun --resume`). They take room on the disk: the newest few runs have theirs.
#include "base/files.h"

namespace slipway::engine {

fs::path kept_jobs_of(const fs::path& data, const std::string& run);
// Removes all but those of the `most` runs that put something aside last. Errors: unavailable.
Result<> forget_kept_jobs(const fs::path& data, std::size_t most = 8);

}  // namespace slipway::engine
