#pragma once
// A workflow file as a typed value. Rule: GitHub Actions' "Workflow syntax", as its official parser reads it.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ci/expression.h"
#include "doc/value.h"
#include "path/types.h"

namespace slipway::ci {

// A value that may hold expressions. "a ${{ b }}" is read as the expression format('a {0}', b).
struct Template {
  enum class Sort : std::uint8_t { null, boolean, number, string, expression, insert, list, map };
  Sort sort = Sort::null;
  bool boolean = false;
  double number = 0;
  std::string text;  // string; the expression's text
  Expression expression;
  std::vector<Template> items;
  struct Entry;
  std::vector<Entry> entries;  // of a map, keys as written
  doc::Mark mark;

  bool is(Sort s) const { return sort == s; }
  bool is_expression() const { return sort == Sort::expression || sort == Sort::insert; }
  const Template* find(std::string_view key) const;  // in a map, ignoring case
  std::string literal_text() const;                  // scalars as text; "" for the rest
  // The text as it stood in the file: one that holds expressions was made a format() of its parts.
  std::string as_written() const;
  // The value with its expressions evaluated; an evaluation's error names `source`:line:col.
  Result<Data> evaluate(const Scope& scope, std::string_view source) const;
  Result<std::string> evaluate_text(const Scope& scope, std::string_view source) const;
};
struct Template::Entry {
  Template key, value;
};

// What is wrong with a file.
struct Problem {
  path::Place place;
  std::string message;
  std::string hint;  // "did you mean 'runs-on'?"
  std::string print() const;
};

struct Filter {
  std::optional<std::vector<std::string>> only, ignore;
};
struct Input {
  std::string name, type = "string", description;  // string boolean number choice environment
  bool required = false;
  Template fallback;
  std::vector<std::string> options;
  doc::Mark mark;
};
struct Trigger {
  std::string event;
  std::vector<std::string> types, workflows;
  Filter branches, tags, paths;
  std::vector<std::pair<std::string, std::string>> crons;  // expression, time zone
  std::vector<Input> inputs;                               // workflow_dispatch, workflow_call
  std::vector<std::pair<std::string, bool>> secrets;       // workflow_call: name, required
  std::vector<std::pair<std::string, Template>> outputs;   // workflow_call
  bool input_given = false, secrets_given = false;
  Template raw;  // the mapping as written
};

struct Workflow;
struct Condition {
  std::string text = "success()";  // with success() && (...) around it where no status function is called
  std::optional<Expression> expression;
  doc::Mark mark;
};
struct Step {
  std::string id;
  bool id_given = false;
  std::optional<Template> name, run, uses, with, env, shell, working_directory, continue_on_error, timeout_minutes;
  Condition condition;
  std::optional<bool> background;
  std::vector<std::string> wait;
  bool wait_all = false;
  std::string cancel;
  std::vector<Step> parallel;
  doc::Mark mark;
};
using Permissions = std::map<std::string, std::string>;
struct JobDefinition {
  std::string id;
  std::optional<Template> name, runs_on, strategy, env, environment, concurrency, container, services, outputs,
      defaults, timeout_minutes, cancel_timeout_minutes, continue_on_error, snapshot;
  std::vector<Template> needs;  // strings
  Condition condition;
  std::optional<Permissions> permissions;
  std::vector<Step> steps;
  // A call of another workflow.
  std::optional<Template> uses, with, secrets;
  bool inherit_secrets = false;
  std::shared_ptr<const Workflow> called;  // link_calls
  doc::Mark mark;
};
struct Workflow {
  std::string source;
  std::optional<Template> name, run_name, env, defaults, concurrency;
  std::optional<Permissions> permissions;
  std::vector<Trigger> triggers;
  std::vector<JobDefinition> jobs;
  const Trigger* trigger(std::string_view event) const;
  const JobDefinition* job(std::string_view id) const;
};

struct ReadOptions {
  std::string source = "<workflow>";
  bool strict_events = true;     // false: unknown events and keys pass (a workflow that is only called)
  bool background_steps = true;  // background:, wait:, wait-all:, cancel:
  std::size_t max_depth = 50;
  std::size_t max_bytes = 1 << 20;
  std::size_t max_result = 10'000'000;  // what the values take in memory, as GitHub counts it
};
struct Reading {
  Workflow workflow;
  std::vector<Problem> problems;  // empty: the file is valid
  std::size_t size = 0;           // of its values, as ReadOptions::max_result counts
};
// All problems at once; never fails otherwise. Threads: any.
Reading read_workflow(std::string_view text, const ReadOptions& options = {});
// The same as one Result. Errors: invalid, one problem a line.
Result<Workflow> parse_workflow(std::string_view text, std::string_view source);

// Gives the text of "./.github/workflows/x.yml" or "owner/repository/x.yml@ref"; nothing: there is none.
using WorkflowReader = std::function<Result<std::optional<std::string>>(const std::string& reference)>;
struct CallOptions {
  std::optional<Permissions> granted;  // where a workflow says nothing of permissions; nothing: no limit
  int max_depth = 9;                   // levels of workflows calling workflows below the first
  std::size_t max_jobs = 0;            // of all workflows together; 0: no limit
  std::size_t size = 0;                // of the first workflow: Reading::size
  ReadOptions reading;
};
// Reads the workflows that jobs call, and those they call, into JobDefinition::called. Problems: a workflow that is not
// there or cannot be called, its own problems, inputs and secrets that do not fit, permissions the caller has not got.
std::vector<Problem> link_calls(Workflow& workflow, const WorkflowReader& read, const CallOptions& options = {});
// The same checks for one call; `granted`: what the calling job may give on.
std::vector<Problem> check_call(const std::string& source, const JobDefinition& job, const Workflow& called,
                                const std::optional<Permissions>& granted);

// action.yml: what an action takes, gives and runs.
struct Action {
  std::string source, name;
  std::string using_;  // composite, docker, node12 ... node24
  std::vector<Input> inputs;
  std::vector<std::pair<std::string, Template>> outputs;
  std::vector<Step> steps;      // composite
  std::string main, pre, post;  // node
  Condition pre_if{.text = "always()"}, post_if{.text = "always()"};
  std::string image, entrypoint, pre_entrypoint, post_entrypoint;  // docker
  std::vector<Template> args;
  Template env;
};
Result<Action> parse_action(std::string_view text, std::string_view source);

// What an expression of unknown place may name: every context and function of the language.
const Vocabulary& full_vocabulary();

}  // namespace slipway::ci
