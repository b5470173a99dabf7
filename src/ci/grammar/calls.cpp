#include "base/text.h"
#include "ci/workflow.h"

namespace slipway::ci {
namespace {

using Sort = Template::Sort;
constexpr std::size_t longest_message = 500;

// In the order GitHub names them.
constexpr std::string_view scopes[] = {
    "actions",  "checks",          "contents", "deployments",   "discussions",
    "issues",   "packages",        "pages",    "pull-requests", "repository-projects",
    "statuses", "security-events", "id-token"};

int rank(std::string_view level) { return level == "write" ? 2 : level == "read" ? 1 : 0; }

std::string_view level_of(const Permissions& given, std::string_view scope) {
  auto found = given.find(std::string(scope));
  return found == given.end() ? std::string_view("none") : std::string_view(found->second);
}

// Checks one call of one job.
class Call {
 public:
  Call(const std::string& source, const JobDefinition& job, const Workflow& called, std::vector<Problem>& problems)
      : source_(source), job_(job), called_(called), trigger_(called.trigger("workflow_call")), problems_(problems) {}

  void check(const std::optional<Permissions>& granted) {
    if (trigger_ == nullptr)
      return wrong(job_.uses->mark, fmt::format("{} has no 'on: workflow_call' and cannot be called", job_.uses->text));
    inputs();
    if (!job_.inherit_secrets) secrets();
    if (granted) permissions(*granted);
  }

 private:
  void wrong(doc::Mark mark, std::string message) {
    problems_.push_back(
        {{source_, static_cast<int>(mark.line), static_cast<int>(mark.column)}, std::move(message), {}});
  }

  void inputs() {
    for (auto& input : trigger_->inputs) {
      auto* given = job_.with ? job_.with->find(input.name) : nullptr;
      if (given == nullptr) {
        if (input.required)
          wrong(job_.uses->mark, fmt::format("Input {} is required, but not provided while calling.", input.name));
        continue;
      }
      bool fits = given->is_expression() || input.type == "string" ||
                  (input.type == "boolean" && given->is(Sort::boolean)) ||
                  (input.type == "number" && given->is(Sort::number));
      if (!fits) wrong(given->mark, fmt::format("Unexpected value '{}'", given->literal_text()));
    }
    if (!job_.with) return;
    for (auto& [name, value] : job_.with->entries) {
      bool known = std::any_of(trigger_->inputs.begin(), trigger_->inputs.end(),
                               [&](auto& i) { return iequals(i.name, name.text); });
      if (!known)
        wrong(value.mark, fmt::format("Invalid input, {} is not defined in the referenced workflow.", name.text));
    }
  }

  void secrets() {
    for (auto& [name, required] : trigger_->secrets)
      if (required && (!job_.secrets || job_.secrets->find(name) == nullptr))
        wrong(job_.uses->mark, fmt::format("Secret {} is required, but not provided while calling.", name));
    if (!job_.secrets) return;
    for (auto& [name, value] : job_.secrets->entries) {
      bool known = std::any_of(trigger_->secrets.begin(), trigger_->secrets.end(),
                               [&](auto& s) { return iequals(s.first, name.text); });
      if (!known)
        wrong(value.mark, fmt::format("Invalid secret, {} is not defined in the referenced workflow.", name.text));
    }
  }

  // A called workflow may take less than its caller has, never more.
  void permissions(const Permissions& granted) {
    auto reference = job_.uses->text;
    if (called_.permissions) compare(*called_.permissions, granted, fmt::format("The workflow '{}'", reference));
    for (auto& job : called_.jobs) {
      if (!job.permissions) continue;
      auto name = job.name && job.name->is(Sort::string) && !job.name->text.empty() ? job.name->text : job.id;
      compare(*job.permissions, granted, fmt::format("The nested job '{}'", name));
    }
  }

  void compare(const Permissions& asked, const Permissions& granted, const std::string& who) {
    std::string more, allowed;
    for (auto scope : scopes) {
      auto want = level_of(asked, scope), have = level_of(granted, scope);
      if (rank(want) <= rank(have)) continue;
      more += fmt::format("{}{}: {}", more.empty() ? "" : ", ", scope, want);
      allowed += fmt::format("{}{}: {}", allowed.empty() ? "" : ", ", scope, have);
    }
    if (more.empty()) return;
    auto message = fmt::format("Error calling workflow '{}'. {} is requesting '{}', but is only allowed '{}'.",
                               job_.uses->text, who, more, allowed);
    auto place = fmt::format("{} (Line: {}, Col: {}): ", source_, job_.mark.line, job_.mark.column);
    if (place.size() + message.size() > longest_message)
      message = message.substr(0, longest_message - std::min(longest_message, place.size())) + "[...]";
    wrong(job_.mark, std::move(message));
  }

  const std::string& source_;
  const JobDefinition& job_;
  const Workflow& called_;
  const Trigger* trigger_;
  std::vector<Problem>& problems_;
};

class Linker {
 public:
  Linker(const WorkflowReader& read, const CallOptions& options) : read_(read), options_(options) {}

  std::vector<Problem> run(Workflow& workflow) {
    size_ = options_.size;
    link(workflow, 0, options_.granted);
    if (problems_.empty() && options_.max_jobs > 0 && jobs_ > options_.max_jobs)
      problems_.push_back({{}, fmt::format("The workflow may not contain more than {} jobs", options_.max_jobs), {}});
    return std::move(problems_);
  }

 private:
  void link(Workflow& workflow, int depth, const std::optional<Permissions>& inherited) {
    jobs_ += workflow.jobs.size();
    auto& own = workflow.permissions ? workflow.permissions : inherited;
    for (auto& job : workflow.jobs)
      if (job.uses && problems_.empty()) call(workflow, job, depth, job.permissions ? job.permissions : own);
  }

  void call(const Workflow& workflow, JobDefinition& job, int depth, const std::optional<Permissions>& granted) {
    auto wrong = [&](std::string message) {
      auto& mark = job.uses->mark;
      problems_.push_back(
          {{workflow.source, static_cast<int>(mark.line), static_cast<int>(mark.column)}, std::move(message), {}});
    };
    if (depth >= options_.max_depth) {
      problems_.push_back({{}, fmt::format("Nested reusable workflow depth exceeded {}.", options_.max_depth), {}});
      return;
    }
    auto text = read_(job.uses->text);
    if (!text) return wrong(fmt::format("{}: {}", job.uses->text, text.error().what()));
    if (!*text) return wrong(fmt::format("workflow {} was not found", job.uses->text));
    auto reading = options_.reading;
    reading.source = job.uses->text, reading.strict_events = false;
    reading.max_result -= std::min(reading.max_result, size_);
    auto called = read_workflow(**text, reading);
    size_ += called.size;
    for (auto& problem : called.problems) of_called(workflow, job, problem);
    if (!called.problems.empty()) return;
    auto found = check_call(workflow.source, job, called.workflow, granted);
    problems_.insert(problems_.end(), found.begin(), found.end());
    if (!problems_.empty()) return;
    auto made = std::make_shared<Workflow>(std::move(called.workflow));
    link(*made, depth + 1, granted);
    job.called = std::move(made);
  }

  void of_called(const Workflow& workflow, const JobDefinition& job, const Problem& problem) {
    auto& mark = job.uses->mark;
    auto place = problem.place.line > 1 || problem.place.column > 1
                     ? fmt::format(" (Line: {}, Col: {})", problem.place.line, problem.place.column)
                     : std::string();
    problems_.push_back({{},
                         fmt::format("In {} (Line: {}, Col: {}): Error from called workflow {}{}: {}", workflow.source,
                                     mark.line, mark.column, job.uses->text, place, problem.message),
                         problem.hint});
  }

  const WorkflowReader& read_;
  const CallOptions& options_;
  std::vector<Problem> problems_;
  std::size_t jobs_ = 0, size_ = 0;  // of all workflows so far
};

}  // namespace

std::vector<Problem> link_calls(Workflow& workflow, const WorkflowReader& read, const CallOptions& options) {
  return Linker(read, options).run(workflow);
}

std::vector<Problem> check_call(const std::string& source, const JobDefinition& job, const Workflow& called,
                                const std::optional<Permissions>& granted) {
  std::vector<Problem> problems;
  Call(source, job, called, problems).check(granted);
  return problems;
}

}  // namespace slipway::ci
