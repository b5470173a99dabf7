#include "base/text.h"
#include "ci/detail/rules.h"

namespace slipway::ci {

using Sort = Template::Sort;

void Converter::wrong(doc::Mark mark, std::string message, std::string hint) {
  problems_.push_back(
      {{source_, static_cast<int>(mark.line), static_cast<int>(mark.column)}, std::move(message), std::move(hint)});
}

std::vector<std::string> Converter::strings(const Template& value) {
  std::vector<std::string> out;
  if (value.is(Sort::string)) out.push_back(value.text);
  for (auto& item : value.items) out.push_back(item.literal_text());
  return out;
}

Workflow Converter::workflow(const Template& root) {
  Workflow out;
  out.source = source_;
  for (auto& [key, value] : root.entries) {
    auto& name = key.text;
    if (name == "on")
      out.triggers = triggers(value);
    else if (name == "name")
      out.name = value;
    else if (name == "run-name")
      out.run_name = value;
    else if (name == "env")
      out.env = value;
    else if (name == "defaults")
      out.defaults = value;
    else if (name == "concurrency")
      out.concurrency = value;
    else if (name == "permissions")
      out.permissions = permissions(value);
    else if (name == "jobs")
      out.jobs = jobs(value);
  }
  return out;
}

Permissions Converter::permissions(const Template& value) {
  static constexpr std::string_view scopes[] = {
      "actions",  "checks", "contents",      "deployments",         "discussions",     "id-token", "issues",
      "packages", "pages",  "pull-requests", "repository-projects", "security-events", "statuses"};
  Permissions out;
  if (value.is(Sort::string)) {
    auto level = value.text == "write-all" ? "write" : "read";
    for (auto scope : scopes) out[std::string(scope)] = level;
  }
  for (auto& [scope, level] : value.entries) out[scope.text] = level.text;
  return out;
}

Condition Converter::condition(const Template& value, std::string_view rule) {
  static constexpr std::string_view status[] = {"success", "failure", "cancelled", "always"};
  Condition out;
  out.mark = value.mark;
  auto& words = rule == "job" ? condition_words(false) : rule == "step" ? condition_words(true) : full_vocabulary();
  auto text = value.is_expression() ? value.text : std::string(trim(value.literal_text()));
  // An expression that stands in a value of its own keeps its text; one that is mixed with text is always a string.
  if (!text.empty()) {
    auto parsed = Expression::parse(text, words);
    if (!parsed) {
      wrong(value.mark, parsed.error().what());
      return out;
    }
    bool checks_status = parsed->calls(status);
    out.text = checks_status ? text : fmt::format("success() && ({})", text);
  }
  auto final = Expression::parse(out.text, words);
  if (final)
    out.expression = *std::move(final);
  else
    wrong(value.mark, final.error().what());
  return out;
}

Action Converter::action(const Template& root) {
  Action out;
  out.source = source_;
  if (auto* name = root.find("name")) out.name = name->text;
  if (auto* given = root.find("inputs")) {
    for (auto& [name, body] : given->entries) {
      Input input;
      input.name = name.text, input.mark = name.mark;
      if (auto* required = body.find("required")) input.required = required->literal_text() == "true";
      if (auto* fallback = body.find("default")) input.fallback = *fallback;
      out.inputs.push_back(std::move(input));
    }
  }
  if (auto* given = root.find("outputs"))
    for (auto& [name, body] : given->entries) {
      auto* value = body.find("value");
      out.outputs.emplace_back(name.text, value ? *value : Template());
    }
  auto* runs = root.find("runs");
  if (!runs || !runs->is(Sort::map)) {
    wrong(root.mark, "Required property is missing: runs");
    return out;
  }
  for (auto& [key, value] : runs->entries) {
    if (key.text == "using")
      out.using_ = lower(value.text);
    else if (key.text == "steps")
      out.steps = steps(value);
    else if (key.text == "main")
      out.main = value.text;
    else if (key.text == "pre")
      out.pre = value.text;
    else if (key.text == "post")
      out.post = value.text;
    else if (key.text == "pre-if")
      out.pre_if = condition(value, "any");
    else if (key.text == "post-if")
      out.post_if = condition(value, "any");
    else if (key.text == "image")
      out.image = value.text;
    else if (key.text == "entrypoint")
      out.entrypoint = value.text;
    else if (key.text == "pre-entrypoint")
      out.pre_entrypoint = value.text;
    else if (key.text == "post-entrypoint")
      out.post_entrypoint = value.text;
    else if (key.text == "args")
      out.args = value.items;
    else if (key.text == "env")
      out.env = value;
  }
  return out;
}

}  // namespace slipway::ci
