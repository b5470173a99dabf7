#pragma once
// What other checkers found, as SARIF 2.1.0 says it.
#include <string_view>
#include <vector>

#include "base/result.h"
#include "path/types.h"

namespace slipway::ci {

struct SarifResult {
  path::Finding finding;
  int end_line = 0;
};
// Suppressed results and those of kind pass are left out; the severity is the rule's security-severity where it has
// one. Errors: invalid (broken JSON, no runs).
Result<std::vector<SarifResult>> parse_sarif(std::string_view text, std::string_view source);

}  // namespace slipway::ci
