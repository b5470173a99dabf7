#pragma once
// Keeps a run's status up to date while it runs: a job that ended is on disk before the next one starts.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ci/plan.h"
#include "ci/runner.h"
#include "engine/environments.h"

namespace slipway::engine {

path::Phase phase_from(ci::Conclusion conclusion);

// Calls never overlap (ci::Observer).
class RunStatus final : public ci::Observer {
 public:
  RunStatus(const Ctx& ctx, House& house, const kube::Object& run, const path::Change& change, const ci::Plan& plan,
            RunEnvironments& environments);

  void take(const ci::JobResult& result);  // of an earlier life of the run
  void job_started(const std::string& key, const std::string& name) override;
  void job_waits(const std::string& key, const std::string& name, const ci::Waiting& waiting) override;
  void job_finished(const ci::JobResult& result) override;
  void step_started(const std::string& job, const std::string& id, const std::string& name) override;
  void step_finished(const std::string& job, const ci::StepResult& step) override;
  void log(const ci::LogLine& line) override;
  void tells_again(const std::string& job) override;
  void job_placed(const std::string& job) override { on_found(job); }
  void tests(const std::string& job, const ci::TestReport& report) override;

  std::function<void(const std::string& job)> on_found = [](const std::string&) {};  // one that ran on, or is over

  // What the run's test reports counted, and which tests are flaky; null when it read none.
  doc::Value test_summary() const;
  doc::List jobs() const;
  path::Spans commands() const { return commands_; }
  // What the run as a whole waits for; "" when no job waits.
  std::string waits_for() const;

 private:
  void list_jobs(const ci::Plan& plan, const std::string& prefix);
  doc::Value with_needs(const std::string& key, doc::Value job) const;
  void order(const std::string& key);
  doc::Value job_doc(const ci::JobResult& result) const;
  void say(const std::string& job, int stream, std::string_view text);
  void write();

  const Ctx& ctx_;
  House& house_;
  std::string run_;
  path::Change change_;
  std::string workflow_;
  std::int64_t attempt_;
  RunEnvironments& environments_;
  std::map<std::string, doc::List> needs_;  // of job ids
  std::set<std::string> manual_;
  std::map<std::string, doc::Value> jobs_;
  std::map<std::string, std::string> since_;  // when a job could have started, had it not waited for people
  std::map<std::string, int> goes_;           // how often a job was begun in this attempt
  std::vector<std::string> order_;
  path::Spans commands_;
};

}  // namespace slipway::engine
