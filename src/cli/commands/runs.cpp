// What people ask of runs: approve, reject, rerun, cancel, runs list, runs start. Each writes an object of the API,
// which says who it was and refuses what may not be.
#include <algorithm>

#include "base/text.h"
#include "cli/command.h"
#include "engine/attempts.h"
#include "engine/places.h"
#include "engine/recorder.h"
#include "promote/chain.h"

namespace slipway::cli {
namespace {

using engine::home;
using engine::kind;

std::string paint(const Io& io, const std::string& phase) {
  if (phase == "Succeeded") return io.paint(Io::Paint::good, phase);
  if (phase == "Failed" || phase == "Cancelled") return io.paint(Io::Paint::bad, phase);
  return io.paint(Io::Paint::warn, phase.empty() ? "Pending" : phase);
}

Result<std::optional<kube::Object>> find_run(const Ctx& ctx, kube::Client& client, const std::string& name) {
  TRY(auto object, engine::find(ctx, client, "WorkflowRun", name));
  if (object) return object;
  TRY(auto runs, engine::all(ctx, client, "WorkflowRun"));
  std::erase_if(runs, [&](const auto& run) { return !run.name().starts_with(name); });
  if (runs.size() == 1) return std::optional(runs.front());
  if (runs.empty()) return std::optional<kube::Object>();
  std::vector<std::string> names;
  for (const auto& run : runs) names.push_back(run.name());
  names.resize(std::min<std::size_t>(names.size(), 8));
  return Fail(Error(Kind::conflict, fmt::format("{} runs begin with {}: {}", runs.size(), name, join(names, ", ")))
                  .with_hint("say more of it"));
}

// A run by its name, or by the beginning of it.
Result<kube::Object> run_named(const Ctx& ctx, kube::Client& client, const std::string& name) {
  TRY(auto run, find_run(ctx, client, name));
  if (run) return *run;
  TRY(auto runs, engine::all(ctx, client, "WorkflowRun"));
  std::vector<std::string> names;
  for (const auto& one : runs) names.push_back(one.name());
  auto near = nearest(name, names);
  return Fail(Error(Kind::not_found, fmt::format("there is no run {}", name))
                  .with_hint(near ? fmt::format("did you mean {}?", *near) : "slipway runs list"));
}

// A Promotion by its name, or the one that waits and whose name begins so: api-production.
Result<kube::Object> promotion_named(const Ctx& ctx, kube::Client& client, const std::string& name) {
  TRY(auto object, engine::find(ctx, client, "Promotion", name));
  if (object) return *object;
  TRY(auto waiting, engine::all(ctx, client, "Promotion"));
  std::erase_if(waiting, [&](const auto& o) {
    return o["status"]["phase"].text() != "Waiting" || !o.name().starts_with(name + "-");
  });
  if (waiting.size() == 1) return waiting.front();
  if (waiting.empty())
    return Fail(Error(Kind::not_found,
                      fmt::format("there is no promotion {}, no such run, and none that waits and begins so", name))
                    .with_hint("slipway promotions, slipway runs list --waiting"));
  std::string names;
  for (const auto& one : waiting) names += (names.empty() ? "" : ", ") + one.name();
  return Fail(
      Error(Kind::conflict, fmt::format("{} promotions wait: {}", waiting.size(), names)).with_hint("say which"));
}

Result<int> approve_promotion(const Ctx& ctx, const Arguments& arguments, kube::Client& client, Io& io) {
  auto who = arguments.get("as", current_user());
  TRY(auto object, promotion_named(ctx, client, arguments.get("what")));
  auto name = object.name();
  auto phase = object["status"]["phase"].text();
  if (phase != "Waiting") return fail(Kind::conflict, "promotion {} is {}, not waiting for approval", name, phase);
  auto written = kube::modify(ctx, client, kind("Promotion"), {home, name}, {}, [&](doc::Value& o) -> Result<bool> {
    o["spec"]["approvedBy"] = who;
    if (arguments.has("override-window")) o["spec"]["overrideWindow"] = who;
    return true;
  });
  if (!written && written.error().is(Kind::denied))
    return Fail(std::move(written).error().with_hint("the environment's `approvers` in the Pipeline say who may"));
  if (!written) return Fail(std::move(written).error());
  who = (*written)["spec"]["approvedBy"].text();  // the server writes who it was
  TRY(auto lead, engine::lead_of(ctx, client, *written));
  std::string held;
  if (lead && !arguments.has("override-window")) held = promote::held_back(lead->environment, ctx.clock->wall());
  doc::Map said{{"promotion", name}, {"approvedBy", who}};
  if (!held.empty()) said.set("heldBack", held);
  io.said(fmt::format("approved by {}{}{}", who, held.empty() ? "" : ", and ",
                      held.empty() ? "" : std::string(promote::held_mark) + held),
          std::move(said));
  return 0;
}

Result<int> review(const Ctx& ctx, const Arguments& arguments, kube::Client& client, const kube::Object& run,
                   bool approved, Io& io) {
  doc::Map spec{{"run", run.name()},
                {"attempt", engine::attempt_of(run)},
                {"commit", run["spec"]["change"]["after"].text()},
                {"decision", approved ? "approved" : "rejected"},
                {"by", arguments.get("as", current_user())}};
  for (auto option : {"environment", "job", "comment"})
    if (arguments.has(option)) spec.set(option, arguments.get(option));
  auto object = kube::make_object(kind("Approval"), {home, ""});
  object["metadata"]["generateName"] = run.name().substr(0, 50) + "-";
  object["spec"] = std::move(spec);
  TRY(auto made, client.create(ctx, std::move(object), {}));
  auto said = made["spec"];
  io.said(fmt::format("{} for {} by {}", said["decision"].text(), said["environment"].text(), said["by"].text()),
          said.value());
  return 0;
}

Result<int> approve(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  auto what = arguments.get("what");
  TRY(auto promotion, engine::find(ctx, *client, "Promotion", what));
  if (!promotion) {
    TRY(auto run, find_run(ctx, *client, what));
    if (run) return review(ctx, arguments, *client, *run, true, io);
  }
  return approve_promotion(ctx, arguments, *client, io);
}

Result<int> reject(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto run, run_named(ctx, *client, arguments.get("run")));
  return review(ctx, arguments, *client, run, false, io);
}

// Writes what is asked into the run's spec.
Result<kube::Object> ask(const Ctx& ctx, const Arguments& arguments, kube::Client& client, const kube::Object& run,
                         const std::string& field, doc::Map asked) {
  asked.set("by", arguments.get("as", current_user()));
  return client.patch(ctx, kind("WorkflowRun"), {home, run.name()}, kube::PatchType::merge,
                      doc::Map{{"spec", doc::Map{{field, std::move(asked)}}}}, {});
}

// Until the run is over, or waits for people; the exit status says how it ended.
Result<int> follow(const Ctx& ctx, kube::Client& client, const std::string& name, std::int64_t attempt, Io& io) {
  TRY(auto run, kube::await(ctx, client, kind("WorkflowRun"), {home, name}, [&](const kube::Object& now) {
        bool over = is_final(engine::phase_of(now)) || now["status"]["waitsForPeople"].bool_or(false);
        return !now || (over && engine::attempt_of(now) >= attempt);
      }));
  auto phase = run["status"]["phase"].text(), message = run["status"]["message"].text();
  io.said(fmt::format("{} {}{}", name, paint(io, phase), message.empty() ? "" : ": " + message),
          doc::Map{{"run", name}, {"attempt", attempt}, {"phase", phase}, {"message", message}});
  return phase == "Failed" || phase == "Cancelled" ? 1 : 0;
}

bool has_kept_job(const kube::Object& run) {
  auto jobs = run["status"]["jobs"].items();
  return std::any_of(jobs.begin(), jobs.end(), [](const auto& job) { return job["result"]["resumable"].present(); });
}

Result<int> rerun(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto run, run_named(ctx, *client, arguments.get("run")));
  auto attempt = engine::attempt_of(run) + 1;
  bool resume = arguments.has("resume"), failed = resume || arguments.has("failed");
  if (failed && run["status"]["phase"].text() == "Succeeded")
    return fail(Kind::conflict, "no job of {} failed: slipway rerun {} runs all of it again", run.name(), run.name());
  if (resume && !has_kept_job(run))
    return Fail(Error(Kind::conflict, fmt::format("no job of {} was put aside where it failed", run.name()))
                    .with_hint(fmt::format("slipway rerun {} --failed runs them from their start", run.name())));
  TRY_OK(ask(ctx, arguments, *client, run, "rerun",
             doc::Map{{"attempt", attempt}, {"failed", failed}, {"resume", resume}}));
  if (arguments.has("wait")) return follow(ctx, *client, run.name(), attempt, io);
  io.said(fmt::format("{} runs again, attempt {}", run.name(), attempt),
          doc::Map{{"run", run.name()}, {"attempt", attempt}, {"failed", failed}});
  return 0;
}

Result<int> cancel(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto run, run_named(ctx, *client, arguments.get("run")));
  TRY_OK(ask(ctx, arguments, *client, run, "cancel", doc::Map{{"attempt", engine::attempt_of(run)}}));
  io.said(fmt::format("{} is asked to end", run.name()), doc::Map{{"run", run.name()}});
  return 0;
}

Result<int> start(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto run, run_named(ctx, *client, arguments.get("run")));
  auto job = arguments.get("job");
  auto attempt = engine::attempt_of(run);
  doc::Map wish{{"attempt", attempt}, {"by", arguments.get("as", current_user())}};
  auto asked = client->patch(ctx, kind("WorkflowRun"), {home, run.name()}, kube::PatchType::merge,
                             doc::Map{{"spec", doc::Map{{"start", doc::Map{{job, std::move(wish)}}}}}}, {});
  if (!asked) return Fail(std::move(asked).error());
  io.said(fmt::format("{} of {} starts", job, run.name()), doc::Map{{"run", run.name()}, {"job", job}});
  return 0;
}

std::vector<std::string> waiting_of(const kube::Object& run) {
  std::vector<std::string> out;
  for (const auto& job : run["status"]["jobs"].items())
    if (job["phase"].text() == "Waiting" || job["phase"].text() == "Manual")
      out.push_back(fmt::format("{}: {}", job["key"].text(), job["message"].text()));
  return out;
}

Result<int> list(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  auto repository = arguments.get("repository");
  TRY(auto runs, engine::all(ctx, *client, "WorkflowRun",
                             repository.empty() ? "" : "slipway.dev/repository=" + engine::object_name(repository)));
  std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) {
    return a["metadata"]["creationTimestamp"].text() > b["metadata"]["creationTimestamp"].text();
  });
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& run : runs) {
    auto waiting = waiting_of(run);
    if (arguments.has("waiting") && (waiting.empty() || is_final(engine::phase_of(run)))) continue;
    auto change = run["spec"]["change"];
    documents.push_back(run.copy());
    auto message =
        is_final(engine::phase_of(run)) || waiting.empty() ? run["status"]["message"].text() : join(waiting, "; ");
    rows.push_back({run.name(), change["event"].text(), change["after"].text().substr(0, 10),
                    std::to_string(engine::attempt_of(run)), paint(io, run["status"]["phase"].text()),
                    message.substr(0, 100)});
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"RUN", "EVENT", "COMMIT", "ATTEMPT", "PHASE", "MESSAGE"}, rows);
  return 0;
}

}  // namespace

std::vector<Command> run_commands() {
  Option as{"--as", "who asks, where several people share the administrator's token"};
  std::vector<Option> word{{"--environment,-e", "the environment, where jobs wait for several"},
                           {"--job,-j", "only this job"},
                           {"--comment,-m", "why: kept with it"},
                           as};
  Positional run{"run", "name of a run, or the beginning of one"};
  auto to_approve = word;
  to_approve.push_back({"--override-window", "a promotion, also while a window is closed; the commit says so", true});
  return {
      {"approve",
       "lets a waiting promotion, or a job that waits for its environment, go on",
       "slipway approve api-production",
       with_connection(to_approve),
       {{"what", "name of a Promotion or run, or the beginning of one that waits"}},
       approve},
      {"reject",
       "refuses a job that waits for its environment: it fails and says who, and why",
       "slipway reject shop-push-1a2b3c4d5e6f-deploy -m 'not on a Friday'",
       with_connection(word),
       {run},
       reject},
      {"rerun",
       "runs a run again, or only what failed in it and what comes after",
       "slipway rerun shop-push-1a2b3c4d5e6f-ci --failed",
       with_connection({{"--failed", "jobs that succeeded are kept", true},
                        {"--resume", "the same, and jobs go on at the step that failed", true},
                        {"--wait,-w", "until it is over; exit status 1 when it failed", true},
                        as}),
       {run},
       rerun},
      {"cancel", "ends a run", "slipway cancel shop-push-1a2b3c4d5e6f-ci", with_connection({as}), {run}, cancel},
      {"runs list",
       "runs, and what they wait for",
       "slipway runs list --waiting",
       with_connection({{"--repository,-r", "only of this repository"}, {"--waiting", "only those that wait", true}}),
       {},
       list},
      {"runs start",
       "starts a manual job",
       "slipway runs start shop-push-1a2b3c4d5e6f-gitlab-ci deploy",
       with_connection({as}),
       {run, {"job", "the job's name"}},
       start},
  };
}

}  // namespace slipway::cli
