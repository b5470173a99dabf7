#pragma once
// The lint stage: Kubernetes manifests. Findings carry file:line:col; `error` is what a cluster refuses or what cannot
// work, `warning` what hurts in production, `info` what is worth a thought.
//
// Passed over: a rule named in a comment "# slipway:ignore rule[,rule]" on the line or alone on the line before, or in
// the object's annotation slipway.dev/lint-ignore.
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "doc/value.h"
#include "path/types.h"

namespace slipway::lint {

struct Rule {
  std::string_view id;
  path::Severity severity;
  std::string_view what;  // one line for `slipway lint --rules`
};
std::span<const Rule> manifest_rules();

struct Source {
  std::string file, text;
};
struct Options {
  std::set<std::string> off;  // rules not to apply
};
// All sources are looked at together: services find their pods across files. A text that is no YAML is a finding
// (invalid-yaml); documents without apiVersion and kind are passed over. Threads: any.
std::vector<path::Finding> lint_manifests(std::span<const Source> sources, const Options& options = {});

// The .yaml and .yml files below a folder (or the one file) that hold manifests; .git, node_modules, charts' templates
// and workflow files are passed over. Errors: not_found, cancelled, timeout.
Result<std::vector<path::Finding>> lint_folder(const Ctx& ctx, const fs::path& path, const Options& options = {});

}  // namespace slipway::lint
