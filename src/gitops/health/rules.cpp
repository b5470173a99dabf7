#include "gitops/health/rules.h"

#include "base/text.h"
#include "gitops/health/functions.h"
#include "gitops/rules/book.h"
#include "gitops/rules/terms.h"

namespace slipway::gitops::health {
namespace {

struct Rule {
  Health health = Health::unknown;
  Check check = nullptr;
  std::vector<rules::Term> wants;
  std::string_view message;
  bool about_deletion = false;
};

struct Program {
  std::string_view conditions = ".status.conditions";
  std::vector<Rule> rules;
  std::vector<std::string> problems;
};

// "Healthy Ready=True & !stale : {Ready}"
void read_rule(const rules::Line& line, Program& program) {
  auto wrong = [&](std::string_view what) {
    program.problems.push_back(fmt::format("line {}: {}", line.number, what));
  };
  auto space = std::min(line.text.find(' '), line.text.size());
  auto word = line.text.substr(0, space), rest = trim(line.text.substr(space));
  Rule rule;
  if (word == "Conditions") {
    program.conditions = rest;
    return;
  }
  if (word == "Use") {
    rule.check = find_check(rest);
    if (rule.check == nullptr) wrong(fmt::format("there is no check {}", rest));
    program.rules.push_back(std::move(rule));
    return;
  }
  auto health = parse_health(word);
  if (!health) return wrong(fmt::format("{} is no health", word));
  rule.health = *health;
  auto colon = rest.starts_with(": ") ? 0 : rest.find(" : ");
  if (colon != rest.npos) rule.message = rest.substr(colon + (colon == 0 ? 2 : 3));
  if (auto problem = problem_of({rule.message, program.conditions}); !problem.empty()) wrong(problem);
  std::vector<std::string> problems;
  rule.wants = rules::read_terms(rest.substr(0, colon), program.conditions, problems);
  for (const auto& problem : problems) wrong(problem);
  for (const auto& term : rule.wants) rule.about_deletion |= term.what == rules::Term::What::deleting;
  program.rules.push_back(std::move(rule));
}

Program read_block(const rules::Block& block) {
  Program program;
  for (const auto& line : block.lines()) read_rule(line, program);
  bool ends = !program.rules.empty() && program.rules.back().check == nullptr && program.rules.back().wants.empty();
  if (!ends) program.problems.push_back(fmt::format("line {}: the last rule has to fit always", block.line));
  return program;
}

std::optional<HealthStatus> run(const Program& program, const doc::Value& object, bool about_deletion) {
  for (const auto& rule : program.rules) {
    if (about_deletion && !rule.about_deletion) continue;
    if (rule.check != nullptr) {
      if (auto verdict = rule.check(object)) return verdict;
    } else if (rules::hold(rule.wants, object)) {
      return HealthStatus{rule.health, render({rule.message, program.conditions}, object)};
    }
  }
  return std::nullopt;
}

std::optional<HealthStatus> look(const kube::Object& object, bool about_deletion) {
  static const rules::Book book(written_rules());
  static const rules::Programs<Program> programs(book.blocks().size());
  auto type = object.type();
  const auto* block = book.find(type.group(), type.kind);
  if (block == nullptr) return std::nullopt;
  return run(programs.of(*block, read_block), object.value(), about_deletion);
}

}  // namespace

std::optional<HealthStatus> by_rules(const kube::Object& object) { return look(object, false); }

std::optional<HealthStatus> deletion_by_rules(const kube::Object& object) { return look(object, true); }

std::vector<std::string> problems_of(std::string_view text) { return rules::problems_in(text, read_block); }

}  // namespace slipway::gitops::health
