#include "engine/run_status.h"

#include <algorithm>

#include "base/log.h"
#include "engine/attempts.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/run_logs.h"
#include "engine/test_history.h"

namespace slipway::engine {

path::Phase phase_from(ci::Conclusion conclusion) {
  switch (conclusion) {
    case ci::Conclusion::success:
      return path::Phase::succeeded;
    case ci::Conclusion::failure:
      return path::Phase::failed;
    case ci::Conclusion::cancelled:
      return path::Phase::cancelled;
    case ci::Conclusion::skipped:
      return path::Phase::skipped;
  }
  return path::Phase::failed;
}

RunStatus::RunStatus(const Ctx& ctx, House& house, const kube::Object& run, const path::Change& change,
                     const ci::Plan& plan, RunEnvironments& environments)
    : ctx_(ctx),
      house_(house),
      run_(run.name()),
      change_(change),
      workflow_(run["spec"]["workflow"].text()),
      attempt_(attempt_of(run)),
      environments_(environments) {
  list_jobs(plan, "");
  // What waited goes on waiting, until it is told otherwise.
  for (const auto& job : run["status"]["jobs"].items()) {
    auto key = job["key"].text();
    if (auto since = job["since"].text(); !since.empty()) since_[key] = since;
    if (!job["waiting"].present()) continue;
    order(key);
    jobs_[key] = job.value();
  }
}

void RunStatus::list_jobs(const ci::Plan& plan, const std::string& prefix) {
  for (const auto& job : plan.jobs) {
    auto& needs = needs_[prefix + job.id];
    for (const auto& need : job.needs) needs.emplace_back(prefix + need);
    if (job.manual) manual_.insert(prefix + job.id);
    if (job.called) list_jobs(*job.called, prefix + job.id + " / ");
    bool one = job.legs.size() == 1 && job.legs[0].matrix.is_null();
    // Several jobs have names that come with them; those of a called workflow come with the call.
    if (!prefix.empty() || job.called || job.waits_for_values || !one) continue;
    order(job.id);
    jobs_[job.id] = doc::Map{{"key", job.id}, {"name", job.name}, {"phase", "Pending"}};
  }
}

void RunStatus::take(const ci::JobResult& result) {
  order(result.key);
  jobs_[result.key] = job_doc(result);
}

void RunStatus::job_started(const std::string& key, const std::string& name) {
  order(key);
  ++goes_[key];
  doc::Map job{{"key", key}, {"name", name}, {"phase", "Running"}, {"startedAt", rfc3339_millis(ctx_.clock->wall())}};
  // After a kill it is let in again by the same word.
  if (auto since = since_.find(key); since != since_.end()) job.set("since", since->second);
  jobs_[key] = std::move(job);
  write();
}

void RunStatus::job_waits(const std::string& key, const std::string& name, const ci::Waiting& waiting) {
  order(key);
  since_[key] = rfc3339_micro(waiting.since);
  doc::Map what{{"since", since_[key]}};
  if (!waiting.environment.empty()) what.set("environment", waiting.environment);
  if (!waiting.who.empty()) what.set("who", doc::List(waiting.who.begin(), waiting.who.end()));
  if (waiting.until) what.set("until", rfc3339(*waiting.until));
  if (waiting.by_hand) what.set("byHand", true);
  jobs_[key] = doc::Map{{"key", key},
                        {"name", name},
                        {"phase", waiting.by_hand ? "Manual" : "Waiting"},
                        {"message", waiting.why},
                        {"since", since_[key]},
                        {"waiting", std::move(what)}};
  say(key, 0, waiting.why);
  write();
}

void RunStatus::job_finished(const ci::JobResult& result) {
  order(result.key);
  jobs_[result.key] = job_doc(result);
  environments_.ended(Ctx{}.within(Millis(10000)), result);
  write();
  on_found(result.key);
}

void RunStatus::step_started(const std::string& job, const std::string&, const std::string& name) {
  say(job, 0, "▸ " + name);
}

void RunStatus::step_finished(const std::string& job, const ci::StepResult& step) {
  commands_.insert(commands_.end(), step.commands.begin(), step.commands.end());
  if (step.outcome != ci::Conclusion::success && step.outcome != ci::Conclusion::skipped)
    say(job, 0, fmt::format("step {}: {}", step.name, to_string(step.outcome)));
}

void RunStatus::tells_again(const std::string& job) { house_.run_logs->restart(run_, job); }

void RunStatus::log(const ci::LogLine& line) { say(std::string(line.job), line.stream, line.text); }

void RunStatus::tests(const std::string& job, const ci::TestReport& report) {
  TestOrigin origin{.repository = change_.repository, .run = run_, .job = job, .commit = change_.after};
  origin.tree = change_.tree.empty() ? change_.after : change_.tree;
  origin.attempt = attempt_, origin.go = std::max(goes_[job], 1), origin.at = ctx_.clock->wall();
  if (auto kept = house_.tests->add(origin, report); !kept)
    LOG(warn, "ci.tests_not_kept", {"run", run_}, {"error", kept.error().what()});
}

doc::Value RunStatus::test_summary() const {
  auto summary = house_.tests->of_run(change_.repository, run_, attempt_);
  if (!summary || summary->passed + summary->failed + summary->skipped == 0) return {};
  auto flaky = summary->flaky;
  if (flaky.size() > 20) flaky.resize(20);
  doc::Map out{{"passed", summary->passed}, {"failed", summary->failed}, {"skipped", summary->skipped}};
  if (!flaky.empty()) out.set("flaky", doc::List(flaky.begin(), flaky.end()));
  return out;
}

doc::List RunStatus::jobs() const {
  doc::List list;
  for (const auto& key : order_)
    if (auto found = jobs_.find(key); found != jobs_.end()) list.push_back(with_needs(key, found->second));
  return list;
}

std::string RunStatus::waits_for() const {
  std::string out;
  for (const auto& key : order_) {
    auto found = jobs_.find(key);
    if (found == jobs_.end() || !found->second.find("waiting")) continue;
    out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", key, found->second.str_at({"message"}));
  }
  return out;
}

// "test (12, ubuntu)" is of the job test.
doc::Value RunStatus::with_needs(const std::string& key, doc::Value job) const {
  auto needs = needs_.find(id_path(key));
  if (needs != needs_.end() && !needs->second.empty()) job["needs"] = needs->second;
  return job;
}

void RunStatus::order(const std::string& key) {
  if (std::find(order_.begin(), order_.end(), key) == order_.end()) order_.push_back(key);
}

doc::Value RunStatus::job_doc(const ci::JobResult& result) const {
  auto phase = std::string(to_string(phase_from(result.conclusion)));
  std::string message = result.why;
  for (const auto& annotation : result.annotations)
    if (message.empty() && annotation.level == ci::Annotation::Level::error)
      message =
          annotation.place.file.empty() ? annotation.message : annotation.place.print() + ": " + annotation.message;
  if (result.from_cache) message = "answered from the cache";
  // One that was left out can still be started.
  if (result.conclusion == ci::Conclusion::skipped && manual_.contains(id_path(result.key)) &&
      result.why.starts_with("manual:"))
    phase = "Manual";
  return doc::Map{{"key", result.key},
                  {"name", result.name},
                  {"phase", phase},
                  {"message", message.substr(0, 2000)},
                  {"durationMs", result.duration.count()},
                  {"cached", result.from_cache},
                  {"result", to_doc(result)}};
}

void RunStatus::say(const std::string& job, int stream, std::string_view text) {
  auto line = fmt::format("{} {} {}\n", rfc3339_millis(ctx_.clock->wall()), stream, text);
  (void)house_.run_logs->append(run_, job.empty() ? "run" : job, line);
}

void RunStatus::write() {
  auto written =
      set_status(Ctx{}.within(Millis(10000)), *house_.client, "WorkflowRun", run_, doc::Map{{"jobs", jobs()}});
  if (!written) LOG(warn, "ci.status_failed", {"run", run_}, {"error", written.error().what()});
}

}  // namespace slipway::engine
