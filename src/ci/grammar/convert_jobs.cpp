#include "base/text.h"
#include "ci/detail/ids.h"
#include "ci/detail/rules.h"

namespace slipway::ci {

using Sort = Template::Sort;

std::vector<JobDefinition> Converter::jobs(const Template& map) {
  std::vector<JobDefinition> out;
  Ids ids;
  for (auto& [key, body] : map.entries) {
    if (auto error = ids.add(key.text); !error.empty()) wrong(key.mark, std::move(error));
    if (body.is(Sort::map)) out.push_back(job(key, body));
  }
  if (map.entries.empty())
    wrong(map.mark, "The workflow must contain at least one job with no dependencies.");
  else
    check_needs(out, map);
  return out;
}

JobDefinition Converter::job(const Template& key, const Template& body) {
  JobDefinition out;
  out.id = key.text;
  out.mark = key.mark;
  for (auto& [name, value] : body.entries) job_field(out, name.text, value);
  if (!out.condition.expression) out.condition = condition(Template(), "job");
  return out;
}

void Converter::job_field(JobDefinition& job, const std::string& key, const Template& value) {
  static const std::map<std::string_view, std::optional<Template> JobDefinition::*> plain = {
      {"name", &JobDefinition::name},
      {"runs-on", &JobDefinition::runs_on},
      {"strategy", &JobDefinition::strategy},
      {"env", &JobDefinition::env},
      {"environment", &JobDefinition::environment},
      {"concurrency", &JobDefinition::concurrency},
      {"container", &JobDefinition::container},
      {"services", &JobDefinition::services},
      {"outputs", &JobDefinition::outputs},
      {"defaults", &JobDefinition::defaults},
      {"timeout-minutes", &JobDefinition::timeout_minutes},
      {"cancel-timeout-minutes", &JobDefinition::cancel_timeout_minutes},
      {"continue-on-error", &JobDefinition::continue_on_error},
      {"snapshot", &JobDefinition::snapshot},
      {"uses", &JobDefinition::uses},
      {"with", &JobDefinition::with}};
  if (auto found = plain.find(key); found != plain.end()) job.*found->second = value;
  if (key == "needs") {
    if (value.is(Sort::string))
      job.needs.push_back(value);
    else
      job.needs = value.items;
  } else if (key == "if") {
    job.condition = condition(value, "job");
  } else if (key == "permissions") {
    job.permissions = permissions(value);
  } else if (key == "secrets") {
    if (value.is(Sort::string))
      job.inherit_secrets = true;
    else
      job.secrets = value;
  } else if (key == "steps") {
    job.steps = steps(value);
  } else if (key == "runs-on") {
    check_runs_on(value);
  } else if (key == "strategy") {
    check_matrix(value);
  } else if (key == "container") {
    check_container(value);
  } else if (key == "services") {
    for (auto& [name, service] : value.entries) check_container(service);
  }
}

void Converter::check_runs_on(const Template& value) {
  auto* group = value.find("group");
  if (!group || !group->is(Sort::string)) return;
  auto names = split(group->text, '/');
  bool prefix = names.size() == 2 &&
                (names[0] == "org" || names[0] == "organization" || names[0] == "ent" || names[0] == "enterprise");
  if (names.size() > 2 || (names.size() == 2 && !prefix))
    wrong(group->mark,
          fmt::format("Invalid runs-on group name '{}'. Please use 'organization/' or 'enterprise/' prefix to target a "
                      "single runner group.",
                      group->text));
  else if (names.size() == 2 && names[1].empty())
    wrong(group->mark, fmt::format("Invalid runs-on group name '{}'.", group->text));
}

void Converter::check_matrix(const Template& strategy) {
  auto* matrix = strategy.find("matrix");
  if (!matrix) return;
  for (auto& [key, vector] : matrix->entries)
    if (vector.is(Sort::list) && vector.items.empty() && !iequals(key.text, "include") && !iequals(key.text, "exclude"))
      wrong(vector.mark, fmt::format("Matrix vector '{}' does not contain any values", key.text));
}

void Converter::check_container(const Template& value) {
  if (value.is(Sort::map) && !value.find("image")) {
    for (auto& [key, inner] : value.entries)
      if (inner.is_expression() || key.is_expression()) return;
    wrong(value.mark, "Container image cannot be empty");
  }
}

// Every job must be reachable from one that needs nothing.
void Converter::check_needs(const std::vector<JobDefinition>& jobs, const Template& map) {
  std::set<std::string> done;
  auto find = [&](const Template& need) { return lower(need.text); };
  for (bool progress = true; progress;) {
    progress = false;
    for (auto& job : jobs) {
      bool ready =
          std::all_of(job.needs.begin(), job.needs.end(), [&](auto& need) { return done.contains(find(need)); });
      if (ready && done.insert(lower(job.id)).second) progress = true;
    }
  }
  if (done.empty() || std::none_of(jobs.begin(), jobs.end(), [](auto& job) { return job.needs.empty(); })) {
    wrong(map.mark, "The workflow must contain at least one job with no dependencies.");
    return;
  }
  for (auto& job : jobs) {
    if (done.contains(lower(job.id))) continue;
    for (auto& need : job.needs) {
      if (done.contains(find(need))) continue;
      bool known = std::any_of(jobs.begin(), jobs.end(), [&](auto& other) { return iequals(other.id, need.text); });
      std::vector<std::string> ids;
      for (auto& other : jobs) ids.push_back(other.id);
      auto near = known ? std::nullopt : nearest(need.text, ids);
      wrong(need.mark,
            known ? fmt::format("Job '{}' depends on job '{}' which creates a cycle in the dependency graph.", job.id,
                                need.text)
                  : fmt::format("Job '{}' depends on unknown job '{}'.", job.id, need.text),
            near ? fmt::format("did you mean '{}'?", *near) : std::string());
    }
  }
}

}  // namespace slipway::ci
