#pragma once
// What the passes of the workflow linter share: the nodes read, the facts gathered, the findings made. Private to ci.
#include <functional>
#include <set>

#include "base/text.h"
#include "ci/detail/lint_nodes.h"
#include "ci/detail/lint_types.h"
#include "ci/detail/rules.h"
#include "ci/lint.h"

namespace slipway::ci {

struct Spot {
  int line = 0, column = 0;
};
inline Spot spot(const YamlNode& node) { return {node.line, node.column}; }

// Where an expression may stand and what it has to give.
struct Use {
  enum class Want : std::uint8_t { text, any, boolean, number, object, list, labels, condition };
  const YamlNode* node = nullptr;
  std::string_view place;  // a set of contexts (grammar/rules.cpp); "": none at all
  Want want = Want::text;
  std::string what;         // "env"
  int job = -1, step = -1;  // the scope
  int input = -1;           // a default of workflow_call: inputs before this one are known
  bool script = false;      // what is put in is run
};

struct StepFacts {
  const YamlNode *id = nullptr, *uses = nullptr, *run = nullptr, *shell = nullptr;
  std::vector<std::pair<const YamlNode*, const YamlNode*>> with;  // key, value
  const YamlNode* node = nullptr;
};
struct JobFacts {
  std::string id;
  const YamlNode* key = nullptr;
  const YamlNode* body = nullptr;
  std::vector<const YamlNode*> needs;
  std::vector<std::string> outputs;
  const YamlNode *uses = nullptr, *runs_on = nullptr, *matrix = nullptr, *shell = nullptr;
  std::vector<std::pair<const YamlNode*, const YamlNode*>> with, secrets;
  bool inherit_secrets = false;
  std::vector<StepFacts> steps;
  std::map<std::string, TypePtr> services;  // ids
};
struct InputFacts {
  std::string name;
  std::string type;  // "": not said
  const YamlNode *key = nullptr, *type_node = nullptr, *fallback = nullptr;
  bool required = false;
};
struct EventFacts {
  std::string name;
  const YamlNode* key = nullptr;
  // Filters and types, as given: key, value.
  std::vector<std::pair<const YamlNode*, const YamlNode*>> settings;
};
struct Facts {
  std::vector<EventFacts> events;
  std::vector<InputFacts> call_inputs, dispatch_inputs;
  bool called = false, dispatched = false, secrets_given = false;
  std::vector<std::string> call_secrets, call_outputs;
  std::vector<JobFacts> jobs;
  const YamlNode* shell = nullptr;  // defaults.run.shell of the file
  std::vector<Use> uses;
};

// One file being linted.
struct Lint {
  std::string_view text;
  const LintOptions& options;
  YamlTree tree;
  Facts facts;
  std::vector<path::Finding> findings;

  void add(std::string_view rule, Spot at, std::string message);
  void add(std::string_view rule, const YamlNode& node, std::string message) {
    add(rule, spot(node), std::move(message));
  }
};

// The passes, in order.
void lint_structure(Lint& lint);    // keys, values, what stands where; gathers the facts
void lint_events(Lint& lint);       // events, filters, schedules, inputs
void lint_graph(Lint& lint);        // ids and needs
void lint_expressions(Lint& lint);  // syntax, types, contexts, untrusted input, conditions
void lint_matrices(Lint& lint);     // values twice, exclusions of nothing
void lint_runners(Lint& lint);      // labels, shells
void lint_actions(Lint& lint);      // references, inputs, metadata of local ones
void lint_calls(Lint& lint);        // reusable workflows
void lint_scripts(Lint& lint);      // deprecated commands

// graph.cpp, matrices.cpp, actions.cpp, calls.cpp: what other passes ask.
TypePtr matrix_type(Lint& lint, const JobFacts& job, const std::function<TypePtr(const YamlNode&)>& evaluate);
std::string check_identifier(std::string_view id);  // "": fine
// The outputs of a step or of a called workflow; an open object where they are not known.
TypePtr action_outputs(Lint& lint, const StepFacts& step);
TypePtr call_outputs(Lint& lint, const JobFacts& job);
// A file below the root, or nothing.
std::optional<std::string> file_below(const Lint& lint, std::string_view reference);
bool is_below(const Lint& lint, std::string_view reference);

struct ActionInput {
  std::string name;
  bool required = false, deprecated = false;
};
struct ActionFacts {
  std::string name;  // for people
  std::vector<ActionInput> inputs;
  std::vector<std::string> outputs;
  bool any_input = false, any_output = false, docker = false;
};
const ActionFacts* known_action(std::string_view uses);
std::string_view outdated_action(std::string_view uses);  // why, "" when it is not

struct CallFacts {
  std::vector<InputFacts> inputs;
  std::vector<std::pair<std::string, bool>> secrets;  // name, required
  std::vector<std::string> outputs;
};

void check_reference_glob(Lint& lint, const YamlNode& node);
void check_path_glob(Lint& lint, const YamlNode& node);
bool holds_expression(std::string_view text);
// The whole text is one expression.
bool is_one_expression(std::string_view text);

}  // namespace slipway::ci
