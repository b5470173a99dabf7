#include "ci/front_end.h"

#include "base/text.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_files = 100'000;  // of a folder, for patterns

bool is_gitlab(std::string_view file) { return file.substr(file.rfind('/') + 1) == gitlab_file; }

Result<> walk(const fs::path& root, const std::string& below, std::vector<std::string>& out) {
  TRY(auto names, list_dir(root / below));
  for (const auto& name : names) {
    if (out.size() >= max_files || name == ".git") continue;
    auto path = below.empty() ? name : below + "/" + name;
    auto status = fs::symlink_status(root / path);
    if (fs::is_directory(status)) {
      TRY_OK(walk(root, path, out));
    } else {
      out.push_back(std::move(path));
    }
  }
  return {};
}

// A workflow whose graph cannot be made joins no group: executing it says what is wrong.
std::optional<Concurrency> group_of(const Result<Plan>& plan) {
  return plan ? concurrency_of(*plan).value_or(std::nullopt) : std::nullopt;
}

}  // namespace

bool is_pipeline_file(std::string_view path) {
  if (path == gitlab_file) return true;
  constexpr std::string_view folder = ".github/workflows/";
  return path.starts_with(folder) && !path.substr(folder.size()).contains('/') &&
         (path.ends_with(".yml") || path.ends_with(".yaml"));
}

Result<std::optional<Start>> start_of(std::string_view text, const std::string& file, const path::Change& change,
                                      const EventOptions& options, const SourceTree& tree) {
  auto event = event_from(change, options);
  if (is_gitlab(file)) {
    using E = path::Change::Event;
    // The pipelines of GitLab know these; what only workflows ask for starts none.
    bool known = change.event == E::push || change.event == E::tag || change.event == E::pull_request ||
                 change.event == E::manual || change.event == E::schedule;
    if (!known) return std::optional<Start>();
    bool skippable = change.event != E::manual && change.event != E::schedule;
    if (skippable && asks_to_skip(change.subject)) return std::optional<Start>();
    TRY(auto plan, gitlab_plan(text, file, event, tree));
    if (!plan) return std::optional<Start>();
    Start out{plan->workflow->name ? plan->workflow->name->text : std::string(), {}};
    out.concurrency = group_of(*std::move(plan));
    return std::optional(std::move(out));
  }
  TRY(auto workflow, parse_workflow(text, file));
  if (!triggers(workflow, change)) return std::optional<Start>();
  TRY_OK(type_inputs(workflow, event));
  Start out{workflow.name ? workflow.name->text : std::string(), {}};
  out.concurrency = group_of(make_plan(std::move(workflow), event, tree.read));
  return std::optional(std::move(out));
}

Result<Plan> plan_file(std::string_view text, const std::string& file, const Event& event, const SourceTree& tree) {
  if (is_gitlab(file)) {
    TRY(auto plan, gitlab_plan(text, file, event, tree));
    if (plan) return *std::move(plan);
    return Fail(Error(Kind::invalid, fmt::format("{}: a {} of {} starts no pipeline", file, event.name, event.ref))
                    .with_hint("its workflow:rules, or the rules of all its jobs, leave it out"));
  }
  TRY(auto workflow, parse_workflow(text, file));
  auto typed = event;
  TRY_OK(type_inputs(workflow, typed));
  return make_plan(std::move(workflow), typed, tree.read);
}

SourceTree folder_tree(const fs::path& root) {
  SourceTree out;
  out.read = [root](const std::string& path) -> Result<std::optional<std::string>> {
    auto there = (root / path).lexically_normal();
    auto inside = there.lexically_relative(root.lexically_normal());
    if (inside.empty() || *inside.begin() == ".." || !fs::is_regular_file(fs::symlink_status(there)))
      return std::optional<std::string>();
    TRY(auto text, read_file(there));
    return std::optional(std::move(text));
  };
  out.files = [root]() -> Result<std::vector<std::string>> {
    std::vector<std::string> files;
    TRY_OK(walk(root, "", files));
    return files;
  };
  return out;
}

std::vector<path::Finding> lint_gitlab(std::string_view text, const std::string& shown, const SourceTree& tree) {
  std::vector<path::Finding> out;
  for (const auto& problem : check_gitlab(text, shown, tree)) {
    path::Finding finding;
    finding.check = "lint", finding.rule = "gitlab-syntax", finding.severity = path::Severity::error;
    finding.place = problem.place.file.empty() ? path::Place{shown, 0, 0} : problem.place;
    finding.message = problem.message + (problem.hint.empty() ? "" : " (" + problem.hint + ")");
    out.push_back(std::move(finding));
  }
  return out;
}

}  // namespace slipway::ci
