#include "ci/detail/lint_reader.h"

namespace slipway::ci {

using Sort = YamlNode::Sort;

void StructureReader::on(const Entry& e, const KeyRule&) {
  auto& node = real(*e.value);
  if (node.is(Sort::scalar)) return bare_event(node);
  if (node.is(Sort::list)) {
    for (auto* item : strings(node, "on", false, "", true)) bare_event(*item);
    return;
  }
  for (auto& entry : section(node, "on", false, true)) event(entry);
}

void StructureReader::bare_event(const Node& node) {
  if (node.text.empty()) {
    if (!node.is(Sort::list)) wrong(node, "the text is empty");
    return;
  }
  if (node.text == "schedule") return wrong(node, "schedule needs a list of times");
  lint_.facts.events.push_back({node.text, &node, {}});
  lint_.facts.called = lint_.facts.called || node.text == "workflow_call";
  lint_.facts.dispatched = lint_.facts.dispatched || node.text == "workflow_dispatch";
}

void StructureReader::event(const Entry& e) {
  auto& value = real(*e.value);
  if (e.name == "schedule") return schedule(value);
  if (e.name == "workflow_dispatch") return dispatch(e);
  if (e.name == "workflow_call") return call(value);
  if (e.name == "repository_dispatch") {
    static constexpr KeyRule keys[] = {{"types", &StructureReader::one_or_list, ""}};
    return by_table(section(value, "repository_dispatch", true, true), "repository_dispatch", keys);
  }
  if (e.name == "image_version") return image_version(e);
  webhook(e);
}

void StructureReader::schedule(const Node& node) {
  static constexpr KeyRule keys[] = {{"cron", &StructureReader::text, ""}, {"timezone", &StructureReader::text, ""}};
  if (!node.is(Sort::list)) return wrong(node, "schedule must be a list");
  if (node.items.empty()) wrong(node, "schedule is an empty list");
  EventFacts facts{"schedule", &node, {}};
  for (auto* item : node.items) {
    auto entries = section(*item, "an element of schedule", false, true);
    by_table(entries, "an element of schedule", keys);
    if (!entries.empty() && entry_of(entries, "cron") == nullptr) wrong(*item, "an element of schedule has no 'cron'");
    for (auto& entry : entries) facts.settings.emplace_back(entry.key, &real(*entry.value));
  }
  lint_.facts.events.push_back(std::move(facts));
}

void StructureReader::dispatch(const Entry& e) {
  lint_.facts.dispatched = true;
  auto& node = real(*e.value);
  for (auto& entry : section(node, "workflow_dispatch", true, true)) {
    if (entry.name != "inputs") {
      wrong(*entry.key, fmt::format("unexpected key '{}' in workflow_dispatch; known is inputs", entry.key->text));
      continue;
    }
    auto inputs = section(*entry.value, "inputs", true, false);
    if (inputs.size() > 25)
      lint_.add("events", *e.key, fmt::format("workflow_dispatch takes at most 25 inputs, here are {}", inputs.size()));
    for (auto& input : inputs) dispatch_input(input);
  }
}

void StructureReader::dispatch_input(const Entry& e) {
  static constexpr KeyRule keys[] = {{"description", &StructureReader::text_or_empty, ""},
                                     {"required", &StructureReader::boolean, ""},
                                     {"default", &StructureReader::text_or_empty, ""},
                                     {"type", &StructureReader::text, ""},
                                     {"options", &StructureReader::list, ""},
                                     {"deprecationMessage", &StructureReader::text_or_empty, ""}};
  static constexpr std::string_view types[] = {"string", "number", "boolean", "choice", "environment"};
  auto entries = section(*e.value, fmt::format("input '{}'", e.key->text), true, true);
  by_table(entries, "an input", keys);
  InputFacts input;
  input.name = e.name, input.key = e.key;
  if (auto* type = entry_of(entries, "type")) {
    input.type_node = &real(*type->value);
    input.type = input.type_node->text;
    if (std::find(std::begin(types), std::end(types), input.type) == std::end(types)) {
      wrong(*input.type_node, fmt::format("'{}' is no type of an input of workflow_dispatch", input.type));
      input.type.clear();
    }
  }
  if (auto* fallback = entry_of(entries, "default")) input.fallback = &real(*fallback->value);
  auto* options = entry_of(entries, "options");
  auto events = [&](const Node& at, std::string message) { lint_.add("events", at, std::move(message)); };
  std::vector<std::string> known;
  if (options != nullptr && real(*options->value).is(Sort::list))
    for (auto* item : real(*options->value).items) {
      auto& option = real(*item);
      if (std::find(known.begin(), known.end(), option.text) != known.end())
        events(option, fmt::format("option '{}' is here twice", option.text));
      known.push_back(option.text);
    }
  bool choice = input.type == "choice";
  if (choice && known.empty()) events(*e.key, fmt::format("input '{}' is a choice without options", e.key->text));
  if (!choice && options != nullptr && (!known.empty() || real(*options->value).is(Sort::scalar)))
    events(*e.key, fmt::format("input '{}' has options and is no choice", e.key->text));
  if (input.fallback != nullptr && !holds_expression(input.fallback->text)) {
    auto& given = input.fallback->text;
    if (choice && !known.empty() && std::find(known.begin(), known.end(), given) == known.end())
      events(*input.fallback, fmt::format("default '{}' is none of the options", given));
    if (input.type == "boolean" && given != "true" && given != "false")
      events(*input.fallback, fmt::format("default '{}' of a boolean is neither true nor false", given));
    if (input.type == "number" && std::isnan(parse_number(given)))
      events(*input.fallback, fmt::format("default '{}' is no number", given));
  }
  lint_.facts.dispatch_inputs.push_back(std::move(input));
}

void StructureReader::call(const Node& node) {
  lint_.facts.called = true;
  for (auto& entry : section(node, "workflow_call", true, true)) {
    if (entry.name == "inputs") {
      auto inputs = section(*entry.value, "inputs", true, false);
      input_ = 0;
      for (auto& input : inputs) call_input(input), ++input_;
      input_ = -1;
    } else if (entry.name == "secrets") {
      call_secrets(entry);
    } else if (entry.name == "outputs") {
      call_outputs(entry);
    } else {
      wrong(*entry.key,
            fmt::format("unexpected key '{}' in workflow_call; known are inputs, secrets, outputs", entry.key->text));
    }
  }
}

void StructureReader::call_input(const Entry& e) {
  static constexpr KeyRule keys[] = {{"description", &StructureReader::text_or_empty, ""},
                                     {"required", &StructureReader::boolean, ""},
                                     {"default", &StructureReader::anything, "W"},
                                     {"deprecationMessage", &StructureReader::text_or_empty, ""},
                                     {"type", &StructureReader::text, ""}};
  auto entries = section(*e.value, fmt::format("input '{}'", e.key->text), true, true);
  InputFacts input;
  input.name = e.name, input.key = e.key;
  if (auto* type = entry_of(entries, "type")) {
    input.type_node = &real(*type->value);
    input.type = input.type_node->text;
    bool known = input.type == "string" || input.type == "number" || input.type == "boolean";
    if (input.type_node->is(Sort::scalar) && !known) {
      wrong(*input.type_node,
            fmt::format("'{}' is no type of an input of workflow_call: string, number or boolean", input.type));
      input.type.clear();
    }
  } else {
    wrong(*e.key, fmt::format("input '{}' of workflow_call has no type", e.key->text));
  }
  if (auto* required = entry_of(entries, "required")) input.required = real(*required->value).text == "true";
  auto* fallback = entry_of(entries, "default");
  for (auto& entry : entries) {
    auto* rule = rule_of(keys, entry.name);
    if (rule == nullptr) {
      unexpected(entry, "an input of workflow_call", keys);
    } else if (&entry == fallback) {
      auto& node = real(*entry.value);
      if (!node.is(Sort::scalar)) {
        wrong(node, "a default must be a plain value");
        continue;
      }
      input.fallback = &node;
      auto want = input.type == "boolean" ? Want::boolean : input.type == "number" ? Want::number : Want::text;
      use(node, "W", is_expression(node) ? want : Want::text, input.key->text);
    } else {
      (this->*rule->read)(entry, *rule);
    }
  }
  lint_.facts.call_inputs.push_back(std::move(input));
}

void StructureReader::call_secrets(const Entry& e) {
  static constexpr KeyRule keys[] = {{"description", &StructureReader::text_or_empty, ""},
                                     {"required", &StructureReader::boolean, ""}};
  lint_.facts.secrets_given = true;
  for (auto& secret : section(*e.value, "secrets", true, false)) {
    lint_.facts.call_secrets.push_back(secret.name);
    by_table(section(*secret.value, fmt::format("secret '{}'", secret.key->text), true, true), "secrets", keys);
  }
}

void StructureReader::call_outputs(const Entry& e) {
  static constexpr KeyRule keys[] = {{"description", &StructureReader::text_or_empty, ""},
                                     {"value", &StructureReader::text, "OUT"}};
  for (auto& output : section(*e.value, "outputs", true, false)) {
    lint_.facts.call_outputs.push_back(output.name);
    auto entries = section(*output.value, fmt::format("output '{}'", output.key->text), true, true);
    by_table(entries, "an output of workflow_call", keys);
    if (entry_of(entries, "value") == nullptr)
      wrong(*output.key, fmt::format("output '{}' of workflow_call has no value", output.key->text));
  }
}

void StructureReader::webhook(const Entry& e) {
  static constexpr KeyRule keys[] = {
      {"types", &StructureReader::one_or_list, ""},           {"branches", &StructureReader::one_or_list, ""},
      {"branches-ignore", &StructureReader::one_or_list, ""}, {"tags", &StructureReader::one_or_list, ""},
      {"tags-ignore", &StructureReader::one_or_list, ""},     {"paths", &StructureReader::one_or_list, ""},
      {"paths-ignore", &StructureReader::one_or_list, ""},    {"workflows", &StructureReader::one_or_list, ""}};
  EventFacts facts{e.name, e.key, {}};
  auto entries = section(*e.value, fmt::format("event {}", e.name), true, true);
  by_table(entries, fmt::format("event {}", e.name), keys);
  for (auto& entry : entries)
    if (rule_of(keys, entry.name)) facts.settings.emplace_back(entry.key, &real(*entry.value));
  lint_.facts.events.push_back(std::move(facts));
}

void StructureReader::image_version(const Entry& e) {
  static constexpr KeyRule keys[] = {{"types", &StructureReader::one_or_list, ""},
                                     {"names", &StructureReader::list, ""},
                                     {"versions", &StructureReader::list, ""}};
  auto entries = section(*e.value, "image_version", true, true);
  by_table(entries, "image_version", keys);
  auto* versions = entry_of(entries, "versions");
  if (versions == nullptr || !real(*versions->value).is(Sort::list)) return;
  for (auto* item : real(*versions->value).items)
    if (auto& node = real(*item); node.is(Sort::scalar) && !node.text.empty()) check_reference_glob(lint_, node);
}

}  // namespace slipway::ci
