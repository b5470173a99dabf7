#include "ci/gitlab/values.h"

#include "base/text.h"
#include "ci/gitlab/read.h"
#include "ci/language/data.h"

namespace slipway::ci::gitlab {
namespace {

std::vector<std::string> strings(std::span<const std::string_view> words) { return {words.begin(), words.end()}; }
std::string listed(std::span<const std::string_view> words) { return join(words, ", "); }

}  // namespace

// A merged key has no place of its own: its value's is the next best.
doc::Mark key_mark(const doc::Map& map, std::string_view key) {
  auto mark = map.key_mark(key);
  const auto* value = map.find(key);
  return mark.line == 0 && value ? value->mark() : mark;
}

std::optional<double> seconds_of(std::string_view text) {
  double total = 0;
  bool any = false;
  auto rest = trim(text);
  while (!rest.empty()) {
    auto digits = rest.find_first_not_of("0123456789.");
    auto number = to_double(rest.substr(0, digits));
    if (!number) return {};
    rest = digits == std::string_view::npos ? std::string_view() : trim(rest.substr(digits));
    std::size_t end = 0;
    while (end < rest.size() && std::isalpha(static_cast<unsigned char>(rest[end])) != 0) ++end;
    auto unit = lower(rest.substr(0, end));
    rest.remove_prefix(end);
    rest = trim(rest);
    while (rest.starts_with(",") || rest.starts_with("and ")) rest = trim(rest.substr(rest[0] == ',' ? 1 : 4));
    if (unit.size() > 2 && unit.ends_with('s') && unit != "hrs") unit.pop_back();
    double factor = unit.empty() || unit == "s" || unit == "sec" || unit == "second" ? 1
                    : unit == "m" || unit == "min" || unit == "minute"               ? 60
                    : unit == "h" || unit == "hr" || unit == "hrs" || unit == "hour" ? 3600
                    : unit == "d" || unit == "day"                                   ? 86400
                    : unit == "w" || unit == "wk" || unit == "week"                  ? 604800
                    : unit == "mo" || unit == "mos" || unit == "month"               ? 2592000
                    : unit == "y" || unit == "yr" || unit == "year"                  ? 31557600
                                                                                     : 0;
    if (factor == 0) return {};
    total += *number * factor, any = true;
  }
  return any && total < 1e10 ? std::optional(total) : std::nullopt;
}

std::optional<std::string> Values::text(const doc::Value& value, std::string_view what) {
  if (const auto* s = value.if_string()) return *s;
  if (const auto* b = value.if_bool()) return *b ? "true" : "false";
  if (value.is_number()) return Data::from(value).text();
  problems.add(value.mark(), fmt::format("{}: got a {}, want text", what, doc::to_string(value.type())));
  return {};
}

std::vector<std::string> Values::texts(const doc::Value& value, std::string_view what, int depth) {
  std::vector<std::string> out;
  const auto* list = value.if_list();
  if (!list) {
    if (auto one = text(value, what)) out.push_back(*std::move(one));
    return out;
  }
  if (depth > 10) {
    problems.add(value.mark(), fmt::format("{}: lists nested deeper than 10 levels", what));
    return out;
  }
  for (const auto& item : *list)
    for (auto& one : texts(item, what, depth + 1)) out.push_back(std::move(one));
  return out;
}

std::optional<bool> Values::flag(const doc::Value& value, std::string_view what) {
  if (const auto* b = value.if_bool()) return *b;
  auto word = value.is_string() ? lower(*value.if_string()) : std::string();
  if (word == "yes" || word == "on") return true;
  if (word == "no" || word == "off") return false;
  problems.add(value.mark(), fmt::format("{}: want true or false", what));
  return {};
}

std::optional<int> Values::number(const doc::Value& value, std::string_view what, int least, int most) {
  const auto* n = value.if_int();
  if (n && *n >= least && *n <= most) return static_cast<int>(*n);
  problems.add(value.mark(), fmt::format("{}: want a whole number of {} to {}", what, least, most));
  return {};
}

std::vector<int> Values::exit_codes(const doc::Value& value, std::string_view what) {
  std::vector<int> out;
  auto one = [&](const doc::Value& v) {
    if (auto code = number(v, what, 0, 255)) out.push_back(*code);
  };
  if (const auto* list = value.if_list())
    for (const auto& item : *list) one(item);
  else
    one(value);
  return out;
}

const doc::Map* Values::map(const doc::Value& value, std::string_view what) {
  if (const auto* m = value.if_map()) return m;
  problems.add(value.mark(), fmt::format("{}: got a {}, want a mapping", what, doc::to_string(value.type())));
  return nullptr;
}

std::optional<std::string> Values::choice(const doc::Value& value, std::string_view what,
                                          std::span<const std::string_view> words) {
  auto word = text(value, what);
  if (!word || std::find(words.begin(), words.end(), *word) != words.end()) return word;
  auto candidates = strings(words);
  problems.unknown(value.mark(), fmt::format("{}: got \"{}\", want one of {}", what, *word, listed(words)), *word,
                   candidates);
  return {};
}

void Values::known_keys(const doc::Map& map, std::string_view of, std::span<const std::string_view> keys) {
  for (const auto& [key, value] : map) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    auto candidates = strings(keys);
    problems.unknown(key_mark(map, key), fmt::format("{}: unknown keyword '{}'", of, key), key, candidates);
  }
}

std::optional<When> Values::when(const doc::Value& value, std::string_view what, bool artifacts) {
  constexpr std::string_view words[] = {"on_success", "on_failure", "always", "manual", "never", "delayed"};
  auto word = choice(value, what, std::span(words).first(artifacts ? 3 : 6));
  if (!word) return {};
  for (std::size_t i = 0; i < std::size(words); ++i)
    if (words[i] == *word) return static_cast<When>(i);
  return {};
}

double Values::start_in(const doc::Value& value) {
  auto written = text(value, "start_in");
  auto seconds = written ? seconds_of(*written) : std::optional<double>(0);
  if (seconds && *seconds >= 0 && *seconds <= 7 * 86400) return *seconds;
  problems.add(value.mark(),
               fmt::format("start_in: \"{}\", want a duration of at most a week, like \"30 minutes\"", *written));
  return 0;
}

std::optional<AllowFailure> Values::allow_failure(const doc::Value& value) {
  AllowFailure out;
  if (const auto* m = value.if_map()) {
    constexpr std::string_view keys[] = {"exit_codes"};
    known_keys(*m, "allow_failure", keys);
    if (const auto* codes = m->find("exit_codes")) out.codes = exit_codes(*codes, "allow_failure:exit_codes");
    return out;
  }
  auto any = flag(value, "allow_failure");
  if (!any) return {};
  out.any = *any;
  return out;
}

std::optional<RuleExpression> Values::expression(const doc::Value& value, std::string_view what) {
  auto written = text(value, what);
  if (!written) return {};
  auto parsed = RuleExpression::parse(*written);
  if (parsed) return *std::move(parsed);
  problems.add(value.mark(), fmt::format("{}: \"{}\": {}", what, written->substr(0, 200), parsed.error().what()));
  return {};
}

std::vector<std::string> Values::changes(const doc::Value& value, std::string_view what) {
  const auto* m = value.if_map();
  if (!m) return texts(value, what);
  constexpr std::string_view keys[] = {"paths", "compare_to"};
  known_keys(*m, what, keys);
  if (m->contains("compare_to"))
    problems.not_yet(key_mark(*m, "compare_to"), fmt::format("{}:compare_to", what),
                     "without it, what the push or the merge request changed is looked at");
  const auto* paths = m->find("paths");
  if (!paths) {
    problems.add(value.mark(), fmt::format("{}: want paths:", what));
    return {};
  }
  return texts(*paths, what);
}

MatrixEntry Values::matrix_entry(const doc::Value& value, std::string_view what) {
  MatrixEntry out;
  const auto* m = map(value, what);
  if (!m) return out;
  for (const auto& [name, values] : *m) {
    auto list = texts(values, fmt::format("{}: {}", what, name));
    if (list.empty()) problems.add(values.mark(), fmt::format("{}: {} has no values", what, name));
    out.emplace_back(name, std::move(list));
  }
  return out;
}

std::vector<Need> Values::needs(const doc::Value& value) {
  std::vector<Need> out;
  const auto* list = value.if_list();
  if (!list) {
    problems.add(value.mark(), "needs: want a list of jobs");
    return out;
  }
  std::vector<doc::Value> flat;  // lists of !reference and anchors
  for (const auto& item : *list) {
    if (const auto* inner = item.if_list())
      flat.insert(flat.end(), inner->begin(), inner->end());
    else
      flat.push_back(item);
  }
  if (flat.size() > 50) problems.add(value.mark(), fmt::format("needs: {} jobs, want at most 50", flat.size()));
  for (const auto& item : flat) {
    Need need;
    need.mark = item.mark();
    if (const auto* m = item.if_map()) {
      constexpr std::string_view keys[] = {"job", "artifacts", "optional", "parallel", "project", "ref", "pipeline"};
      known_keys(*m, "needs", keys);
      for (auto* elsewhere : {"project", "pipeline"})
        if (m->contains(elsewhere))
          problems.not_yet(key_mark(*m, elsewhere), fmt::format("needs:{}", elsewhere),
                           "jobs can need jobs of the same pipeline");
      if (m->contains("project") || m->contains("pipeline")) continue;
      const auto* job = m->find("job");
      auto name = job ? text(*job, "needs:job") : std::nullopt;
      if (!job) problems.add(item.mark(), "needs: want job: NAME");
      if (!name) continue;
      need.job = *name;
      if (const auto* v = m->find("artifacts")) need.artifacts = flag(*v, "needs:artifacts").value_or(true);
      if (const auto* v = m->find("optional")) need.optional = flag(*v, "needs:optional").value_or(false);
      if (const auto* v = m->find("parallel"))
        if (const auto* p = map(*v, "needs:parallel")) {
          const auto* matrix = p->find("matrix");
          const auto* rows = matrix ? matrix->if_list() : nullptr;
          if (!rows) problems.add(v->mark(), "needs:parallel: want matrix: with a list of mappings");
          if (rows)
            for (const auto& row : *rows) need.rows.push_back(matrix_entry(row, "needs:parallel:matrix"));
        }
    } else if (auto name = text(item, "needs")) {
      need.job = *name;
    } else {
      continue;
    }
    out.push_back(std::move(need));
  }
  return out;
}

Variables read_variables(const doc::Value& value, Problems& problems) {
  Values values(problems);
  Variables out;
  if (value.is_null()) return out;
  const auto* m = values.map(value, "variables");
  if (!m) return out;
  for (const auto& [name, item] : *m) {
    Variable variable;
    variable.name = name, variable.mark = item.mark();
    bool plain =
        !name.empty() &&
        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (!plain) problems.add(key_mark(*m, name), fmt::format("variables: '{}': want letters, digits and _", name));
    auto what = fmt::format("variables: {}", name);
    if (const auto* details = item.if_map()) {
      constexpr std::string_view keys[] = {"value", "description", "expand", "options"};
      values.known_keys(*details, what, keys);
      if (const auto* v = details->find("value")) variable.value = values.text(*v, what).value_or("");
      if (const auto* v = details->find("expand")) variable.expand = values.flag(*v, what + ": expand").value_or(true);
    } else if (!item.is_null()) {
      variable.value = values.text(item, what).value_or("");
    }
    auto same = std::find_if(out.begin(), out.end(), [&](const Variable& v) { return iequals(v.name, name); });
    if (same != out.end())
      problems.add(key_mark(*m, name), fmt::format("variables: '{}' and '{}' differ in case alone", same->name, name),
                   "the runner's environment takes one of them: give one another name");
    out.push_back(std::move(variable));
  }
  return out;
}

std::vector<Rule> read_rules(const doc::Value& value, std::string_view of, Problems& problems) {
  Values values(problems);
  std::vector<Rule> out;
  const auto* list = value.if_list();
  if (!list) {
    problems.add(value.mark(), fmt::format("{}: want a list", of));
    return out;
  }
  constexpr std::string_view keys[] = {"if",        "changes", "exists",        "when",     "allow_failure",
                                       "variables", "needs",   "interruptible", "start_in", "auto_cancel"};
  std::function<void(const doc::Value&, int)> add = [&](const doc::Value& item, int depth) {
    if (const auto* inner = item.if_list(); inner && depth < 10) {
      for (const auto& one : *inner) add(one, depth + 1);
      return;
    }
    const auto* m = values.map(item, of);
    if (!m) return;
    values.known_keys(*m, of, keys);
    Rule rule;
    rule.mark = item.mark();
    auto name = [&](std::string_view key) { return fmt::format("{}:{}", of, key); };
    if (const auto* v = m->find("if")) rule.condition = values.expression(*v, name("if"));
    if (const auto* v = m->find("changes")) rule.changes = values.changes(*v, name("changes"));
    if (const auto* v = m->find("exists")) {
      if (v->is_map())
        problems.not_yet(v->mark(), name("exists") + ":project", "give the paths as a list");
      else
        rule.exists = values.texts(*v, name("exists"));
    }
    if (const auto* v = m->find("when")) rule.when = values.when(*v, name("when"));
    if (const auto* v = m->find("start_in")) rule.start_in = values.start_in(*v);
    if (rule.when == When::delayed && rule.start_in <= 0)
      problems.add(rule.mark, name("when") + ": delayed wants start_in:");
    if (const auto* v = m->find("allow_failure")) rule.allow_failure = values.allow_failure(*v);
    if (const auto* v = m->find("variables")) rule.variables = read_variables(*v, problems);
    if (const auto* v = m->find("needs")) rule.needs = values.needs(*v);
    if (const auto* v = m->find("interruptible")) rule.interruptible = values.flag(*v, name("interruptible"));
    out.push_back(std::move(rule));
  };
  for (const auto& item : *list) add(item, 0);
  return out;
}

}  // namespace slipway::ci::gitlab
