#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

// Which events know which filter.
struct FilterRule {
  std::string_view filter, events;
};
constexpr FilterRule filters[] = {{"paths", "push pull_request pull_request_target"},
                                  {"paths-ignore", "push pull_request pull_request_target"},
                                  {"branches", "merge_group push pull_request pull_request_target workflow_run"},
                                  {"branches-ignore", "merge_group push pull_request pull_request_target workflow_run"},
                                  {"tags", "push"},
                                  {"tags-ignore", "push"},
                                  {"workflows", "workflow_run"}};

bool has_word(std::string_view words, std::string_view word) {
  auto list = split(words, ' ');
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::vector<const YamlNode*> values_of(const YamlNode& node) {
  std::vector<const YamlNode*> out;
  if (node.is(YamlNode::Sort::scalar)) out.push_back(&node);
  for (auto* item : node.items) out.push_back(&YamlTree::real(*item));
  return out;
}

// Seconds between two starts at the closest; 0 when the expression is no good.
struct Cron {
  std::vector<int> minutes, hours;
};
std::vector<int> field_values(std::string_view field, int limit) {
  std::vector<int> out;
  for (auto part : split(field, ',')) {
    auto step = cut(part, "/");
    auto range = step ? step->first : part;
    int every = step ? static_cast<int>(to_int(step->second).value_or(1)) : 1;
    int from = 0, to = limit - 1;
    if (range != "*") {
      auto ends = cut(range, "-");
      from = static_cast<int>(to_int(ends ? ends->first : range).value_or(0));
      to = ends ? static_cast<int>(to_int(ends->second).value_or(from)) : step ? limit - 1 : from;
    }
    for (int n = from; n <= to && every > 0; n += every) out.push_back(n);
  }
  std::sort(out.begin(), out.end());
  return out;
}
int closest_seconds(std::string_view cron) {
  auto fields = split(cron, ' ');
  std::erase(fields, "");
  auto minutes = field_values(fields[0], 60), hours = field_values(fields[1], 24);
  if (minutes.empty() || hours.empty()) return 0;
  int closest = 24 * 60;
  for (std::size_t i = 1; i < minutes.size(); ++i) closest = std::min(closest, minutes[i] - minutes[i - 1]);
  if (hours.size() > 1) closest = std::min(closest, 60 - minutes.back() + minutes.front());
  return closest * 60;
}

bool known_zone(std::string_view name) {
  if (!name.contains('/') || name.contains("..")) return false;
  return path_exists(fs::path("/usr/share/zoneinfo") / std::string(name));
}

void check_schedule(Lint& lint, const EventFacts& event) {
  for (auto& [key, value] : event.settings) {
    if (value->text.empty()) continue;
    if (key->text == "cron") {
      if (!is_valid_cron(value->text))
        lint.add("events", *value,
                 fmt::format("'{}' is no time: five fields are wanted, minute hour day month weekday", value->text));
      else if (auto seconds = closest_seconds(value->text); seconds > 0 && seconds < 300)
        lint.add("events", *value, fmt::format("runs every {} seconds; the shortest that GitHub does is 300", seconds));
    } else if (key->text == "timezone" && !known_zone(value->text)) {
      lint.add("events", *value,
               fmt::format("there is no time zone '{}' (wanted is an IANA name, Europe/Berlin)", value->text));
    }
  }
}

void check_filters(Lint& lint, const EventFacts& event) {
  std::set<std::string> seen;
  for (auto& [key, value] : event.settings) {
    auto& name = key->text;
    bool has_values = !values_of(*value).empty();
    bool unknown = false;
    for (auto& rule : filters)
      if (unknown = rule.filter == name && has_values && !has_word(rule.events, event.name); unknown) {
        lint.add("events", *key,
                 fmt::format("'{}' is no filter of {}; it is one of {}", name, event.name, rule.events));
        break;
      }
    if (unknown) continue;
    auto base = name.ends_with("-ignore") ? name.substr(0, name.size() - 7) : name;
    auto other = name == base ? base + "-ignore" : base;
    if (seen.contains(other))
      lint.add("events", *key,
               fmt::format("'{}' and '{}' exclude each other: write '!' before a pattern", other, name));
    seen.insert(name);
    if (base != "branches" && base != "tags" && base != "paths") continue;
    for (auto* pattern : values_of(*value)) {
      if (!pattern->is(YamlNode::Sort::scalar) || pattern->text.empty()) continue;
      base == "paths" ? check_path_glob(lint, *pattern) : check_reference_glob(lint, *pattern);
    }
  }
}

void check_types(Lint& lint, const EventFacts& event, const std::vector<std::string>& known) {
  for (auto& [key, value] : event.settings) {
    if (key->text != "types") continue;
    if (known.empty()) {
      if (!values_of(*value).empty()) lint.add("events", *key, fmt::format("{} has no types", event.name));
      continue;
    }
    for (auto* type : values_of(*value))
      if (!type->text.empty() && std::find(known.begin(), known.end(), type->text) == known.end()) {
        auto near = nearest(type->text, known);
        lint.add("events", *type,
                 fmt::format("'{}' is no type of {}{}", type->text, event.name,
                             near ? fmt::format("; did you mean '{}'?", *near)
                                  : fmt::format(": {}", join(std::span<const std::string>(known), ", "))));
      }
  }
}

void check_inputs(Lint& lint) {
  for (auto& input : lint.facts.call_inputs) {
    if (input.fallback == nullptr) continue;
    auto& given = input.fallback->text;
    if (input.required)
      lint.add("events", *input.fallback,
               fmt::format("input '{}' is required: its default is never used", input.key->text));
    if (holds_expression(given)) continue;
    if (input.type == "number" && std::isnan(parse_number(given)))
      lint.add("events", *input.fallback, fmt::format("default '{}' is no number", given));
    if (input.type == "boolean" && given != "true" && given != "false")
      lint.add("events", *input.fallback, fmt::format("default '{}' of a boolean is neither true nor false", given));
  }
}

}  // namespace

void lint_events(Lint& lint) {
  for (auto& event : lint.facts.events) {
    if (event.name == "schedule") {
      check_schedule(lint, event);
      continue;
    }
    auto types = event_types(event.name);
    if (!types) {
      auto near = nearest(event.key->text, event_names());
      lint.add("events", *event.key,
               fmt::format("there is no event '{}'{}", event.key->text,
                           near ? fmt::format("; did you mean '{}'?", *near) : ""));
      continue;
    }
    check_types(lint, event, *types);
    check_filters(lint, event);
  }
  check_inputs(lint);
}

}  // namespace slipway::ci
