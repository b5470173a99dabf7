#include "ci/detail/lint.h"

namespace slipway::ci {

TypePtr type_in_job(Lint& lint, int job, const YamlNode& node);

namespace {

using Sort = YamlNode::Sort;

struct Called {
  CallFacts facts;
  std::string problem;  // why it cannot be called
};

std::string problem_of_sections(const YamlNode& call) {
  for (auto* name : {"inputs", "secrets", "outputs"})
    if (auto* section = YamlTree::find(call, name);
        section != nullptr && !section->is(Sort::map) && !section->is_null())
      return fmt::format("'{}' of its workflow_call is no mapping", name);
  return {};
}

void read_call(const YamlNode& call, CallFacts& out) {
  auto each = [&](std::string_view section, auto take) {
    auto* map = YamlTree::find(call, section);
    for (std::size_t i = 0; map != nullptr && map->is(Sort::map) && i + 1 < map->items.size(); i += 2)
      take(YamlTree::real(*map->items[i]).text, YamlTree::real(*map->items[i + 1]));
  };
  auto says = [](const YamlNode& body, std::string_view key, std::string_view text) {
    auto* node = YamlTree::find(body, key);
    return node != nullptr && node->text == text;
  };
  each("inputs", [&](const std::string& name, const YamlNode& body) {
    InputFacts input;
    input.name = name;
    if (auto* type = YamlTree::find(body, "type")) input.type = type->text;
    input.fallback = YamlTree::find(body, "default");
    input.required = says(body, "required", "true") && input.fallback == nullptr;
    input.fallback = nullptr;  // belongs to the tree, which goes
    out.inputs.push_back(std::move(input));
  });
  each("secrets", [&](const std::string& name, const YamlNode& body) {
    out.secrets.emplace_back(name, says(body, "required", "true"));
  });
  each("outputs", [&](const std::string& name, const YamlNode&) { out.outputs.push_back(name); });
}

Called read_called(const Lint& lint, std::string_view reference) {
  Called out;
  auto text = file_below(lint, reference);
  if (!text) {
    out.problem = "the file is not there";
    return out;
  }
  auto tree = read_nodes(*text);
  if (tree.root == nullptr) {
    out.problem = fmt::format("the file is no YAML: {}", tree.broken);
    return out;
  }
  auto* on = YamlTree::find(*tree.root, "on");
  if (on == nullptr) {
    out.problem = "it has no 'on'";
    return out;
  }
  bool named = on->text == "workflow_call" || YamlTree::find(*on, "workflow_call") != nullptr;
  if (on->is(Sort::list))
    for (auto* item : on->items) named = named || YamlTree::real(*item).text == "workflow_call";
  if (!named)
    out.problem = "workflow_call is not among its events";
  else if (auto* call = YamlTree::find(*on, "workflow_call")) {
    out.problem = problem_of_sections(*call);
    if (out.problem.empty()) read_call(*call, out.facts);
  }
  return out;
}

// owner/repository/path@ref, or ./path without a ref.
bool well_formed(std::string_view uses) {
  if (holds_expression(uses)) return true;
  if (uses.starts_with("./") || uses.starts_with("$/")) return !uses.contains('@');
  auto at = uses.find('@');
  if (at == uses.npos || at + 1 == uses.size()) return false;
  auto words = split(uses.substr(0, at), '/');
  return words.size() >= 3 && std::none_of(words.begin(), words.end(), [](auto w) { return w.empty(); });
}

TypePtr given_type(Lint& lint, int job, const YamlNode& value) {
  if (holds_expression(value.text)) return type_in_job(lint, job, value);
  if (value.tag == "!!bool") return boolean_type();
  if (value.tag == "!!int" || value.tag == "!!float") return number_type();
  return value.tag == "!!null" && !value.text.empty() ? null_type() : text_type();
}

bool accepts(std::string_view type, const Type& given) {
  if (given.is(Type::Sort::any) || type == "boolean" || type.empty()) return true;
  if (type == "number") return given.is(Type::Sort::number);
  return given.is(Type::Sort::string) || given.is(Type::Sort::number);
}

class Calls {
 public:
  Calls(Lint& lint, const JobFacts& job, int index) : lint_(lint), job_(job), index_(index) {}

  void check() {
    auto& uses = *job_.uses;
    if (uses.text.empty()) return;
    if (!well_formed(uses.text))
      return lint_.add("workflow-call", uses,
                       fmt::format("'{}' names no workflow: owner/repository/path.yml@ref or ./path.yml", uses.text));
    if (!uses.text.starts_with("./") || lint_.options.root.empty()) return;
    auto called = read_called(lint_, uses.text);
    if (!called.problem.empty())
      return lint_.add("workflow-call", uses,
                       fmt::format("workflow '{}' cannot be called: {}", uses.text, called.problem));
    inputs(called.facts);
    if (!job_.inherit_secrets) secrets(called.facts);
  }

 private:
  void inputs(const CallFacts& facts) {
    for (auto& input : facts.inputs)
      if (input.required && !given(job_.with, input.name))
        lint_.add("workflow-call", *job_.uses,
                  fmt::format("input '{}' of '{}' is required", input.name, job_.uses->text));
    for (auto& [key, value] : job_.with) {
      auto found =
          std::find_if(facts.inputs.begin(), facts.inputs.end(), [&](auto& i) { return iequals(i.name, key->text); });
      if (found == facts.inputs.end()) {
        lint_.add("workflow-call", *key, fmt::format("'{}' has no input '{}'", job_.uses->text, key->text));
      } else if (auto type = given_type(lint_, index_, *value); !accepts(found->type, *type)) {
        lint_.add("expression", *value,
                  fmt::format("input '{}' of '{}' is a {}, this is {}", found->name, job_.uses->text, found->type,
                              type->print()));
      }
    }
  }
  void secrets(const CallFacts& facts) {
    for (auto& [name, required] : facts.secrets)
      if (required && !given(job_.secrets, name))
        lint_.add("workflow-call", *job_.uses, fmt::format("secret '{}' of '{}' is required", name, job_.uses->text));
    for (auto& [key, value] : job_.secrets) {
      bool known =
          std::any_of(facts.secrets.begin(), facts.secrets.end(), [&](auto& s) { return iequals(s.first, key->text); });
      if (!known) lint_.add("workflow-call", *key, fmt::format("'{}' has no secret '{}'", job_.uses->text, key->text));
    }
  }
  static bool given(const std::vector<std::pair<const YamlNode*, const YamlNode*>>& list, std::string_view name) {
    return std::any_of(list.begin(), list.end(), [&](auto& one) { return iequals(one.first->text, name); });
  }

  Lint& lint_;
  const JobFacts& job_;
  int index_;
};

}  // namespace

void lint_calls(Lint& lint) {
  for (std::size_t i = 0; i < lint.facts.jobs.size(); ++i)
    if (lint.facts.jobs[i].uses != nullptr) Calls(lint, lint.facts.jobs[i], static_cast<int>(i)).check();
}

TypePtr call_outputs(Lint& lint, const JobFacts& job) {
  if (!job.uses->text.starts_with("./") || lint.options.root.empty()) return open_object(any_type());
  auto called = read_called(lint, job.uses->text);
  if (!called.problem.empty()) return open_object(any_type());
  Members members;
  for (auto& name : called.facts.outputs) members[lower(name)] = text_type();
  return closed_object(std::move(members));
}

}  // namespace slipway::ci
