#pragma once
// From a workflow and an event to the neutral job graph that the runner executes. Other pipeline languages become
// further ways to make a Plan.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ci/workflow.h"
#include "path/types.h"

namespace slipway::ci {

// What happened, in the terms of the github context.
struct Event {
  std::string name = "push";  // push, pull_request, workflow_dispatch, schedule, workflow_call ...
  std::string action;         // opened, synchronize
  std::string repository = "local/local", owner = "local";
  std::string ref = "refs/heads/main", sha, before, base_ref, head_ref, base_sha, default_branch = "main";
  std::string actor = "slipway", subject;
  int number = 0;  // of the pull request
  bool trusted = true;
  std::vector<std::string> paths;
  doc::Value payload;  // github.event; filled from the rest when null
  doc::Value inputs;   // workflow_dispatch, workflow_call: typed
};
struct EventOptions {
  std::string owner = "local", default_branch = "main";
};
Event event_from(const path::Change& change, const EventOptions& options = {});
doc::Value payload_of(const Event& event);  // as the forge would send it, from the rest

// The inputs of workflow_dispatch or workflow_call from what a person gave: typed, defaults filled in. Errors: invalid
// (unknown or missing input, not one of the options, no boolean or number).
Result<doc::Value> typed_inputs(const Workflow& workflow, std::string_view event,
                                const std::map<std::string, std::string>& given);

// Makes the inputs of a workflow_dispatch typed and whole, as the workflow declares them. Errors: as typed_inputs.
Result<> type_inputs(const Workflow& workflow, Event& event);

// Whether the event starts the workflow: event name, types, branches, tags and paths.
// Rule: "Triggering a workflow", "Filter pattern cheat sheet".
bool triggers(const Workflow& workflow, const path::Change& change);
bool triggers(const Workflow& workflow, const Event& event);
// `*` stops at "/", `**` does not, `?` and `+` repeat the character before, [a-z], `\`. Lists: `!` takes back what an
// earlier pattern took, the last match decides.
bool matches_pattern(std::string_view pattern, std::string_view text);
bool matches_patterns(const std::vector<std::string>& patterns, std::string_view text);
// Commit messages that ask for no run: [skip ci] and the like.
bool asks_to_skip(std::string_view message);

// One row of a matrix; a job without one has a single row.
struct Leg {
  std::string suffix;  // "ubuntu, 20": for the display name
  Data matrix;         // null without a matrix
};
// Errors: invalid (unknown key in exclude, no rows left, more than 256).
Result<std::vector<Leg>> expand_matrix(const Data& matrix);

// How often a job that failed is run again. Empty lists: whatever the reason.
struct Retry {
  int times = 0;
  std::vector<std::string> when;  // always, script_failure, job_execution_timeout, runner_system_failure ...
  std::vector<int> codes;         // exit codes
};

struct Plan;
struct PlanJob {
  std::string id, name;                       // the definition's
  const JobDefinition* definition = nullptr;  // in Plan::workflow
  std::vector<std::string> needs;
  bool waits_for_values = false;  // the matrix depends on what other jobs give: expanded when it runs
  std::vector<Leg> legs;
  bool fail_fast = true;
  int max_parallel = 0;                // 0: no limit
  std::shared_ptr<const Plan> called;  // a reusable workflow of the same tree
  // What GitHub's language cannot say.
  std::string when;     // for people, where the condition was not written as one: on_success, on_failure ...
  bool manual = false;  // starts only when it is named (RunnerOptions::only_jobs), is skipped otherwise
  std::vector<int> tolerated_codes;  // a failure with one of these exit codes is no failure of the run
  Retry retry;
  std::string coverage;  // /pattern/ of a line of its log that tells a percentage
  Millis delay{0};       // from when it could start until it does
};
struct Plan {
  std::shared_ptr<const Workflow> workflow;
  Event event;
  std::vector<PlanJob> jobs;  // every job after those it needs
  std::string print() const;  // a line a job, indented by depth of the graph
  doc::Value to_doc() const;
};
// The run's own `concurrency:`; nothing when it has none. Who keeps the queue is the engine.
struct Concurrency {
  std::string group;
  bool cancel_in_progress = false, keep_all = false;  // keep_all: queue: max
};
Result<std::optional<Concurrency>> concurrency_of(const Plan& plan);
// Reads another file of the same tree: local reusable workflows. Nothing: no such file.
using FileReader = std::function<Result<std::optional<std::string>>(const std::string& path)>;
// The tree that a pipeline file is part of. `files`: all its paths; asked only when needed.
struct SourceTree {
  FileReader read;
  std::function<Result<std::vector<std::string>>()> files;
  // A file of another repository at a ref ("": its default branch; "~latest", "1.2": the newest such version), from the
  // places that this house knows. repository "": `path` is an URL of which a place has a copy. Nothing: no such file.
  std::function<Result<std::optional<std::string>>(const std::string& repository, const std::string& ref,
                                                   const std::string& path)>
      other;
};
// Errors: invalid with file:line:col; not_found for a called workflow that is not there or not of this tree.
Result<Plan> make_plan(Workflow workflow, const Event& event, const FileReader& read = {});

}  // namespace slipway::ci
