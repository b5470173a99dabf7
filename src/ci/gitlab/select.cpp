#include "ci/gitlab/select.h"

#include "base/text.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::size_t max_patterns = 100;

bool is_merge_request(const Event& event) { return event.name.starts_with("pull_request"); }
bool is_tag(const Event& event) { return !is_merge_request(event) && event.ref.starts_with("refs/tags/"); }

}  // namespace

std::vector<std::string> without_braces(const std::string& pattern) {
  std::vector<std::string> open = {pattern}, done;
  while (!open.empty() && done.size() + open.size() <= max_patterns) {
    auto one = std::move(open.back());
    open.pop_back();
    auto close = one.find('}');
    auto start = close == std::string::npos ? std::string::npos : one.rfind('{', close);
    if (start == std::string::npos) {
      done.push_back(std::move(one));
      continue;
    }
    auto inner = one.substr(start + 1, close - start - 1);
    for (auto choice : split(inner, ','))
      open.push_back(one.substr(0, start) + std::string(choice) + one.substr(close + 1));
  }
  std::reverse(done.begin(), done.end());
  return done;
}

void Selector::set_given(const Event& event, Scoped& variables) {
  if (const auto* given = event.inputs.if_map())
    for (const auto& [name, value] : *given) variables.set(name, Text::of(Data::from(value).text()));
}

Scoped Selector::base(const Event& event, const Document& document, const Variables& workflow,
                      const std::optional<std::vector<std::string>>& inherits) {
  Scoped out;
  for (auto& [name, value] : predefined(event, document.source)) out.set(name, std::move(value));
  auto global = document.variables;
  if (inherits)
    std::erase_if(global, [&](const Variable& v) {
      return std::find(inherits->begin(), inherits->end(), v.name) == inherits->end();
    });
  out.set(global);
  out.set(workflow);
  return out;
}

// What a push changed is known; a schedule, a person and a tag change nothing, and then every path counts.
bool Selector::changed(const std::vector<std::string>& paths, const Scoped& variables) const {
  if (event_.paths.empty() || is_tag(event_)) return true;
  for (const auto& written : paths)
    for (const auto& pattern : without_braces(variables.expand(written).plain()))
      for (const auto& file : event_.paths)
        if (glob_match(pattern, file)) return true;
  return false;
}

bool Selector::exists(const std::vector<std::string>& paths, const Scoped& variables, doc::Mark mark) {
  for (const auto& written : paths) {
    auto path = variables.expand(written).plain();
    while (path.starts_with('/')) path.erase(0, 1);
    if (path.find_first_of("*?[{") == std::string::npos && tree_.read) {
      auto there = tree_.read(path);
      if (there && *there) return true;
      if (!path.ends_with('/')) continue;
      path += "**";
    }
    if (!files_) {
      auto listed = tree_.files ? tree_.files() : Result<std::vector<std::string>>(std::vector<std::string>());
      if (!listed) problems_.add(mark, fmt::format("exists: {}", listed.error().what()));
      files_ = listed ? *std::move(listed) : std::vector<std::string>();
    }
    for (const auto& pattern : without_braces(path))
      for (const auto& file : *files_)
        if (glob_match(pattern, file)) return true;
  }
  return false;
}

bool Selector::holds(const Rule& rule, const Scoped& variables) {
  if (rule.condition && !rule.condition->holds(variables.lookup())) return false;
  if (rule.changes && !changed(*rule.changes, variables)) return false;
  return !rule.exists || exists(*rule.exists, variables, rule.mark);
}

const Rule* Selector::matching(const std::vector<Rule>& rules, const Scoped& variables) {
  for (const auto& rule : rules)
    if (holds(rule, variables)) return &rule;
  return nullptr;
}

bool Selector::ref_is(const RefPolicy::Ref& ref) const {
  bool merge = is_merge_request(event_), tag = is_tag(event_);
  std::string_view word = ref.word;
  if (!ref.pattern) {
    // branches@group/project
    if (auto at = cut(word, "@")) {
      if (at->second != event_.repository) return false;
      word = at->first;
    }
    if (word == "branches") return !merge && !tag;
    if (word == "tags") return tag;
    if (word == "merge_requests" || word == "external_pull_requests") return merge;
    if (word == "pushes") return event_.name == "push";
    if (word == "schedules") return event_.name == "schedule";
    if (word == "web") return event_.name == "workflow_dispatch";
    if (word == "pipelines") return event_.name == "workflow_call";
    if (word == "api" || word == "triggers" || word == "chat" || word == "external") return false;
  }
  // Names are those of branches and tags; merge requests have none.
  if (merge) return false;
  std::string_view name = event_.ref;
  for (std::string_view prefix : {"refs/heads/", "refs/tags/"})
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return ref.pattern ? ref.pattern->matches(name) : name == word;
}

// only: every kind of condition that is given must hold; except: one is enough.
bool Selector::only(const RefPolicy& policy, const Scoped& variables, bool all) const {
  std::vector<bool> verdicts;
  if (!policy.refs.empty())
    verdicts.push_back(
        std::any_of(policy.refs.begin(), policy.refs.end(), [&](const auto& ref) { return ref_is(ref); }));
  if (!policy.variables.empty())
    verdicts.push_back(std::any_of(policy.variables.begin(), policy.variables.end(),
                                   [&](const auto& e) { return e.holds(variables.lookup()); }));
  if (!policy.changes.empty()) verdicts.push_back(changed(policy.changes, variables));
  auto yes = [](bool verdict) { return verdict; };
  return all ? std::all_of(verdicts.begin(), verdicts.end(), yes) : std::any_of(verdicts.begin(), verdicts.end(), yes);
}

std::optional<Chosen> Selector::choose(const Document& document, const Job& job, const Variables& workflow) {
  auto variables = base(event_, document, workflow, job.inherits);
  variables.set("CI_JOB_NAME", Text::of(job.name));
  variables.set("CI_JOB_STAGE", Text::of(job.stage));
  variables.set(job.variables);
  set_given(event_, variables);
  Chosen out;
  out.job = &job, out.needs = job.needs;
  out.interruptible = job.interruptible.value_or(false);
  out.when = job.when.value_or(When::on_success);
  if (job.rules) {
    const auto* rule = matching(*job.rules, variables);
    if (!rule) return {};
    if (rule->when) out.when = *rule->when;
    if (out.when == When::delayed) out.start_in = rule->start_in > 0 ? rule->start_in : job.start_in;
    out.allow_failure = rule->allow_failure ? *rule->allow_failure : job.allow_failure.value_or(AllowFailure{});
    out.variables = rule->variables;
    if (rule->needs) out.needs = rule->needs;
    if (rule->interruptible) out.interruptible = *rule->interruptible;
  } else {
    // Without any word of when, jobs are for branches and tags; unless the workflow decides.
    static const RefPolicy branches_and_tags{{{"branches", {}}, {"tags", {}}}, {}, {}};
    bool decides = document.rules.has_value();
    auto policy = job.only ? *job.only : branches_and_tags;
    if (job.only && policy.refs.empty()) policy.refs = branches_and_tags.refs;
    if ((job.only || !decides) && !only(policy, variables, true)) return {};
    if (job.except && only(*job.except, variables, false)) return {};
    out.allow_failure = job.allow_failure.value_or(AllowFailure{out.when == When::manual, {}});
    if (out.when == When::delayed) out.start_in = job.start_in;
  }
  if (out.when == When::never) return {};
  return out;
}

Selected Selector::select(const Document& document) {
  Selected out;
  if (document.rules) {
    auto variables = base(event_, document, {}, {});
    set_given(event_, variables);
    const auto* rule = matching(*document.rules, variables);
    out.starts = rule && rule->when.value_or(When::always) != When::never;
    if (!out.starts) return out;
    out.variables = rule->variables;
  }
  for (const auto& job : document.jobs)
    if (auto chosen = choose(document, job, out.variables)) out.jobs.push_back(*std::move(chosen));
  // What stands before or after the stages makes no pipeline of its own.
  bool any = std::any_of(out.jobs.begin(), out.jobs.end(),
                         [](const Chosen& c) { return c.job->stage != ".pre" && c.job->stage != ".post"; });
  if (!any) out.jobs.clear();
  return out;
}

}  // namespace slipway::ci::gitlab
