#include <algorithm>

#include "base/encode.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "ci/front_end.h"
#include "ci/runner.h"
#include "engine/concurrency.h"
#include "engine/house.h"
#include "engine/notices.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/reuse.h"
#include "engine/run_logs.h"
#include "engine/running_runs.h"
#include "engine/runs.h"
#include "engine/scanning_builder.h"

namespace slipway::engine {
namespace {

Histogram run_seconds("slipway_ci_run_seconds", "time of one WorkflowRun");
Counter runs_total("slipway_ci_runs_total", "WorkflowRuns by how they ended");

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

// Keeps the run's status up to date while it runs: a job that ended is on disk before the next one starts.
class StatusKeeper final : public ci::Observer {
 public:
  StatusKeeper(const Ctx& ctx, House& house, std::string run, const ci::Plan& plan)
      : ctx_(ctx), house_(house), run_(std::move(run)) {
    for (const auto& job : plan.jobs) {
      needs_[job.id] = doc::List(job.needs.begin(), job.needs.end());
      bool one = job.legs.size() == 1 && job.legs[0].matrix.is_null();
      if (job.called || job.waits_for_values || !one) continue;  // several jobs, whose names come with them
      order(job.id);
      jobs_[job.id] = doc::Map{{"key", job.id}, {"name", job.name}, {"phase", "Pending"}};
    }
  }

  void take(const ci::JobResult& result) {
    order(result.key);
    jobs_[result.key] = job_doc(result, result.name);
  }

  void job_started(const std::string& key, const std::string& name) override {
    order(key);
    jobs_[key] =
        doc::Map{{"key", key}, {"name", name}, {"phase", "Running"}, {"startedAt", rfc3339_millis(ctx_.clock->wall())}};
    write();
  }
  void job_finished(const ci::JobResult& result) override {
    order(result.key);
    jobs_[result.key] = job_doc(result, result.name);
    write();
  }
  void step_started(const std::string& job, const std::string&, const std::string& name) override {
    say(job, 0, "▸ " + name);
  }
  void step_finished(const std::string& job, const ci::StepResult& step) override {
    commands_.insert(commands_.end(), step.commands.begin(), step.commands.end());
    if (step.outcome != ci::Conclusion::success && step.outcome != ci::Conclusion::skipped)
      say(job, 0, fmt::format("step {}: {}", step.name, to_string(step.outcome)));
  }
  void log(const ci::LogLine& line) override { say(std::string(line.job), line.stream, line.text); }

  doc::List jobs() const {
    doc::List list;
    for (const auto& key : order_)
      if (auto found = jobs_.find(key); found != jobs_.end()) list.push_back(with_needs(key, found->second));
    return list;
  }
  path::Spans commands() const { return commands_; }

 private:
  // "test (12, ubuntu)" is of the job test.
  doc::Value with_needs(const std::string& key, doc::Value job) const {
    auto needs = needs_.find(key.substr(0, key.find(" (")));
    if (needs != needs_.end() && !needs->second.empty()) job["needs"] = needs->second;
    return job;
  }
  void order(const std::string& key) {
    if (std::find(order_.begin(), order_.end(), key) == order_.end()) order_.push_back(key);
  }
  static doc::Value job_doc(const ci::JobResult& result, const std::string& name) {
    auto phase = phase_from(result.conclusion);
    std::string message = result.why;
    for (const auto& annotation : result.annotations)
      if (message.empty() && annotation.level == ci::Annotation::Level::error)
        message =
            annotation.place.file.empty() ? annotation.message : annotation.place.print() + ": " + annotation.message;
    if (result.from_cache) message = "answered from the cache";
    return doc::Map{{"key", result.key},
                    {"name", name},
                    {"phase", to_string(phase)},
                    {"message", message.substr(0, 2000)},
                    {"durationMs", result.duration.count()},
                    {"cached", result.from_cache},
                    {"result", to_doc(result)}};
  }
  void say(const std::string& job, int stream, std::string_view text) {
    auto line = fmt::format("{} {} {}\n", rfc3339_millis(ctx_.clock->wall()), stream, text);
    (void)house_.run_logs->append(run_, job.empty() ? "run" : job, line);
  }
  void write() {
    auto written =
        set_status(Ctx{}.within(Millis(10000)), *house_.client, "WorkflowRun", run_, doc::Map{{"jobs", jobs()}});
    if (!written) LOG(warn, "ci.status_failed", {"run", run_}, {"error", written.error().what()});
  }

  const Ctx& ctx_;
  House& house_;
  std::string run_;
  std::map<std::string, doc::List> needs_;  // of job ids
  std::map<std::string, doc::Value> jobs_;
  std::vector<std::string> order_;
  path::Spans commands_;
};

// Actions of other repositories, as the commit's own lock file allows them.
Result<decltype(ci::RunnerOptions::actions)> actions_for(const git::Repository& repository, const std::string& commit,
                                                         std::shared_ptr<ci::ActionSource> source) {
  std::shared_ptr<ci::ActionLock> lock;
  TRY(auto text, repository.read(commit, ci::ActionLock::path));
  if (text) {
    TRY(auto parsed, ci::ActionLock::parse(*text));
    lock = std::make_shared<ci::ActionLock>(std::move(parsed));
  }
  return [source = std::move(source), lock](const Ctx& ctx, const std::string& name, const std::string& ref) {
    return source->folder(ctx, name, ref, lock.get());
  };
}

// What an earlier life of this run finished.
std::vector<ci::JobResult> finished_jobs(const kube::Object& run) {
  std::vector<ci::JobResult> finished;
  for (const auto& job : run["status"]["jobs"].items()) {
    auto phase = path::parse_phase(job["phase"].text());
    if (!phase || !is_final(*phase) || *phase == path::Phase::cancelled) continue;
    if (auto result = ci::job_result_from(job["result"])) finished.push_back(*std::move(result));
  }
  return finished;
}

Result<ci::Plan> plan_of(const git::Repository& repository, const path::Change& change, const std::string& file) {
  TRY(auto text, repository.read(change.after, file));
  if (!text) return fail(Kind::not_found, "{}: not in {}", file, change.after.substr(0, 12));
  auto event = ci::event_from(change, {.default_branch = default_branch(repository)});
  return ci::plan_file(*text, file, event, source_tree(repository, change.after));
}

Result<std::map<std::string, std::string>> secrets_for(const Ctx& ctx, House& house, const path::Change& change) {
  std::map<std::string, std::string> secrets;
  if (!change.trusted) return secrets;
  TRY(auto secret, house.client->get(ctx, {"v1", "Secret"}, {home, object_name("ci-" + change.repository)}));
  if (!secret) return secrets;
  for (const auto& [key, value] : (*secret)["data"].members()) {
    TRY(auto plain, from_base64(value.text()));
    house.redaction->add(plain);
    secrets[key] = plain;
  }
  return secrets;
}

std::string service_of(const std::string& image, const std::vector<kube::Object>& pipelines) {
  for (const auto& pipeline : pipelines)
    for (const auto& service : pipeline["spec"]["services"].items())
      if (service["image"].text() == image) return service["name"].text();
  return image.substr(image.rfind('/') + 1);
}

Result<doc::List> record_artifacts(const Ctx& ctx, House& house, const std::string& run_name,
                                   const path::Change& change, const std::vector<ci::JobResult>& jobs) {
  TRY(auto pipelines, all(ctx, *house.client, "Pipeline"));
  doc::List names;
  for (const auto& job : jobs) {
    for (const auto& built : job.images) {
      path::Artifact artifact;
      artifact.service = service_of(built.image, pipelines);
      artifact.image = built.image;
      artifact.digest = built.digest;
      artifact.tags = built.tags;
      artifact.repository = change.repository;
      artifact.commit = change.after;
      artifact.run = run_name;
      artifact.inputs = built.inputs;
      artifact.bytes = built.bytes;
      auto name = name_of(artifact);
      TRY_OK(record(ctx, *house.client, "Artifact", name, to_doc(artifact),
                    {{"slipway.dev/service", object_name(artifact.service)}}));
      names.emplace_back(name);
    }
  }
  return names;
}

Result<> finish(const Ctx& ctx, House& house, const std::string& run_name, const path::Change& change,
                const ci::RunResult& result, std::string message, const StatusKeeper& keeper,
                const ScanningBuilder& builder) {
  auto phase = phase_from(result.conclusion);
  TRY(auto artifacts, record_artifacts(ctx, house, run_name, change, result.jobs));
  if (phase == path::Phase::failed) message.clear();
  for (const auto& job : keeper.jobs())
    if (message.empty() && job.str_at({"phase"}) == "Failed")
      message = fmt::format("{}: {}", job.str_at({"name"}), job.str_at({"message"}));
  auto commands = keeper.commands();
  for (const auto& ran : builder.commands()) commands.push_back(ran);
  doc::Map status{{"phase", to_string(phase)},
                  {"message", message},
                  {"jobs", keeper.jobs()},
                  {"artifacts", artifacts},
                  {"userMillis", covered(commands).count()},
                  {"userSpans", to_doc(commands)},
                  {"finishedAt", rfc3339(ctx.clock->wall())}};
  TRY_OK(set_status(ctx, *house.client, "WorkflowRun", run_name, status));
  house.run_logs->finish(run_name);
  runs_total.add(1, {{"phase", std::string(to_string(phase))}});
  LOG(info, "ci.finished", {"run", run_name}, {"phase", to_string(phase)});
  if (phase != path::Phase::failed) return {};
  return announce(ctx, house,
                  {.id = "run-" + run_name,
                   .event = "run.failed",
                   .severity = path::Severity::error,
                   .title = fmt::format("{} failed: {}", run_name, change.subject),
                   .text = message,
                   .link = fmt::format("{}/#/run/{}", house.url(), run_name),
                   .facts = {{"repository", change.repository}, {"commit", change.after}, {"author", change.author}}});
}

Result<> refuse(const Ctx& ctx, House& house, const std::string& run_name, const Error& error) {
  house.run_logs->finish(run_name);
  return set_status(
      ctx, *house.client, "WorkflowRun", run_name,
      doc::Map{{"phase", "Failed"}, {"message", error.print()}, {"finishedAt", rfc3339(ctx.clock->wall())}});
}

// Ended before it ran, or before it ran again after a restart.
Result<> call_off(const Ctx& ctx, House& house, const kube::Object& run, const std::string& why) {
  doc::List jobs;
  for (const auto& job : run["status"]["jobs"].items()) {
    auto phase = path::parse_phase(job["phase"].text());
    auto document = job.value();
    if (!phase || !is_final(*phase)) document["phase"] = to_string(path::Phase::cancelled);
    jobs.push_back(std::move(document));
  }
  LOG(info, "ci.cancelled", {"run", run.name()}, {"why", why});
  house.run_logs->finish(run.name());
  runs_total.add(1, {{"phase", "Cancelled"}});
  return set_status(ctx, *house.client, "WorkflowRun", run.name(),
                    doc::Map{{"phase", "Cancelled"},
                             {"message", why},
                             {"jobs", std::move(jobs)},
                             {"finishedAt", rfc3339(ctx.clock->wall())}});
}

// Jobs of an earlier run of the same commit and workflow that need not run again. Images they built are recorded for
// this run too.
Result<std::vector<ci::JobResult>> jobs_to_reuse(const Ctx& ctx, House& house, const git::Repository& repository,
                                                 const kube::Object& run, const path::Change& change) {
  std::vector<ci::JobResult> kept;
  auto from = run["spec"]["reuse"].text();
  if (from.empty()) return kept;
  TRY(auto before, find(ctx, *house.client, "WorkflowRun", from));
  if (!before) return kept;
  TRY(auto text, repository.read(change.after, run["spec"]["workflow"].text()));
  auto alone = jobs_of_the_commit_alone(text.value_or(""),
                                        (*before)["spec"]["change"]["trusted"].bool_or(true) == change.trusted);
  for (auto& job : finished_jobs(*before))
    if (job.conclusion == ci::Conclusion::success && alone.contains(job.id) && !job.key.contains(" / "))
      kept.push_back(std::move(job));
  LOG(info, "ci.reused", {"run", run.name()}, {"from", from}, {"jobs", kept.size()});
  return kept;
}

}  // namespace

Result<> execute_run(const Ctx& ctx, House& house, const std::string& run_name) {
  TRY(auto object, find(ctx, *house.client, "WorkflowRun", run_name));
  if (!object || is_final(phase_of(*object))) return {};
  // Listed before its turn is decided: who comes later finds it, or is found.
  RunningRuns::Execution execution(*house.running, run_name, ctx.stop);
  TRY(auto turn, take_turn(ctx, house, *object));
  if (turn.what == Turn::What::cancelled) return call_off(ctx, house, *object, turn.why);
  if (turn.what == Turn::What::wait) {
    if ((*object)["status"]["message"].text() == turn.why) return {};
    return set_status(ctx, *house.client, "WorkflowRun", run_name,
                      doc::Map{{"phase", "Waiting"}, {"message", turn.why}});
  }
  ScopedTimer timer(run_seconds);
  TRY(auto change, path::change_from((*object)["spec"]["change"]));
  TRY(auto repository, house.git->repository(change.repository));
  auto plan = plan_of(repository, change, (*object)["spec"]["workflow"].text());
  if (!plan) return refuse(ctx, house, run_name, plan.error());
  StatusKeeper keeper(ctx, house, run_name, *plan);
  ScanningBuilder builder(*house.builder, *house.scanner);
  ci::RunnerOptions options;
  options.repository = &repository;
  options.commit = change.after;
  options.root = house.settings.data / "work";
  options.runtime = house.runtime.get();
  options.hide = {house.settings.data};
  options.max_parallel = 4;
  options.blobs = house.blobs.get();
  options.cache = house.job_cache.get();
  options.ready = house.ready.get();
  options.service = house.job_service.get();
  auto actions = actions_for(repository, change.after, house.actions);
  if (!actions) return refuse(ctx, house, run_name, actions.error());
  options.actions = *std::move(actions);
  options.builder = &builder;
  options.scanner = house.scanner.get();
  options.previewer = house.previewer.get();
  options.registry = house.registry.get();
  options.layers = house.layers.get();
  options.network = house.network.get();
  options.registry_host = house.url().substr(7);
  options.registry_names = registry_names(house.settings);
  options.remote = house.remote.get();
  options.run_id = run_name;
  options.server_url = house.url();
  options.observer = &keeper;
  options.groups = house.job_groups.get();
  options.finished = finished_jobs(*object);
  auto reused = (*object)["status"]["reusedFrom"].text();
  if (options.finished.empty()) {
    TRY(options.finished, jobs_to_reuse(ctx, house, repository, *object, change));
    if (!options.finished.empty()) reused = (*object)["spec"]["reuse"].text();
  }
  TRY(options.secrets, secrets_for(ctx, house, change));
  for (const auto& job : options.finished) keeper.take(job);
  auto started = (*object)["status"]["startedAt"].str_or(rfc3339(ctx.clock->wall()));
  doc::Map running{{"phase", "Running"}, {"message", ""}, {"startedAt", started}};
  if (!reused.empty()) running.set("reusedFrom", reused);
  house.run_logs->begin(run_name);
  TRY_OK(set_status(ctx, *house.client, "WorkflowRun", run_name, running));
  ci::Runner runner(std::move(options));
  auto result = runner.run(ctx.with_stop(execution.token()), *plan);
  TRY_OK(ctx.alive());  // a stopping house leaves the run as it is: it goes on at the next start
  if (!result) return refuse(ctx, house, run_name, result.error());
  return finish(ctx, house, run_name, change, *result,
                phase_from(result->conclusion) == path::Phase::cancelled ? execution.cancelled()
                : reused.empty()                                         ? ""
                                                                         : "the same commit passed as " + reused,
                keeper, builder);
}

}  // namespace slipway::engine
