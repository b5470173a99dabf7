#include "ci/detail/lint.h"
#include "ci/detail/node.h"
#include "doc/json.h"

namespace slipway::ci {

TypePtr check_expression(Lint& lint, const Use& use, const Node& root, const std::function<Spot(std::size_t)>& at,
                         const std::function<TypePtr(std::string_view)>& context);
void check_untrusted(Lint& lint, const Node& root, const std::function<Spot(std::size_t)>& at);
bool is_constant(const Node& node);

namespace {

using Sort = Type::Sort;
using Want = Use::Want;

const Vocabulary& anything() {
  static const Vocabulary words = [] {
    Vocabulary v;
    v.any_name = true;
    return v;
  }();
  return words;
}

bool closes(std::string_view text, std::size_t from, std::size_t& end) {
  bool quoted = false;
  for (end = from; end + 1 < text.size(); ++end) {
    if (text[end] == '\'')
      quoted = !quoted;
    else if (!quoted && text[end] == '}' && text[end + 1] == '}')
      return true;
  }
  return false;
}

TypePtr typed(std::string_view name) {
  return name == "boolean"  ? boolean_type()
         : name == "number" ? number_type()
         : name.empty()     ? any_type()
                            : text_type();
}

class Expressions {
 public:
  explicit Expressions(Lint& lint) : lint_(lint) {}

  void run() {
    for (std::size_t i = 0; i < lint_.facts.uses.size(); ++i) {
      auto use = lint_.facts.uses[i];
      if (use.want == Want::condition)
        condition(use);
      else
        value(use);
    }
  }

  // The type of a value: of its one expression, or text.
  TypePtr type_at(const YamlNode& node, const Use& scope) {
    if (!holds_expression(node.text)) return text_type();
    if (!is_one_expression(node.text)) return text_type();
    auto start = node.text.find("${{") + 3;
    std::size_t end = 0, where = 0;
    if (!closes(node.text, start, end)) return any_type();
    auto root = parse_node(trim(std::string_view(node.text).substr(start, end - start)), anything(), where);
    if (!root) return any_type();
    Lint quiet{lint_.text, lint_.options, {}, {}, {}};  // what is wrong with it is said where it is checked
    Use any = scope;
    any.place = "IFS";
    return check_expression(
        quiet, any, *root, [&](std::size_t) { return spot(node); },
        [&](std::string_view name) { return context(scope, name); });
  }

  TypePtr context(const Use& use, std::string_view given) {
    auto name = lower(given);
    if (name == "inputs") return inputs(use.input);
    if (name == "secrets") return secrets();
    if (name == "github") return github();
    if (name == "jobs") return jobs();
    if (use.job >= 0) {
      auto& job = lint_.facts.jobs[static_cast<std::size_t>(use.job)];
      if (name == "matrix") return matrix(use, job);
      if (name == "needs") return needs(job);
      if (name == "steps") return steps(use, job);
      if (name == "job" && !job.services.empty()) return with_services(job);
    }
    return context_type(name);
  }

 private:
  // Where a character of an expression stands in the file. Quoted and block text is looked up as it was written.
  std::function<Spot(std::size_t)> place_of(const YamlNode& node, std::size_t nth, std::size_t offset) {
    Spot start{node.line, node.column + static_cast<int>(offset) + (node.quoted ? 1 : 0)};
    if (node.block) {
      auto from = node.begin;
      for (std::size_t i = 0; i <= nth && from != std::string_view::npos; ++i)
        from = lint_.text.find("${{", i == 0 ? from : from + 3);
      if (from != std::string_view::npos) return from_byte(from, node.text.substr(offset));
    }
    return [start](std::size_t position) { return Spot{start.line, start.column + static_cast<int>(position)}; };
  }
  std::function<Spot(std::size_t)> from_byte(std::size_t byte, std::string_view value) {
    auto line =
        static_cast<int>(std::count(lint_.text.begin(), lint_.text.begin() + static_cast<std::ptrdiff_t>(byte), '\n')) +
        1;
    auto begin = byte == 0 ? std::string_view::npos : lint_.text.rfind('\n', byte - 1);
    auto column = static_cast<int>(byte - (begin == std::string_view::npos ? 0 : begin + 1)) + 1;
    auto indent = static_cast<int>(
        begin == std::string_view::npos ? 0 : lint_.text.find_first_not_of(' ', begin + 1) - begin - 1);
    return [line, column, indent, text = std::string(value)](std::size_t position) {
      auto before = std::string_view(text).substr(0, std::min(position, text.size()));
      auto breaks = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
      if (breaks == 0) return Spot{line, column + static_cast<int>(position)};
      return Spot{line + breaks, indent + static_cast<int>(before.size() - before.rfind('\n'))};
    };
  }

  // Checks "${{ ... }}" after "${{": gives its type, and where it ends.
  TypePtr one(const Use& use, std::string_view inner, const std::function<Spot(std::size_t)>& at) {
    auto blanks = inner.find_first_not_of(" \t\r\n");
    auto skip = blanks == std::string_view::npos ? inner.size() : blanks;
    auto in = [&](std::size_t position) { return at(skip + position - 1); };
    auto text = trim(inner);
    if (text == "insert") return any_type();
    std::size_t where = 1;
    auto root = text.empty() ? fail(Kind::invalid, "an expression is missing between the braces")
                             : parse_node(text, anything(), where);
    if (!root) {
      std::string_view what = root.error().what();
      bool ended = where > text.size();
      lint_.add("expression", ended ? at(inner.size()) : in(where),
                std::string(what.substr(0, what.find(". Located"))));
      return nullptr;
    }
    auto type = check_expression(lint_, use, *root, in, [&](std::string_view name) { return context(use, name); });
    if (use.script) check_untrusted(lint_, *root, in);
    return type;
  }

  void value(const Use& use) {
    auto& node = *use.node;
    std::string_view text = node.text;
    bool whole = is_one_expression(text);
    std::size_t nth = 0;
    for (auto start = text.find("${{"); start != text.npos; start = text.find("${{", start), ++nth) {
      auto at = place_of(node, nth, start);
      std::size_t end = 0;
      if (!closes(text, start + 3, end)) {
        lint_.add("expression", at(text.size() - start), "the expression has no closing }}");
        return;
      }
      auto before = lint_.findings.size();
      auto type = one(use, text.substr(start + 3, end - start - 3), [&](std::size_t n) { return at(n + 3); });
      if (type && lint_.findings.size() == before) fits(use, *type, whole, at(0));
      start = end + 2;
    }
  }

  void fits(const Use& use, const Type& type, bool whole, Spot at) {
    if (type.is(Sort::any) || use.want == Want::any) return;
    auto wrong = [&](std::string_view want) {
      lint_.add("expression", *use.node, fmt::format("{} must be {}, this gives {}", use.what, want, type.print()));
    };
    if (!whole || use.want == Want::text) {
      if (!type.is_scalar())
        lint_.add("expression", at,
                  fmt::format("a value of type {} makes no text: use toJSON() or a member of it", type.print()));
    } else if (use.want == Want::boolean && !type.is(Sort::boolean)) {
      wrong("true or false");
    } else if (use.want == Want::number && !type.is(Sort::number)) {
      wrong("a number");
    } else if (use.want == Want::object && !type.is(Sort::object)) {
      wrong("an object");
    } else if (use.want == Want::list && !type.is(Sort::array)) {
      wrong("a list");
    } else if (use.want == Want::labels && !type.is(Sort::string) && !type.is(Sort::array)) {
      wrong("a text or a list");
    }
  }

  void condition(const Use& use) {
    auto& node = *use.node;
    std::string_view text = node.text;
    if (text.contains("${{")) {
      value_of_condition(use, text);
      return;
    }
    auto at = place_of(node, 0, 0);
    if (node.block) {
      auto from = lint_.text.find(trim(text).substr(0, trim(text).find('\n')), node.begin);
      if (from != std::string_view::npos) at = from_byte(from, text);
    }
    one(use, text, at);
    constant(node, trim(text));
  }

  void value_of_condition(const Use& use, std::string_view text) {
    auto inner = use;
    inner.want = Want::any;
    value(inner);
    if (!is_one_expression(text) || text != trim(text)) {
      lint_.add("if-cond", *use.node, "this is always true: there is text around the ${{ }}, and a text is true");
      return;
    }
    constant(*use.node, trim(text.substr(3, text.size() - 5)));
  }

  void constant(const YamlNode& node, std::string_view text) {
    std::size_t where = 0;
    auto root = parse_node(text, anything(), where);
    if (root && is_constant(*root)) lint_.add("if-cond", node, fmt::format("'{}' always says the same", text));
  }

  TypePtr inputs(int before) {
    auto& facts = lint_.facts;
    Members members;
    auto n =
        before < 0 ? facts.call_inputs.size() : std::min(facts.call_inputs.size(), static_cast<std::size_t>(before));
    for (std::size_t i = 0; i < n; ++i) members[facts.call_inputs[i].name] = typed(facts.call_inputs[i].type);
    if (before < 0)
      for (auto& input : facts.dispatch_inputs) {
        auto type = typed(input.type);
        auto [found, fresh] = members.emplace(input.name, type);
        if (!fresh && found->second->sort != type->sort) found->second = any_type();
      }
    return closed_object(std::move(members));
  }

  TypePtr secrets() {
    if (!lint_.facts.secrets_given) return context_type("secrets");
    Members members;
    for (auto* given : {"github_token", "actions_step_debug", "actions_runner_debug"}) members[given] = text_type();
    for (auto& secret : lint_.facts.call_secrets) members[secret] = text_type();
    return closed_object(std::move(members));
  }

  TypePtr github() {
    auto base = context_type("github");
    if (!lint_.facts.dispatched || lint_.facts.dispatch_inputs.empty()) return base;
    Members members;
    for (auto& input : lint_.facts.dispatch_inputs) members[input.name] = text_type();
    auto event = std::make_shared<Type>(*open_object(any_type()));
    event->members["inputs"] = closed_object(std::move(members));
    auto out = std::make_shared<Type>(*base);
    out->members["event"] = event;
    return out;
  }

  TypePtr with_services(const JobFacts& job) {
    auto out = std::make_shared<Type>(*context_type("job"));
    Members members;
    for (auto& [name, type] : job.services) members[name] = type;
    out->members["services"] = closed_object(std::move(members));
    return out;
  }

  TypePtr outputs_of(const JobFacts& job) {
    if (job.uses != nullptr) return call_outputs(lint_, job);
    Members members;
    for (auto& name : job.outputs) members[name] = text_type();
    return closed_object(std::move(members));
  }

  TypePtr jobs() {
    Members members;
    for (auto& job : lint_.facts.jobs)
      members[job.id] = closed_object({{"outputs", outputs_of(job)}, {"result", text_type()}});
    return closed_object(std::move(members));
  }

  TypePtr needs(const JobFacts& job) {
    Members members;
    for (auto* need : job.needs)
      for (auto& other : lint_.facts.jobs)
        if (other.id == lower(need->text))
          members[other.id] = closed_object({{"outputs", outputs_of(other)}, {"result", text_type()}});
    return closed_object(std::move(members));
  }

  TypePtr steps(const Use& use, const JobFacts& job) {
    auto& known = steps_[{use.job, use.step}];
    if (known) return known;
    Members members;
    auto n = use.step < 0 ? job.steps.size() : static_cast<std::size_t>(use.step);
    for (std::size_t i = 0; i < n && i < job.steps.size(); ++i) {
      auto& step = job.steps[i];
      if (step.id == nullptr) continue;
      if (holds_expression(step.id->text)) return known = open_object(any_type());
      auto outputs = step.uses != nullptr ? action_outputs(lint_, step) : open_object(text_type());
      members[lower(step.id->text)] =
          closed_object({{"outputs", outputs}, {"conclusion", text_type()}, {"outcome", text_type()}});
    }
    return known = closed_object(std::move(members));
  }

  TypePtr matrix(const Use& use, const JobFacts& job) {
    if (making_matrix_) return open_object(any_type());
    auto& known = matrices_[use.job];
    if (known) return known;
    making_matrix_ = true;
    Use scope = use;
    scope.step = -1;
    known = matrix_type(lint_, job, [&](const YamlNode& node) { return type_at(node, scope); });
    making_matrix_ = false;
    return known;
  }

  Lint& lint_;
  std::map<std::pair<int, int>, TypePtr> steps_;
  std::map<int, TypePtr> matrices_;
  bool making_matrix_ = false;
};

}  // namespace

void lint_expressions(Lint& lint) { Expressions(lint).run(); }

TypePtr type_in_job(Lint& lint, int job, const YamlNode& node) {
  Use use;
  use.node = &node, use.job = job;
  return Expressions(lint).type_at(node, use);
}

}  // namespace slipway::ci
