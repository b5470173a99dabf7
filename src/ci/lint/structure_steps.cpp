#include "ci/detail/lint_reader.h"

namespace slipway::ci {

using Sort = YamlNode::Sort;

void StructureReader::steps(const Entry& e, const KeyRule&) {
  auto& node = real(*e.value);
  if (!node.is(Sort::list)) return wrong(node, "steps must be a list");
  if (node.items.empty()) wrong(node, "steps is an empty list");
  for (auto* item : node.items) step(*item);
  step_ = -1;
}

// What a step does decides which keys it may have; of two that decide, the later one is meant.
void StructureReader::step(const Node& given) {
  static constexpr KeyRule runs[] = {{"run", &StructureReader::step_run, "S"},
                                     {"shell", &StructureReader::step_shell, ""},
                                     {"working-directory", &StructureReader::text_or_empty, "S"},
                                     {"id", &StructureReader::step_id, ""},
                                     {"if", &StructureReader::condition, "IFS"},
                                     {"name", &StructureReader::text_or_empty, "S"},
                                     {"env", &StructureReader::env, "S"},
                                     {"continue-on-error", &StructureReader::boolean, "S"},
                                     {"timeout-minutes", &StructureReader::number, "S"},
                                     {"background", &StructureReader::boolean, ""}};
  static constexpr KeyRule uses[] = {{"uses", &StructureReader::step_uses, ""},
                                     {"with", &StructureReader::step_with, "S"},
                                     {"id", &StructureReader::step_id, ""},
                                     {"if", &StructureReader::condition, "IFS"},
                                     {"name", &StructureReader::text_or_empty, "S"},
                                     {"env", &StructureReader::env, "S"},
                                     {"continue-on-error", &StructureReader::boolean, "S"},
                                     {"timeout-minutes", &StructureReader::number, "S"},
                                     {"background", &StructureReader::boolean, ""}};
  static constexpr KeyRule controls[] = {{"wait", &StructureReader::one_or_list, ""},
                                         {"wait-all", &StructureReader::anything, ""},
                                         {"cancel", &StructureReader::text, ""},
                                         {"parallel", &StructureReader::parallel, ""},
                                         {"id", &StructureReader::step_id, ""},
                                         {"name", &StructureReader::text_or_empty, "S"},
                                         {"continue-on-error", &StructureReader::boolean, "S"}};
  auto& node = real(given);
  auto entries = section(node, "a step", false, true);
  std::string_view decides;
  for (auto& entry : entries)
    if (entry.name == "run" || entry.name == "uses" || rule_of(std::span(controls).first(4), entry.name) != nullptr)
      decides = entry.name;
  step_ = static_cast<int>(current_job().steps.size());
  current_job().steps.push_back({});
  current_step().node = &node;
  if (decides.empty()) return wrong(node, "a step needs 'run' or 'uses'");
  if (decides == "run")
    by_table(entries, "a step that runs a script", runs);
  else if (decides == "uses")
    by_table(entries, "a step that uses an action", uses);
  else
    by_table(entries, "a step that waits", controls);
}

void StructureReader::step_id(const Entry& e, const KeyRule& r) {
  current_step().id = string(*e.value, false, r.place);
}
void StructureReader::step_shell(const Entry& e, const KeyRule& r) {
  current_step().shell = string(*e.value, false, r.place);
}

void StructureReader::step_uses(const Entry& e, const KeyRule& r) {
  current_step().uses = string(*e.value, false, r.place);
}

void StructureReader::step_run(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (!node.is(Sort::scalar)) {
    string(node, false, r.place);
    return;
  }
  if (node.text.empty()) wrong(node, "the text is empty");
  use(node, r.place, Want::text, "run", true);
  current_step().run = &node;
}

void StructureReader::step_with(const Entry& e, const KeyRule& r) {
  for (auto& entry : section(*e.value, "with", false, false)) {
    auto& value = real(*entry.value);
    if (!value.is(Sort::scalar)) {
      string(value, true, r.place);
      continue;
    }
    auto* action = YamlTree::find(*current_step().node, "uses");
    bool script = entry.name == "script" && action != nullptr && action->text.starts_with("actions/github-script@");
    use(value, r.place, Want::text, entry.key->text, script);
    current_step().with.emplace_back(entry.key, &value);
  }
}

void StructureReader::parallel(const Entry& e, const KeyRule&) {
  auto& node = real(*e.value);
  if (!node.is(Sort::list)) return wrong(node, "parallel must be a list of steps");
  for (auto* item : node.items) step(*item);
}

}  // namespace slipway::ci
