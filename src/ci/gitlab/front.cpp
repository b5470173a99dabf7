#include "base/text.h"
#include "ci/gitlab.h"
#include "ci/gitlab/build.h"
#include "ci/gitlab/load.h"
#include "ci/gitlab/read.h"

namespace slipway::ci {
namespace gitlab {
namespace {

constexpr int max_depth = 2;  // child pipelines of child pipelines

Error error_of(const Problems& problems) {
  std::string text;
  for (const auto& problem : problems.list()) text += (text.empty() ? "" : "\n") + problem.print();
  return {Kind::invalid, std::move(text)};
}

// One pipeline with its children. Marks as the rest of the program reads them: bytes are not kept.
class Front {
 public:
  Front(std::string_view source, const SourceTree& tree, Problems& problems)
      : source_(source), tree_(tree), problems_(problems) {}

  // event null: whatever it is.
  Document read(std::string_view text, const Event* event) {
    auto top = load(text, source_, options(event), problems_);
    if (problems_.any()) return {};
    return read_document(top, source_, problems_);
  }
  std::optional<Plan> plan(const Document& document, const Event& event, int depth) {
    auto selected = Selector(event, tree_, problems_).select(document);
    if (problems_.any() || !selected.starts || selected.jobs.empty()) return {};
    return build(document, selected, event, depth, false);
  }
  // As if every rule held: circles, and values that cannot be made.
  void check(const Document& document, int depth) {
    Event event;
    event.sha = std::string(40, '0');
    Selected all;
    for (const auto& job : document.jobs) {
      Chosen chosen;
      chosen.job = &job, chosen.needs = job.needs;
      if (job.rules)
        for (const auto& rule : *job.rules)
          if (rule.needs && !chosen.needs) chosen.needs = rule.needs;
      all.jobs.push_back(std::move(chosen));
    }
    (void)build(document, all, event, depth, true);
  }

 private:
  LoadOptions options(const Event* event) {
    LoadOptions out;
    out.tree = &tree_;
    auto variables = std::make_shared<Scoped>();
    for (auto& [name, value] : predefined(event ? *event : Event{}, source_)) variables->set(name, std::move(value));
    if (event) Selector::set_given(*event, *variables);
    out.expand = [variables](std::string_view path) { return variables->expand(path).plain(); };
    if (event)
      out.counts = [this, variables, event](const doc::Value& rules) {
        auto read = read_rules(rules, "include:rules", problems_);
        Selector selector(*event, tree_, problems_);
        const auto* rule = selector.matching(read, *variables);
        return rule && rule->when.value_or(When::always) != When::never;
      };
    return out;
  }

  std::optional<Plan> build(const Document& document, const Selected& selected, const Event& event, int depth,
                            bool checking) {
    auto rows = make_rows(document, selected.jobs, problems_);
    if (problems_.any()) return {};
    auto child = [&](const Job& job, doc::Map given) {
      return make_child(job, std::move(given), event, depth, checking);
    };
    auto made = build_plan(document, selected, rows, event, child, problems_);
    if (!made) problems_.add({{source_, 0, 0}, made.error().what(), made.error().hint()});
    if (problems_.any()) return {};
    return *std::move(made);
  }

  std::shared_ptr<const Plan> make_child(const Job& job, doc::Map given, Event event, int depth, bool checking) {
    if (depth >= max_depth) {
      problems_.add(job.child->mark, fmt::format("trigger: pipelines start others deeper than {} levels", max_depth));
      return nullptr;
    }
    auto name = std::exchange(event.name, "workflow_call");
    event.inputs = doc::Value(std::move(given));
    auto top = load_child(job.child->include, options(checking ? nullptr : &event), problems_);
    if (problems_.any()) return nullptr;
    auto document = read_document(top, source_, problems_);
    if (problems_.any()) return nullptr;
    document.prefix = job.name + " - ";
    if (checking) {
      check(document, depth + 1);
      return nullptr;
    }
    auto made = plan(document, event, depth + 1);
    if (!made && !problems_.any())
      problems_.add(job.child->mark,
                    fmt::format("trigger of '{}': no job of the child pipeline is left by its rules", job.name),
                    "give this job the same rules");
    if (!made) return nullptr;
    made->event.name = name;
    return std::make_shared<const Plan>(*std::move(made));
  }

  std::string source_;
  const SourceTree& tree_;
  Problems& problems_;
};

}  // namespace
}  // namespace gitlab

std::vector<Problem> check_gitlab(std::string_view text, std::string_view source, const SourceTree& tree) {
  gitlab::Problems problems;
  gitlab::Front front(source, tree, problems);
  auto document = front.read(text, nullptr);
  if (!problems.any()) front.check(document, 0);
  return problems.list();
}

Result<std::optional<Plan>> gitlab_plan(std::string_view text, std::string_view source, const Event& event,
                                        const SourceTree& tree) {
  gitlab::Problems problems;
  gitlab::Front front(source, tree, problems);
  auto document = front.read(text, &event);
  std::optional<Plan> plan;
  if (!problems.any()) plan = front.plan(document, event, 0);
  if (problems.any()) return Fail(gitlab::error_of(problems));
  return plan;
}

}  // namespace slipway::ci
