#pragma once
// From AnalysisTemplates to the spec of an AnalysisRun: what rollouts create and the verify stage follows.
#include <vector>

#include "doc/value.h"

namespace slipway::path {

// Metrics one template after the other, args of the templates overridden by `args` (each {name, value | valueFrom});
// dryRun and measurementRetention joined. Errors: invalid (metrics of the same name, an argument without a value,
// differing defaults).
Result<doc::Value> analysis_run_spec(const std::vector<doc::Value>& templates, const doc::List& args);

}  // namespace slipway::path
