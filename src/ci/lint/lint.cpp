#include "ci/lint.h"

#include "base/hash.h"
#include "ci/detail/lint.h"
#include "doc/yaml.h"
#include "path/findings.h"

namespace slipway::ci {
namespace {

using path::Severity;

constexpr LintRule rules[] = {
    {"workflow-syntax", Severity::error, "GitHub's own reader refuses the file"},
    {"syntax-check", Severity::error, "a key or a value that does not belong where it stands"},
    {"expression", Severity::error,
     "an expression that is broken, does not fit its place, or is a way in for strangers"},
    {"events", Severity::error, "events, their types and filters, schedules, inputs"},
    {"glob", Severity::error, "a pattern of branches, tags or paths that matches nothing"},
    {"id", Severity::error, "ids of jobs and steps"},
    {"job-needs", Severity::error, "jobs that need what is not there, or each other"},
    {"matrix", Severity::warning, "values of a matrix twice, exclusions of nothing"},
    {"permissions", Severity::error, "permissions that do not exist"},
    {"runner-label", Severity::warning, "labels that no runner has, or not one runner all of them"},
    {"shell-name", Severity::error, "a shell that is not there"},
    {"credentials", Severity::error, "a password in the file"},
    {"env-var", Severity::error, "a name no environment variable can have"},
    {"action", Severity::warning,
     "an action that is too old, is asked for the wrong inputs, or has a broken description"},
    {"workflow-call", Severity::error, "a called workflow that is not there or is asked for the wrong inputs"},
    {"if-cond", Severity::warning, "a condition that always says the same"},
    {"deprecated-commands", Severity::warning, "workflow commands that are no longer meant to be used"},
};

const LintRule* rule_of(std::string_view id) {
  for (auto& rule : rules)
    if (rule.id == id) return &rule;
  return nullptr;
}

std::vector<std::string> texts_of(const doc::Value* list) {
  std::vector<std::string> out;
  if (list != nullptr && list->is_list())
    for (auto& item : *list->if_list())
      if (auto* text = item.if_string()) out.push_back(*text);
  return out;
}

}  // namespace

std::span<const LintRule> workflow_rules() { return rules; }

void Lint::add(std::string_view rule, Spot at, std::string message) {
  auto* known = rule_of(rule);
  SLP_ASSERT(known != nullptr);
  if (findings.size() >= 1000) return;
  path::Finding finding;
  finding.check = "lint", finding.rule = rule, finding.severity = known->severity;
  finding.place = {options.source, at.line, at.column};
  finding.message = std::move(message);
  finding.fails = known->severity == Severity::error;
  finding.fingerprint = sha256_hex(fmt::format("{}\n{}\n{}", rule, options.source, finding.message)).substr(0, 32);
  // An alias leads to the same place again and again.
  if (std::find(findings.begin(), findings.end(), finding) == findings.end()) findings.push_back(std::move(finding));
}

namespace {

// A path that stays below the root; empty: it does not.
fs::path path_below(const Lint& lint, std::string_view reference) {
  if (lint.options.root.empty()) return {};
  auto path = fs::path(std::string(reference)).lexically_normal();
  if (path.is_absolute() || path.begin() == path.end() || *path.begin() == "..") return {};
  return lint.options.root / path;
}

}  // namespace

std::optional<std::string> file_below(const Lint& lint, std::string_view reference) {
  auto path = path_below(lint, reference);
  if (path.empty()) return {};
  auto text = read_file(path, 1 << 20);
  return text ? std::optional(*std::move(text)) : std::nullopt;
}

bool is_below(const Lint& lint, std::string_view reference) {
  auto path = path_below(lint, reference);
  return !path.empty() && path_exists(path);
}

LintOptions lint_options(const fs::path& root) {
  LintOptions out;
  out.root = root;
  for (auto* name : {".github/actionlint.yaml", ".github/actionlint.yml", "actionlint.yaml"}) {
    auto text = read_file(root / name, 1 << 20);
    auto document = text ? doc::parse_yaml(*text) : Result<doc::Value>(Fail(text.error()));
    if (!document) continue;
    out.labels = texts_of(document->find_path({"self-hosted-runner", "labels"}));
    if (auto* given = document->find("config-variables"); given != nullptr && given->is_list())
      out.variables = texts_of(given);
    break;
  }
  return out;
}

namespace {

// What GitHub's reader refuses makes the file invalid. What it takes may still do nothing, or fail when it runs: that
// is a warning; a way in for strangers, a password, a call of nothing stay errors.
void add_verdict(Lint& lint) {
  auto reading = read_workflow(lint.text, {.source = lint.options.source});
  if (reading.problems.empty()) {
    for (auto& finding : lint.findings) {
      bool injection = finding.rule == "expression" && finding.message.contains("stranger");
      if (injection || finding.rule == "credentials" || finding.rule == "workflow-call" || finding.rule == "shell-name")
        continue;
      finding.severity = Severity::warning, finding.fails = false;
    }
    return;
  }
  std::set<int> said;
  for (auto& finding : lint.findings) said.insert(finding.place.line);
  for (auto& problem : reading.problems)
    if (!said.contains(problem.place.line))
      lint.add("workflow-syntax", {problem.place.line, problem.place.column},
               problem.hint.empty() ? problem.message : fmt::format("{} ({})", problem.message, problem.hint));
}

}  // namespace

std::vector<path::Finding> lint_workflow(std::string_view text, const LintOptions& options) {
  Lint lint{text, options, read_nodes(text), {}, {}};
  lint_structure(lint);
  for (auto* pass :
       {lint_events, lint_graph, lint_expressions, lint_matrices, lint_runners, lint_actions, lint_calls, lint_scripts})
    pass(lint);
  add_verdict(lint);
  std::stable_sort(lint.findings.begin(), lint.findings.end(), [](auto& a, auto& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  return std::move(lint.findings);
}

}  // namespace slipway::ci
