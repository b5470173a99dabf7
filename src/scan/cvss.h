#pragma once
// Severity from a CVSS vector (first.org: v3.0/3.1 and v2 base scores).
#include <optional>
#include <string_view>

#include "path/types.h"

namespace slipway::scan {

// 0.0 to 10.0; nothing when the text is no complete base vector of version 2 or 3.
std::optional<double> cvss_score(std::string_view vector);
// none below 0.1, low, medium from 4, high from 7, critical from 9.
path::Severity severity_of_score(double score);
// "CRITICAL", "moderate" ... as advisory databases label them.
std::optional<path::Severity> severity_of_label(std::string_view label);

}  // namespace slipway::scan
