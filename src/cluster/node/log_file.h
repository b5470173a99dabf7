#pragma once
// Reads the logs the containers' guardians write: CRI lines, rotated files, followed as they grow.
#include <functional>

#include "base/files.h"
#include "cluster/node_access.h"

namespace slipway::cluster {

// `ended`: the container will write no more. Errors: not_found (no log).
Result<> read_log(const Ctx& ctx, const fs::path& file, const LogOptions& options, const std::function<bool()>& ended,
                  const std::function<bool(std::string_view)>& sink);

// One CRI line. Nothing: not one.
struct LogLine {
  std::string_view time, stream, text;
  bool partial = false;
};
std::optional<LogLine> parse_log_line(std::string_view line);

}  // namespace slipway::cluster
