#pragma once
// Which findings stop a build: .slipway/policy.yaml.
//
//   vulnerabilities: {fail: critical, only-fixed: true}   # fail: none, low, medium, high, critical
//   secrets: {fail: true}
//   misconfiguration: {fail: none}
//   ignore:
//     - id: CVE-2021-23337          # glob over rule ids
//       package: lodash             # optional
//       path: "vendor/**"           # optional
//       until: 2027-01-31           # optional; afterwards the finding counts again
//       reason: not reachable, see the ticket
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "doc/view.h"
#include "path/types.h"

namespace slipway::scan {

struct Ignore {
  std::string id, package, path, reason;
  std::optional<WallTime> until;
  friend bool operator==(const Ignore&, const Ignore&) = default;
};
struct Policy {
  std::optional<path::Severity> fail_at = path::Severity::critical;  // vulnerabilities; nothing: never
  bool only_fixed = true;                                            // an unfixed one does not fail
  bool secrets_fail = true;
  std::optional<path::Severity> misconfiguration_fail_at;
  std::vector<Ignore> ignores;
  friend bool operator==(const Policy&, const Policy&) = default;
};

// Errors: invalid with source:line:col (an unknown key, an ignore without a reason, a wrong date).
Result<Policy> parse_policy(std::string_view yaml, std::string_view source);

// Sets `fails`, drops what is ignored, and adds an info finding for each ignore that has expired.
void apply_policy(const Policy& policy, WallTime now, std::vector<path::Finding>& findings);

}  // namespace slipway::scan
