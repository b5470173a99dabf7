#pragma once
// OSV records out of files, folders and archives.
#include <functional>
#include <string_view>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::scan::detail {

// Calls `take(place, json)` for each record below `source`: .json (one record, or a list of them), .jsonl, compressed
// or not, .zip of .json. Errors: not_found, invalid (no such form), what `take` returns.
Result<> each_osv_record(const Ctx& ctx, const fs::path& source,
                         const std::function<Result<>(std::string_view, std::string_view)>& take);

}  // namespace slipway::scan::detail
