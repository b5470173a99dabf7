#include "base/text.h"
#include "ci/gitlab.h"
#include "ci/gitlab/build.h"
#include "ci/gitlab/load.h"
#include "ci/gitlab/read.h"

namespace slipway::ci {
namespace gitlab {
namespace {

Error error_of(const Problems& problems) {
  std::string text;
  for (const auto& problem : problems.list()) text += (text.empty() ? "" : "\n") + problem.print();
  return {Kind::invalid, std::move(text)};
}

// Marks as the rest of the program reads them: bytes are not kept.
Document read(std::string_view text, std::string_view source, const Event* event, const SourceTree& tree,
              Problems& problems) {
  LoadOptions options;
  options.tree = &tree;
  Scoped variables;
  for (auto& [name, value] : predefined(event ? *event : Event{}, std::string(source)))
    variables.set(name, std::move(value));
  options.expand = [&](std::string_view path) { return variables.expand(path).plain(); };
  if (event)
    options.counts = [&](const doc::Value& rules) {
      auto read = read_rules(rules, "include:rules", problems);
      Selector selector(*event, tree, problems);
      const auto* rule = selector.matching(read, variables);
      return rule && rule->when.value_or(When::always) != When::never;
    };
  auto top = load(text, source, options, problems);
  if (problems.any()) return {};
  return read_document(top, source, problems);
}

}  // namespace
}  // namespace gitlab

std::vector<Problem> check_gitlab(std::string_view text, std::string_view source, const SourceTree& tree) {
  gitlab::Problems problems;
  auto document = gitlab::read(text, source, nullptr, tree, problems);
  if (!problems.any()) {
    // As if every rule held: circles, and values that cannot be made.
    Event event;
    event.sha = std::string(40, '0');
    gitlab::Selected all;
    for (const auto& job : document.jobs) {
      gitlab::Chosen chosen;
      chosen.job = &job, chosen.needs = job.needs;
      if (job.rules)
        for (const auto& rule : *job.rules)
          if (rule.needs && !chosen.needs) chosen.needs = rule.needs;
      all.jobs.push_back(std::move(chosen));
    }
    auto rows = gitlab::make_rows(document, all.jobs, problems);
    if (!problems.any()) (void)gitlab::build_plan(document, all, rows, event, problems);
  }
  return problems.list();
}

Result<std::optional<Plan>> gitlab_plan(std::string_view text, std::string_view source, const Event& event,
                                        const SourceTree& tree) {
  gitlab::Problems problems;
  auto document = gitlab::read(text, source, &event, tree, problems);
  if (problems.any()) return Fail(gitlab::error_of(problems));
  auto selected = gitlab::Selector(event, tree, problems).select(document);
  if (problems.any()) return Fail(gitlab::error_of(problems));
  if (!selected.starts || selected.jobs.empty()) return std::optional<Plan>();
  auto rows = gitlab::make_rows(document, selected.jobs, problems);
  if (problems.any()) return Fail(gitlab::error_of(problems));
  TRY(auto plan, gitlab::build_plan(document, selected, rows, event, problems));
  if (problems.any()) return Fail(gitlab::error_of(problems));
  return std::optional(std::move(plan));
}

}  // namespace slipway::ci
