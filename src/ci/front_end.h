#pragma once
// Which files of a repository are pipelines, and from each the same Plan, whatever language it is written in.
#include "base/files.h"
#include "ci/gitlab.h"
#include "ci/plan.h"

namespace slipway::ci {

// .github/workflows/NAME.yml or .yaml; .gitlab-ci.yml.
bool is_pipeline_file(std::string_view path);

// A run that a change starts.
struct Start {
  std::string name;  // "" when the file gives none
  std::optional<Concurrency> concurrency;
};
// Nothing: the change starts no run of this file. Errors: invalid (the file cannot be read), one problem a line.
Result<std::optional<Start>> start_of(std::string_view text, const std::string& file, const path::Change& change,
                                      const EventOptions& options, const SourceTree& tree);
// Errors: invalid with file:line:col (also when the event starts nothing); not_found for a file it names.
Result<Plan> plan_file(std::string_view text, const std::string& file, const Event& event, const SourceTree& tree);
// A folder of this machine.
SourceTree folder_tree(const fs::path& root);
// Findings of the rule "gitlab-syntax".
std::vector<path::Finding> lint_gitlab(std::string_view text, const std::string& shown, const SourceTree& tree);

}  // namespace slipway::ci
