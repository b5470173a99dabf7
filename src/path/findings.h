#pragma once
// Findings for people and for programs: one text, lines of JSON, SARIF. Threads: any.
#include <span>
#include <string>

#include "path/types.h"

namespace slipway::path {

// critical, high and error are 4; then medium and warning, low, info: for sorting and thresholds.
int severity_rank(Severity severity);
// The three levels of `--output json` and of annotations: "error", "warning", "info". A finding that the policy stops
// on is always an error.
std::string_view level_of(const Finding& finding);

// Worst first, then by place.
void sort_findings(std::vector<Finding>& findings);

// What is found now and was not before, by fingerprint (rule, file and message where there is none): a pull request
// shows these first.
std::vector<Finding> new_findings(std::span<const Finding> now, std::span<const Finding> before);

// file:line:col: severity: message [rule]
std::string print_text(std::span<const Finding> findings);
// One object a line: file, line, column, rule, severity (error, warning, info), message, then what the check knows:
// check, rating, package, version, fixedIn, fingerprint, fails.
std::string print_jsonl(std::span<const Finding> findings);
// SARIF 2.1.0, one run.
std::string print_sarif(std::span<const Finding> findings, std::string_view tool_version);

}  // namespace slipway::path
