#include <cmath>

#include "base/text.h"
#include "ci/detail/rules.h"

namespace slipway::ci {

using Sort = Template::Sort;

namespace {

struct CronRange {
  int min, max;
  std::vector<std::string_view> names;
};

std::optional<int> cron_number(std::string_view text, const CronRange& range) {
  for (std::size_t i = 0; i < range.names.size(); ++i)
    if (iequals(text, range.names[i])) return static_cast<int>(i) + range.min;
  auto n = to_int(text);
  if (!n || *n < range.min || *n > range.max) return {};
  return static_cast<int>(*n);
}

// value, a-b, */step, a-b/step, a,b,c: commas bind loosest, then the step, then the range.
bool cron_part(std::string_view text, const CronRange& range, bool separators = true) {
  if (text == "*" || cron_number(text, range)) return true;
  if (!separators) return false;
  if (text.contains(',')) {
    auto parts = split(text, ',');
    return std::all_of(parts.begin(), parts.end(), [&](auto part) { return !part.empty() && cron_part(part, range); });
  }
  if (auto step = cut(text, "/")) {
    auto n = to_int(step->second);
    return n && *n > 0 && !step->first.empty() && cron_part(step->first, range) &&
           cron_part(step->second, range, false);
  }
  if (auto ends = cut(text, "-")) {
    auto from = cron_number(ends->first, range), to = cron_number(ends->second, range);
    return from && to && *to >= *from;
  }
  return false;
}

}  // namespace

bool is_valid_cron(std::string_view text) {
  static const CronRange ranges[] = {
      {0, 59, {}},
      {0, 23, {}},
      {1, 31, {}},
      {1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      {0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}};
  auto parts = split(text, ' ');
  // Several blanks between two fields count as one; blanks at the ends do not belong there.
  for (std::size_t i = 1; i + 1 < parts.size();)
    if (parts[i].empty())
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
    else
      ++i;
  if (parts.size() != 5) return false;
  for (std::size_t i = 0; i < 5; ++i)
    if (!cron_part(parts[i], ranges[i])) return false;
  return true;
}

std::vector<Trigger> Converter::triggers(const Template& on) {
  std::vector<Trigger> out;
  auto bare = [](const std::string& event) {
    Trigger t;
    t.event = event;
    return t;
  };
  if (on.is(Sort::string)) out.push_back(bare(on.text));
  for (auto& item : on.items) out.push_back(bare(item.literal_text()));
  for (auto& [key, settings] : on.entries) out.push_back(trigger(key.text, settings));
  return out;
}

Trigger Converter::trigger(const std::string& event, const Template& settings) {
  Trigger out;
  out.event = event;
  out.raw = settings;
  if (event == "schedule") schedule(settings, out);
  for (auto& [key, value] : settings.entries) {
    auto& name = key.text;
    if (name == "types")
      out.types = strings(value);
    else if (name == "workflows")
      out.workflows = strings(value);
    else if (name == "branches")
      out.branches.only = strings(value);
    else if (name == "branches-ignore")
      out.branches.ignore = strings(value);
    else if (name == "tags")
      out.tags.only = strings(value);
    else if (name == "tags-ignore")
      out.tags.ignore = strings(value);
    else if (name == "paths")
      out.paths.only = strings(value);
    else if (name == "paths-ignore")
      out.paths.ignore = strings(value);
    else if (name == "inputs" && (event == "workflow_call" || event == "workflow_dispatch"))
      out.inputs = inputs(value, event == "workflow_call"), out.input_given = true;
    else if (name == "secrets" && event == "workflow_call") {
      out.secrets_given = true;
      for (auto& [secret, body] : value.entries) {
        auto* required = body.find("required");
        out.secrets.emplace_back(secret.text, required && required->boolean);
      }
    } else if (name == "outputs" && event == "workflow_call") {
      for (auto& [output, body] : value.entries) {
        auto* given = body.find("value");
        out.outputs.emplace_back(output.text, given ? *given : Template());
      }
    }
  }
  return out;
}

void Converter::schedule(const Template& list, Trigger& out) {
  for (auto& item : list.items) {
    auto *cron = item.find("cron"), *zone = item.find("timezone");
    if (!cron) continue;
    if (!is_valid_cron(cron->text))
      wrong(cron->mark, "Invalid cron expression. Expected format: '* * * * *' (minute hour day month weekday)");
    out.crons.emplace_back(cron->text, zone ? zone->text : std::string());
  }
}

std::vector<Input> Converter::inputs(const Template& map, bool call) {
  std::vector<Input> out;
  for (auto& [name, body] : map.entries) {
    Input input;
    input.name = name.text, input.mark = name.mark;
    for (auto& [key, value] : body.entries) {
      if (key.text == "type")
        input.type = value.text;
      else if (key.text == "description")
        input.description = value.text;
      else if (key.text == "required")
        input.required = value.boolean;
      else if (key.text == "default")
        input.fallback = value;
      else if (key.text == "options")
        input.options = strings(value);
    }
    auto* fallback = body.find("default");
    if (fallback && !fallback->is_expression()) {
      // A default is written in the input's own type: `default: 8` of a string input would become another text.
      auto type_name = fallback->is(Sort::boolean)  ? "BooleanToken"
                       : fallback->is(Sort::number) ? "NumberToken"
                                                    : "StringToken";
      bool text = input.type == "string" || input.type == "choice" || input.type == "environment";
      if (text && !fallback->is(Sort::string) && !fallback->is(Sort::null))
        wrong(
            fallback->mark,
            fmt::format(
                "Unexpected type '{}' encountered while reading 'input default'. The type 'StringToken' was expected.",
                type_name));
      if (input.type == "boolean" && !fallback->is(Sort::boolean))
        wrong(
            fallback->mark,
            fmt::format(
                "Unexpected type '{}' encountered while reading 'input default'. The type 'BooleanToken' was expected.",
                type_name));
    }
    if (!call && input.type == "choice" && input.options.empty())
      wrong(body.mark, "Missing 'options' for choice input");
    if (!call && input.type != "choice" && body.find("options"))
      wrong(body.mark, "Input type is not 'choice', but 'options' is defined");
    out.push_back(std::move(input));
  }
  return out;
}

}  // namespace slipway::ci
