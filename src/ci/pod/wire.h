#pragma once
// What a house and the agent in a Pod say to each other: the description of a job, and what happens in it, a line an
// event. Private to ci.
#include <map>
#include <string>
#include <vector>

#include "ci/runner.h"

namespace slipway::ci {

// All an agent needs to make the same plan and run one job of it.
struct JobDescription {
  Event event;
  std::string file;                          // the pipeline file that was started
  std::map<std::string, std::string> files;  // it, and what it names
  std::vector<std::string> paths;            // of the tree, when planning asked for them
  std::vector<std::string> job;              // ids from the started workflow down: "deploy", "apply"
  std::string key, commit;
  Leg leg;
  std::size_t index = 0, total = 1;
  bool fail_fast = true;
  int max_parallel = 0;
  Data needs, inputs;
  std::map<std::string, std::string> secrets, vars;
  bool may_identify = false;
  std::string run_id, server_url, registry_host;
  std::vector<std::string> registry_names;
  std::int64_t run_number = 1, attempt = 1;
  Millis timeout{0}, grace{0};
  std::uint64_t max_log = 0;
  // What the house can do for it.
  bool caches = false, builder = false, scanner = false, previewer = false, service = false, actions = false;
};
std::string print(const JobDescription& job);  // JSON
Result<JobDescription> parse_description(std::string_view json);

// The started workflow's plan, and the one within it that the job is of.
struct PlannedJob {
  const Plan* plan = nullptr;
  const PlanJob* job = nullptr;
};
Result<PlannedJob> find_planned(const Plan& root, const std::vector<std::string>& ids);
// The ids that lead from the root to a job of `plan`. Empty: it is not below it.
std::vector<std::string> path_to(const Plan& root, const Plan& plan, const std::string& job);

// One thing that happened in a job.
struct JobEvent {
  enum class What : std::uint8_t { log, step_started, step_finished, annotation, tests, ended } what = What::log;
  std::int64_t number = 0;  // from 1, without gaps
  std::string step, text;   // log: the line; step_started: its name
  int stream = 1;
  std::chrono::system_clock::time_point time;
  JobResult result;  // ended; step_finished and annotation: with that one in it
  path::Spans spans;
  TestReport report;
};
std::string print(const JobEvent& event);  // one line of JSON
Result<JobEvent> parse_event(std::string_view line);

}  // namespace slipway::ci
