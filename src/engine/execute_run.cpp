#include <algorithm>
#include <thread>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "ci/front_end.h"
#include "ci/runner.h"
#include "engine/attempts.h"
#include "engine/concurrency.h"
#include "engine/endorse.h"
#include "engine/environments.h"
#include "engine/house.h"
#include "engine/kept_jobs.h"
#include "engine/notices.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/reuse.h"
#include "engine/run_logs.h"
#include "engine/run_status.h"
#include "engine/running_runs.h"
#include "engine/runs.h"
#include "engine/scanning_builder.h"

namespace slipway::engine {
namespace {

Histogram run_seconds("slipway_ci_run_seconds", "time of one WorkflowRun");
Counter runs_total("slipway_ci_runs_total", "WorkflowRuns by how they ended");

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

Result<ci::Plan> plan_of(const House& house, const git::Repository& repository, const path::Change& change,
                         const std::string& file) {
  TRY(auto text, repository.read(change.after, file));
  if (!text) return fail(Kind::not_found, "{}: not in {}", file, change.after.substr(0, 12));
  auto event = ci::event_from(change, {.default_branch = default_branch(repository)});
  return ci::plan_file(*text, file, event, source_tree(repository, change.after, house.actions));
}

Result<std::map<std::string, std::string>> secrets_for(const Ctx& ctx, House& house, const path::Change& change) {
  if (!change.trusted) return std::map<std::string, std::string>();
  return secret_values(ctx, house, object_name("ci-" + change.repository));
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
                const ci::RunResult& result, std::string message, const RunStatus& keeper,
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
  if (auto tests = keeper.test_summary(); !tests.is_null()) {
    auto flaky = doc::View(tests)["flaky"].items();
    if (!flaky.empty() && message.empty())
      status.set("message", fmt::format("flaky: {}{}", flaky[0].text(),
                                        flaky.size() > 1 ? fmt::format(" and {} more", flaky.size() - 1) : ""));
    status.set("tests", std::move(tests));
  }
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

// Of an earlier life of ours: in Pods they may run on.
std::set<std::string> running_jobs(const kube::Object& run) {
  std::set<std::string> keys;
  for (const auto& job : run["status"]["jobs"].items())
    if (path::parse_phase(job["phase"].text()) == path::Phase::running) keys.insert(job["key"].text());
  return keys;
}

// Ended before it ran, or before it ran again after a restart.
Result<> call_off(const Ctx& ctx, House& house, const kube::Object& run, const std::string& why) {
  doc::List jobs;
  for (const auto& job : run["status"]["jobs"].items()) {
    auto phase = path::parse_phase(job["phase"].text());
    auto document = job.value();
    if (!phase || !is_final(*phase)) document["phase"] = to_string(path::Phase::cancelled);
    document.map().erase("waiting");
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

namespace {

// A run that is over goes on when somebody asked for it: true, and the object as it is then.
Result<bool> renew(const Ctx& ctx, House& house, kube::Object& run) {
  auto renewal = next_attempt(run);
  if (!renewal) renewal = reopened(run);
  if (!renewal) return false;
  auto name = run.name();
  if (run["spec"]["concurrency"].present()) {
    // It stands in line from now on.
    TRY_OK(kube::modify(ctx, *house.client, kind("WorkflowRun"), {home, name}, {}, [&](doc::Value& o) -> Result<bool> {
      o["spec"]["concurrency"]["since"] = rfc3339_micro(ctx.clock->wall());
      return true;
    }));
  }
  auto before = attempt_of(run);
  for (const auto& job : renewal->dropped) TRY_OK(house.run_logs->set_aside(name, job, before));
  TRY_OK(set_status(ctx, *house.client, "WorkflowRun", name, renewal->status));
  TRY(auto now, find(ctx, *house.client, "WorkflowRun", name));
  if (!now) return false;
  run = *std::move(now);
  LOG(info, "ci.renewed", {"run", name}, {"attempt", attempt_of(run)}, {"jobs", renewal->dropped.size()});
  return true;
}

std::optional<Millis> from_now(const Ctx& ctx, const std::optional<WallTime>& until) {
  if (!until) return {};
  return std::max(std::chrono::duration_cast<Millis>(*until - ctx.clock->wall()), Millis(0)) + Millis(1);
}

// All that is left waits for people. Nothing of it stays in memory.
Result<std::optional<Millis>> put_aside(const Ctx& ctx, House& house, const std::string& run_name,
                                        RunEnvironments& environments, const RunStatus& keeper) {
  TRY_OK(set_status(
      ctx, *house.client, "WorkflowRun", run_name,
      doc::Map{
          {"phase", "Waiting"}, {"message", keeper.waits_for()}, {"waitsForPeople", true}, {"jobs", keeper.jobs()}}));
  house.run_logs->finish(run_name);
  TRY(auto now, find(ctx, *house.client, "WorkflowRun", run_name));
  if (!now) return std::optional<Millis>();
  TRY(auto rest, environments.rest(ctx, *now));
  return rest.goes_on ? std::optional(Millis(1)) : from_now(ctx, rest.until);
}

}  // namespace

Result<std::optional<Millis>> execute_run(const Ctx& ctx, House& house, const std::string& run_name) {
  constexpr std::optional<Millis> done;
  TRY(auto found, find(ctx, *house.client, "WorkflowRun", run_name));
  if (!found) return done;
  auto object = std::optional(*std::move(found));
  if (is_final(phase_of(*object))) {
    TRY(auto goes_on, renew(ctx, house, *object));
    if (!goes_on) return done;
  }
  auto finished = [](Result<> ended) -> Result<std::optional<Millis>> {
    return ended ? Result<std::optional<Millis>>(std::optional<Millis>()) : Fail(std::move(ended).error());
  };
  // Listed before its turn is decided: who comes later finds it, or is found.
  auto away = house.job_pods ? running_jobs(*object) : std::set<std::string>();
  RunningRuns::Execution execution(*house.running, run_name, ctx.stop, away);
  if (auto why = asked_to_end(*object); !why.empty()) {
    if (away.empty()) return finished(call_off(ctx, house, *object, why));
    house.running->cancel(run_name, why);  // once their Pods are found
  }
  TRY(auto turn, take_turn(ctx, house, *object));
  if (turn.what == Turn::What::cancelled) return finished(call_off(ctx, house, *object, turn.why));
  if (turn.what == Turn::What::wait) {
    if ((*object)["status"]["message"].text() == turn.why) return done;
    return finished(
        set_status(ctx, *house.client, "WorkflowRun", run_name, doc::Map{{"phase", "Waiting"}, {"message", turn.why}}));
  }
  TRY(auto change, path::change_from((*object)["spec"]["change"]));
  RunEnvironments environments(house, *object, change);
  if ((*object)["status"]["waitsForPeople"].bool_or(false) && phase_of(*object) == path::Phase::waiting) {
    TRY(auto rest, environments.rest(ctx, *object));
    if (!rest.goes_on) return from_now(ctx, rest.until);
  }
  ScopedTimer timer(run_seconds);
  TRY(auto repository, house.git->repository(change.repository));
  auto plan = plan_of(house, repository, change, (*object)["spec"]["workflow"].text());
  if (!plan) return finished(refuse(ctx, house, run_name, plan.error()));
  RunStatus keeper(ctx, house, *object, change, *plan, environments);
  keeper.on_found = [&](const std::string& job) { execution.found(job); };
  Origin origin{house.url(),
                change.repository,
                change.ref,
                change.after,
                (*object)["spec"]["workflow"].text(),
                run_name,
                attempt_of(*object),
                rfc3339(ctx.clock->wall())};
  ScanningBuilder builder(*house.builder, *house.scanner,
                          [&](const Ctx& inner, const path::BuildRequest& request, const Digest& image) {
                            return house.endorser->endorse(inner, request, image, origin);
                          });
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
  options.pods = house.job_pods.get();
  if (options.pods) options.max_parallel = house.settings.jobs_at_once;
  auto actions = actions_for(repository, change.after, house.actions);
  if (!actions) return finished(refuse(ctx, house, run_name, actions.error()));
  options.actions = *std::move(actions);
  options.builder = &builder;
  options.scanner = house.scanner.get();
  options.previewer = house.previewer.get();
  options.clusters = house.job_clusters.get();
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
  options.environments = &environments;
  options.started_jobs = started_by_hand(*object);
  options.attempt = attempt_of(*object);
  options.run_number = std::max<std::int64_t>((*object)["spec"]["number"].num_or(1), 1);
  // Whoever asks for another attempt wants it done, not told how it was.
  options.cache_jobs = options.attempt == 1;
  if (!options.pods) options.keep_failed = kept_jobs_of(house.settings.data, run_name);
  options.resume = goes_on(*object);
  options.finished = finished_jobs(*object);
  auto reused = (*object)["status"]["reusedFrom"].text();
  if (options.finished.empty() && options.attempt == 1) {
    TRY(options.finished, jobs_to_reuse(ctx, house, repository, *object, change));
    if (!options.finished.empty()) reused = (*object)["spec"]["reuse"].text();
  }
  TRY(options.secrets, secrets_for(ctx, house, change));
  TRY(options.vars, repository_vars(ctx, house, change.repository));
  for (const auto& job : options.finished) keeper.take(job);
  auto started = (*object)["status"]["startedAt"].str_or(rfc3339(ctx.clock->wall()));
  doc::Map running{{"phase", "Running"}, {"message", ""}, {"startedAt", started}, {"waitsForPeople", doc::Value()}};
  if (!reused.empty()) running.set("reusedFrom", reused);
  house.run_logs->begin(run_name);
  TRY_OK(set_status(ctx, *house.client, "WorkflowRun", run_name, running));
  std::jthread no_longer;  // waits for those that may be away: one may wait for its turn in a group first
  if (!away.empty())
    no_longer = std::jthread([&](const std::stop_token& over) {
      if (sleep(Ctx{.stop = over}, Millis(30'000))) execution.found_all();
    });
  ci::Runner runner(std::move(options));
  auto result = runner.run(ctx.with_stop(execution.token()), *plan);
  TRY_OK(ctx.alive());  // a stopping house leaves the run as it is: it goes on at the next start
  if (auto swept = forget_kept_jobs(house.settings.data); !swept)
    LOG(warn, "ci.kept_jobs", {"error", swept.error().what()});
  if (!result) return finished(refuse(ctx, house, run_name, result.error()));
  if (result->waits && execution.cancelled().empty()) return put_aside(ctx, house, run_name, environments, keeper);
  return finished(finish(ctx, house, run_name, change, *result,
                         phase_from(result->conclusion) == path::Phase::cancelled ? execution.cancelled()
                         : reused.empty()                                         ? ""
                                          : "the same commit passed as " + reused,
                         keeper, builder));
}

}  // namespace slipway::engine
