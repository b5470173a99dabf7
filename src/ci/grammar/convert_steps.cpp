#include "base/text.h"
#include "ci/detail/ids.h"
#include "ci/detail/rules.h"

namespace slipway::ci {

using Sort = Template::Sort;

struct Converter::StepIds {
  Ids ids;
  std::set<std::string> given;
};

namespace {

// The id of a step that has none comes from what it uses.
std::string id_text(const Step& step) {
  if (step.run) return "__run";
  if (!step.wait.empty()) return "__wait";
  if (step.wait_all) return "__wait-all";
  if (!step.cancel.empty()) return "__cancel";
  if (!step.parallel.empty()) return "__parallel";
  std::string_view uses = step.uses ? std::string_view(step.uses->text) : std::string_view();
  if (uses.starts_with("docker://")) return "__" + std::string(uses.substr(9));
  if (uses.starts_with("./") || uses.starts_with(".\\") || uses.starts_with("$/")) return "__self";
  auto at = cut(uses, "@");
  if (!at) return "__run";
  auto parts = split(at->first, '/');
  return parts.size() < 2 ? "__run" : fmt::format("__{}/{}", parts[0], parts[1]);
}

}  // namespace

std::vector<Step> Converter::steps(const Template& list) {
  std::vector<Step> out;
  StepIds ids;
  for (auto& body : list.items)
    if (auto made = step(body, ids)) out.push_back(*std::move(made));
  for (auto& made : out)
    if (made.id.empty()) made.id = ids.ids.make(id_text(made));
  return out;
}

std::optional<Step> Converter::step(const Template& body, StepIds& ids) {
  if (!body.is(Sort::map)) return {};
  Step out;
  out.mark = body.mark;
  for (auto& [key, value] : body.entries) step_field(out, key.text, value, ids);
  bool control = !out.wait.empty() || out.wait_all || !out.cancel.empty() || !out.parallel.empty();
  if (!out.run && !out.uses && !control) {
    wrong(body.mark, "Expected one of uses or run to be defined");
    return {};
  }
  if (!out.condition.expression) out.condition = condition(Template(), "step");
  auto refuse = [&](const char* what) { wrong(body.mark, what); };
  for (auto& inner : out.parallel) {
    if (inner.background)
      refuse(
          "'background' is not allowed inside a parallel block. Steps in a parallel block are automatically run as "
          "background steps.");
    if (!inner.wait.empty()) refuse("'wait' is not allowed inside a parallel block.");
    if (inner.wait_all) refuse("'wait-all' is not allowed inside a parallel block.");
    if (!inner.cancel.empty()) refuse("'cancel' is not allowed inside a parallel block.");
    if (!inner.parallel.empty()) refuse("Nested 'parallel' blocks are not allowed.");
  }
  return out;
}

void Converter::step_field(Step& step, const std::string& key, const Template& value, StepIds& ids) {
  static const std::map<std::string_view, std::optional<Template> Step::*> plain = {
      {"name", &Step::name},
      {"run", &Step::run},
      {"uses", &Step::uses},
      {"with", &Step::with},
      {"env", &Step::env},
      {"shell", &Step::shell},
      {"working-directory", &Step::working_directory},
      {"continue-on-error", &Step::continue_on_error},
      {"timeout-minutes", &Step::timeout_minutes}};
  if (auto found = plain.find(key); found != plain.end()) step.*found->second = value;
  if (key == "id") {
    if (auto error = ids.ids.add(value.text); !error.empty())
      wrong(value.mark, std::move(error));
    else
      ids.given.insert(value.text);
    step.id = value.text, step.id_given = true;
  } else if (key == "if") {
    step.condition = condition(value, "step");
  } else if (key == "uses") {
    check_uses(value);
  } else if (key == "background") {
    step.background = value.boolean;
  } else if (key == "wait") {
    step.wait = strings(value);
    if (value.is(Sort::string)) check_target(value, step, ids);
    for (auto& target : value.items) check_target(target, step, ids);
  } else if (key == "wait-all") {
    step.wait_all = true;
    if (value.is(Sort::boolean) && !value.boolean) wrong(value.mark, "The value of 'wait-all' must be true or omitted");
  } else if (key == "cancel") {
    step.cancel = value.text;
    check_target(value, step, ids);
  } else if (key == "parallel") {
    step.parallel = steps(value);
  }
}

void Converter::check_target(const Template& target, const Step& self, const StepIds& ids) {
  if (target.text.starts_with("__"))
    wrong(target.mark,
          fmt::format("The identifier '{}' is invalid. IDs starting with '__' are reserved.", target.text));
  else if (self.id_given && iequals(target.text, self.id))
    wrong(target.mark, fmt::format("Step '{}' cannot reference itself", self.id));
  else if (!ids.given.contains(target.text))
    wrong(target.mark, fmt::format("Step references unknown step ID '{}'", target.text));
}

void Converter::check_uses(const Template& value) {
  std::string_view uses = value.text;
  if (!value.is(Sort::string)) return;
  for (std::string_view prefix : {"docker://", "./", ".\\", "$/"})
    if (uses.starts_with(prefix)) return;
  auto at = split(uses, '@');
  std::vector<std::string_view> names;
  if (at.size() == 2) {
    names = split(at[0], '/');
    std::erase(names, "");
  }
  if (names.size() < 2 || at[1].empty())
    wrong(value.mark, fmt::format("Expected format {{org}}/{{repo}}[/path]@ref. Actual '{}'", uses));
}

}  // namespace slipway::ci
