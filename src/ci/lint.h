#pragma once
// What is wrong with a workflow beyond its grammar: types of expressions, events and their filters, patterns, runners,
// shells, what actions and called workflows take. A file of `.github/actionlint.yaml` is obeyed where there is one.
#include <span>

#include "base/ctx.h"
#include "base/files.h"
#include "path/types.h"

namespace slipway::ci {

struct LintRule {
  std::string_view id;
  path::Severity severity;
  std::string_view what;  // one line for `slipway lint --rules`
};
std::span<const LintRule> workflow_rules();

struct LintOptions {
  std::string source = "<workflow>";                  // named in findings
  fs::path root;                                      // where ./action and ./workflow.yml are looked up; empty: nowhere
  std::vector<std::string> labels;                    // runner labels of one's own, * stands for anything
  std::optional<std::vector<std::string>> variables;  // configuration variables there are; nothing: any
};
// Reads labels and variables from ROOT/.github/actionlint.yaml or ROOT/actionlint.yaml, where there is one.
LintOptions lint_options(const fs::path& root);

// All findings, by place. Never fails: what cannot be read is a finding. Threads: any.
std::vector<path::Finding> lint_workflow(std::string_view text, const LintOptions& options);

}  // namespace slipway::ci
