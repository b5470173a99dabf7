#include <cmath>

#include "base/text.h"
#include "ci/plan.h"

namespace slipway::ci {
namespace {

bool passes(const Filter& filter, std::string_view name) {
  if (filter.only) return matches_patterns(*filter.only, name);
  if (filter.ignore) return !matches_patterns(*filter.ignore, name);
  return true;
}
bool given(const Filter& filter) { return filter.only || filter.ignore; }

bool paths_pass(const Filter& filter, const std::vector<std::string>& paths) {
  if (!given(filter) || paths.empty()) return true;  // what changed is not known: run
  return std::any_of(paths.begin(), paths.end(), [&](auto& p) { return passes(filter, p); });
}

bool types_pass(const Trigger& trigger, const Event& event) {
  if (event.action.empty()) return true;
  static const std::vector<std::string> pull_request_default = {"opened", "synchronize", "reopened"};
  auto& types = trigger.types.empty() && event.name.starts_with("pull_request") ? pull_request_default : trigger.types;
  return types.empty() || std::find(types.begin(), types.end(), event.action) != types.end();
}

// A push filter that speaks of tags only does not concern branches, and the reverse.
bool push_passes(const Trigger& trigger, const Event& event) {
  std::string_view ref = event.ref;
  bool tag = ref.starts_with("refs/tags/");
  auto name = tag ? ref.substr(10) : ref.starts_with("refs/heads/") ? ref.substr(11) : ref;
  auto &own = tag ? trigger.tags : trigger.branches, &other = tag ? trigger.branches : trigger.tags;
  if (!given(own) && given(other)) return false;
  if (!passes(own, name)) return false;
  return tag || paths_pass(trigger.paths, event.paths);
}

std::string branch_of(std::string_view ref) {
  for (std::string_view prefix : {"refs/heads/", "refs/tags/"})
    if (ref.starts_with(prefix)) return std::string(ref.substr(prefix.size()));
  return std::string(ref);
}

// In the payload every input is a string.
doc::Value texts_of(const doc::Value& inputs) {
  doc::Map out;
  if (auto* map = inputs.if_map())
    for (auto& [key, value] : *map) out.set(key, Data::from(value).text());
  return out;
}

}  // namespace

doc::Value payload_of(const Event& event) {
  doc::Value out;
  auto slash = event.repository.find('/');
  auto& repository = out["repository"];
  repository["full_name"] = event.repository;
  repository["name"] = event.repository.substr(slash == std::string::npos ? 0 : slash + 1);
  repository["default_branch"] = event.default_branch;
  repository["owner"]["login"] = event.owner;
  out["sender"]["login"] = event.actor;
  if (!event.action.empty()) out["action"] = event.action;
  if (event.name == "push") {
    out["ref"] = event.ref;
    out["before"] = event.before.empty() ? std::string(40, '0') : event.before;
    out["after"] = event.sha;
    out["created"] = event.before.empty();
    out["deleted"] = false;
    out["head_commit"]["id"] = event.sha;
    out["head_commit"]["message"] = event.subject;
    out["head_commit"]["author"]["name"] = event.actor;
    out["pusher"]["name"] = event.actor;
  } else if (event.name.starts_with("pull_request")) {
    out["number"] = event.number;
    auto& pr = out["pull_request"];
    pr["number"] = event.number;
    pr["title"] = event.subject;
    pr["draft"] = false;
    pr["user"]["login"] = event.actor;
    pr["head"]["ref"] = event.head_ref;
    pr["head"]["sha"] = event.sha;
    pr["head"]["repo"]["full_name"] = event.repository;
    pr["head"]["repo"]["fork"] = !event.trusted;
    pr["base"]["ref"] = event.base_ref;
    pr["base"]["sha"] = event.base_sha;
    pr["base"]["repo"]["full_name"] = event.repository;
  } else if (event.name == "workflow_dispatch") {
    out["ref"] = event.ref;
    out["inputs"] = texts_of(event.inputs);
  }
  return out;
}

namespace {

// What the change itself says of its event: github.event as it is, but for what is ours.
void add_details(const path::Change& change, doc::Value& out) {
  using E = path::Change::Event;
  if (change.event == E::schedule) out["schedule"] = change.cron;
  if (!change.action.empty()) out["action"] = change.action;
  if (change.event == E::repository_dispatch) {
    out["branch"] = branch_of(change.ref);
    out["client_payload"] = change.details.is_null() ? doc::Value(doc::Map{}) : change.details;
  } else if (auto* details = change.details.if_map()) {
    for (auto& [key, value] : *details)
      if (key != "depth") out[key] = value;
  }
}

std::string name_of(path::Change::Event event) {
  using E = path::Change::Event;
  return event == E::tag ? "push" : std::string(to_string(event));
}

}  // namespace

Event event_from(const path::Change& change, const EventOptions& options) {
  using E = path::Change::Event;
  Event out;
  out.name = name_of(change.event);
  out.action = change.event == E::pull_request ? "synchronize" : change.action;
  out.owner = options.owner;
  out.default_branch = options.default_branch;
  out.repository = change.repository.contains('/') ? change.repository : options.owner + "/" + change.repository;
  out.owner = out.repository.substr(0, out.repository.find('/'));
  out.ref = change.ref;
  out.sha = change.after;
  out.before = change.before;
  out.base_ref = branch_of(change.base_ref);
  out.base_sha = change.base;
  out.number = change.pull_request;
  if (change.pull_request > 0) out.head_ref = fmt::format("pull/{}", change.pull_request);
  if (!change.author.empty()) out.actor = change.author;
  out.subject = change.subject;
  out.trusted = change.trusted;
  out.paths = change.paths;
  if (change.event == E::manual || !change.inputs.empty()) {
    doc::Map inputs;
    for (auto& [key, value] : change.inputs) inputs.set(key, value);
    out.inputs = std::move(inputs);
  }
  out.payload = payload_of(out);
  add_details(change, out.payload);
  return out;
}

Result<> type_inputs(const Workflow& workflow, Event& event) {
  if (event.name != "workflow_dispatch" || !workflow.trigger(event.name)) return {};
  std::map<std::string, std::string> given;
  if (auto* map = event.inputs.if_map())
    for (auto& [key, value] : *map) given[key] = Data::from(value).text();
  TRY(event.inputs, typed_inputs(workflow, event.name, given));
  if (event.payload.is_null()) event.payload = payload_of(event);
  event.payload["inputs"] = texts_of(event.inputs);
  event.payload["workflow"] = workflow.source;
  return {};
}

Result<doc::Value> typed_inputs(const Workflow& workflow, std::string_view event,
                                const std::map<std::string, std::string>& given) {
  auto* trigger = workflow.trigger(event);
  if (!trigger) return fail(Kind::invalid, "{}: has no 'on: {}'", workflow.source, event);
  std::vector<std::string> names;
  for (auto& input : trigger->inputs) names.push_back(input.name);
  for (auto& [name, value] : given) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    auto near = nearest(name, names);
    auto text = fmt::format("{}: 'on: {}' declares no input '{}'", workflow.source, event, name);
    if (near)
      text += fmt::format(", did you mean '{}'?", *near);
    else if (!names.empty())
      text += fmt::format("; it has {}", join(std::span<const std::string>(names), ", "));
    return fail(Kind::invalid, "{}", text);
  }
  doc::Map out;
  for (auto& input : trigger->inputs) {
    auto found = given.find(input.name);
    auto wrong = [&](std::string_view want) {
      return fail(Kind::invalid, "{}:{}:{}: input '{}': got \"{}\", want {}", workflow.source, input.mark.line,
                  input.mark.column, input.name, found == given.end() ? std::string() : found->second, want);
    };
    if (found == given.end() && input.required && input.fallback.is(Template::Sort::null))
      return wrong("a value: it is required");
    Data value;
    if (found != given.end())
      value = found->second;
    else if (!input.fallback.is_expression()) {
      TRY(value, input.fallback.evaluate(Scope{}, workflow.source));
    }
    if (input.type == "boolean") {
      if (value.if_string() && value.text() != "true" && value.text() != "false" && !value.text().empty())
        return wrong("true or false");
      out.set(input.name, value.if_string() ? value.text() == "true" : value.truthy());
    } else if (input.type == "number") {
      if (std::isnan(value.number())) return wrong("a number");
      out.set(input.name, Data(value.number()).to_doc());
    } else {
      bool listed = input.type != "choice" || value.text().empty() ||
                    std::find(input.options.begin(), input.options.end(), value.text()) != input.options.end();
      if (!listed) return wrong(fmt::format("one of {}", join(std::span<const std::string>(input.options), ", ")));
      out.set(input.name, value.text());
    }
  }
  return out;
}

bool triggers(const Workflow& workflow, const Event& event) {
  auto* trigger = workflow.trigger(event.name);
  // Runs for pull requests of the same repository may also be asked for as targets of the base.
  if (!trigger && event.name == "pull_request") trigger = workflow.trigger("pull_request_target");
  if (!trigger || !types_pass(*trigger, event)) return false;
  if (event.name == "push") return push_passes(*trigger, event);
  if (event.name == "workflow_run") {
    auto name = event.payload.str_at({"workflow_run", "name"});
    return std::find(trigger->workflows.begin(), trigger->workflows.end(), name) != trigger->workflows.end() &&
           passes(trigger->branches, event.payload.str_at({"workflow_run", "head_branch"}));
  }
  if (event.name == "schedule") {
    auto line = event.payload.str_at({"schedule"});
    return std::any_of(trigger->crons.begin(), trigger->crons.end(), [&](auto& cron) { return cron.first == line; });
  }
  if (event.name.starts_with("pull_request"))
    return passes(trigger->branches, event.base_ref) && paths_pass(trigger->paths, event.paths);
  return true;
}

bool triggers(const Workflow& workflow, const path::Change& change) {
  bool skippable = change.event == path::Change::Event::push || change.event == path::Change::Event::pull_request;
  if (skippable && asks_to_skip(change.subject)) return false;
  auto event = event_from(change);
  return triggers(workflow, event);
}

}  // namespace slipway::ci
