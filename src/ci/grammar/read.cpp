#include "base/text.h"
#include "ci/detail/rules.h"
#include "doc/yaml.h"

namespace slipway::ci {
namespace {

// What the document reader says, in GitHub's words: the key or type is the text in quotes that its message starts with.
struct Wording {
  std::string_view ours, theirs;  // {0}: the quoted text, {1} {2}: line and column
};
constexpr Wording wordings[] = {
    {"is here twice", "'{0}' is already defined"},
    {"nested deeper than", "Maximum object depth exceeded"},
    {"is no !!bool", "The value '{0}' on line {1} and column {2} is invalid for the type 'tag:yaml.org,2002:bool'"},
    {"is no !!int", "The value '{0}' on line {1} and column {2} is invalid for the type 'tag:yaml.org,2002:int'"},
    {"is no !!float", "The value '{0}' on line {1} and column {2} is invalid for the type 'tag:yaml.org,2002:float'"},
};
void reword(Problem& problem) {
  for (auto& [ours, theirs] : wordings) {
    if (!problem.message.contains(ours)) continue;
    auto open = problem.message.find('\''), close = problem.message.find('\'', open + 1);
    auto quoted = close == std::string::npos ? std::string() : problem.message.substr(open + 1, close - open - 1);
    if (problem.hint.empty() && ours == "is here twice") problem.hint = problem.message.substr(close + 2);
    problem.message = fmt::format(fmt::runtime(theirs), quoted, problem.place.line, problem.place.column);
    return;
  }
}

// What values take in memory, by GitHub's measure: a base each, two bytes a character.
std::size_t size_of(std::string_view text) { return 26 + 2 * text.size(); }
std::size_t size_of(const Template& value) {
  bool text = value.is(Template::Sort::string) || value.is(Template::Sort::expression);
  std::size_t out = 24 + (text ? size_of(value.text) : 0);
  for (auto& item : value.items) out += size_of(item);
  for (auto& [key, inner] : value.entries) out += size_of(key) + size_of(inner);
  return out;
}

// "name.yml:3:7: what" of the document reader, as a problem of its own.
Problem from_error(const Error& error, const std::string& source) {
  Problem problem{{source, 1, 1}, error.what(), error.hint()};
  std::string_view text = error.what();
  if (text.starts_with(source + ":")) {
    auto parts = split(text.substr(source.size() + 1), ':');
    if (parts.size() >= 3 && to_int(parts[0]) && to_int(parts[1])) {
      problem.place.line = static_cast<int>(*to_int(parts[0]));
      problem.place.column = static_cast<int>(*to_int(parts[1]));
      problem.message = std::string(trim(text.substr(source.size() + 1 + parts[0].size() + 1 + parts[1].size() + 1)));
    }
  }
  reword(problem);
  return problem;
}

Result<> all_of(const std::vector<Problem>& problems) {
  if (problems.empty()) return {};
  std::string text;
  for (auto& p : problems) text += (text.empty() ? "" : "\n") + p.print();
  return fail(Kind::invalid, "{}", text);
}

}  // namespace

Reading read_workflow(std::string_view text, const ReadOptions& options) {
  Reading out;
  out.workflow.source = options.source;
  auto refuse = [&](std::string message) {
    out.problems.push_back({{options.source, 1, 1}, std::move(message), {}});
    return out;
  };
  if (text.size() > options.max_bytes)
    return refuse(fmt::format("The maximum file size of {} characters has been exceeded", options.max_bytes));
  doc::ParseOptions yaml;
  yaml.dialect = doc::Dialect::actions;
  yaml.source = options.source;
  yaml.max_depth = options.max_depth;
  auto document = doc::parse_yaml(text, yaml);
  if (!document) {
    out.problems.push_back(from_error(document.error(), options.source));
    return out;
  }
  TemplateOptions reading{options.source, options.background_steps, text};
  auto root = read_template(*document, find_rule(options.strict_events ? "workflow" : "workflow-called"), reading,
                            out.problems);
  out.size = size_of(options.source) + size_of(root);
  if (out.problems.empty() && out.size > options.max_result) return refuse("Maximum object size exceeded");
  // A tree that does not follow the grammar is not turned into values: its other errors would mislead.
  if (!root.is(Template::Sort::map) || !out.problems.empty()) return out;
  out.workflow = Converter(options.source, out.problems).workflow(root);
  return out;
}

Result<Workflow> parse_workflow(std::string_view text, std::string_view source) {
  ReadOptions options;
  options.source = std::string(source);
  auto reading = read_workflow(text, options);
  TRY_OK(all_of(reading.problems));
  return std::move(reading.workflow);
}

Result<Action> parse_action(std::string_view text, std::string_view source) {
  doc::ParseOptions yaml;
  yaml.dialect = doc::Dialect::actions;
  yaml.source = source;
  TRY(auto document, doc::parse_yaml(text, yaml));
  std::vector<Problem> problems;
  auto root = read_template(document, find_rule("action"), {std::string(source), true, text}, problems);
  TRY_OK(all_of(problems));
  auto action = Converter(std::string(source), problems).action(root);
  TRY_OK(all_of(problems));
  return action;
}

}  // namespace slipway::ci
