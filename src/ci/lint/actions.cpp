#include "ci/detail/lint.h"

namespace slipway::ci {

ActionFacts read_local_action(Lint& lint, const YamlNode& uses, bool say);
bool has_local_action(const Lint& lint, std::string_view uses);

namespace {

std::string wrong_reference(std::string_view uses) {
  if (uses.starts_with("docker://")) {
    auto image = uses.substr(9);
    auto colon = image.rfind(':');
    return colon != image.npos && colon + 1 == image.size() ? "the tag of the image is empty" : "";
  }
  auto at = uses.find('@');
  if (at == uses.npos) return "the version is missing: owner/repository@ref";
  auto words = split(uses.substr(0, at), '/');
  if (words.size() < 2 || words[0].empty() || words[1].empty()) return "the owner is missing: owner/repository@ref";
  return at + 1 == uses.size() ? "the version is empty: owner/repository@ref" : "";
}

void check_inputs(Lint& lint, const StepFacts& step, const ActionFacts& action) {
  auto given = [&](std::string_view name) {
    return std::any_of(step.with.begin(), step.with.end(), [&](auto& one) { return iequals(one.first->text, name); });
  };
  for (auto& input : action.inputs)
    if (input.required && !given(input.name))
      lint.add("action", *step.uses, fmt::format("input '{}' of '{}' is required", input.name, step.uses->text));
  if (action.any_input) return;
  for (auto& [key, value] : step.with) {
    auto found =
        std::find_if(action.inputs.begin(), action.inputs.end(), [&](auto& i) { return iequals(i.name, key->text); });
    if (found != action.inputs.end()) {
      if (found->deprecated && !found->required)
        lint.add("action", *key, fmt::format("input '{}' of '{}' is deprecated", key->text, step.uses->text));
      continue;
    }
    if (action.docker && (iequals(key->text, "args") || iequals(key->text, "entrypoint"))) continue;
    std::vector<std::string> names;
    for (auto& input : action.inputs) names.push_back(input.name);
    auto near = nearest(key->text, names);
    lint.add("action", *key,
             fmt::format("'{}' has no input '{}'{}", step.uses->text, key->text,
                         near ? fmt::format("; did you mean '{}'?", *near) : ""));
  }
}

void check_step(Lint& lint, const StepFacts& step, std::set<std::string>& said) {
  auto& uses = step.uses->text;
  if (uses.empty() || holds_expression(uses)) return;
  if (uses.starts_with("./")) {
    if (!has_local_action(lint, uses)) return;
    check_inputs(lint, step, read_local_action(lint, *step.uses, said.insert(uses).second));
    return;
  }
  if (uses.starts_with("$/")) return;
  if (auto wrong = wrong_reference(uses); !wrong.empty())
    return lint.add("action", *step.uses, fmt::format("'{}' names no action: {}", uses, wrong));
  if (auto why = outdated_action(uses); !why.empty())
    return lint.add("action", *step.uses, fmt::format("'{}' is too old: {}", uses, why));
  if (auto* action = known_action(uses)) check_inputs(lint, step, *action);
}

}  // namespace

void lint_actions(Lint& lint) {
  std::set<std::string> said;
  for (auto& job : lint.facts.jobs)
    for (auto& step : job.steps)
      if (step.uses != nullptr) check_step(lint, step, said);
}

TypePtr action_outputs(Lint& lint, const StepFacts& step) {
  auto& uses = step.uses->text;
  auto closed = [](const ActionFacts& action) {
    if (action.any_output) return open_object(text_type());
    Members members;
    for (auto& name : action.outputs) members[lower(name)] = text_type();
    return closed_object(std::move(members));
  };
  if (uses.starts_with("./"))
    return has_local_action(lint, uses) ? closed(read_local_action(lint, *step.uses, false)) : open_object(text_type());
  auto* known = known_action(uses);
  return known != nullptr ? closed(*known) : open_object(text_type());
}

}  // namespace slipway::ci
