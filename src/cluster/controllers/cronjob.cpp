#include "base/text.h"
#include "cluster/controllers/cron.h"
#include "cluster/controllers/job.h"

namespace slipway::cluster {
namespace {

using kube::Object;

struct Due {
  std::optional<WallTime> last, next;  // the latest time that has come, and the one after now
  int missed = 0;
};

Due due_times(const Schedule& schedule, const Zone& zone, WallTime since, WallTime now) {
  Due due;
  auto at = schedule.next(since, zone);
  // More than 100 missed means a clock that jumped or a long sleep: from then on only the recent past is looked at.
  while (at && *at <= now) {
    due.last = at;
    if (++due.missed == 100)
      at = schedule.next(std::max(*at, now - std::chrono::hours(24 * 32)), zone);
    else
      at = schedule.next(*at, zone);
    if (due.missed > 60 * 24 * 40) break;
  }
  due.next = at;
  return due;
}

doc::Value make_job(const Object& cron, WallTime at) {
  auto minutes = std::chrono::duration_cast<std::chrono::minutes>(at.time_since_epoch()).count();
  auto pods = cron["spec"]["jobTemplate"];
  auto job = kube::make_object(job_type, {cron.ns(), fmt::format("{}-{}", cron.name(), minutes)});
  for (auto part : {"labels", "annotations"})
    if (pods["metadata"][part].present()) job["metadata"][part] = pods["metadata"][part].value();
  job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] = rfc3339(at);
  job["metadata"]["ownerReferences"].list().push_back(kube::owner_reference(cron, true));
  job["spec"] = pods["spec"].value();
  return job;
}

Result<> trim_history(const Ctx& ctx, const Env& env, const Object& cron, std::vector<Object> jobs,
                      std::string_view condition, std::string_view limit, std::int64_t fallback) {
  std::erase_if(jobs, [&](const Object& job) { return kube::condition_status(job, condition) != "True"; });
  std::sort(jobs.begin(), jobs.end(), [](const Object& a, const Object& b) {
    return std::pair(created_at(a), a.name()) < std::pair(created_at(b), b.name());
  });
  auto keep = static_cast<std::size_t>(std::max<std::int64_t>(0, cron["spec"][limit].num_or(fallback)));
  for (std::size_t i = 0; i + keep < jobs.size(); ++i) TRY_OK(remove_quietly(ctx, env, jobs[i]));
  return {};
}

doc::Value make_status(const Object& cron, const std::vector<Object>& jobs, std::optional<WallTime> scheduled) {
  doc::Value status = cron["status"].value();
  if (!status.is_map()) status = doc::Map();
  doc::List active;
  auto last_success = time_at(cron["status"]["lastSuccessfulTime"]);
  for (const auto& job : jobs) {
    if (!is_job_finished(job)) {
      doc::Value ref;
      ref["apiVersion"] = "batch/v1";
      ref["kind"] = "Job";
      ref["namespace"] = job.ns();
      ref["name"] = job.name();
      ref["uid"] = job.uid();
      active.push_back(std::move(ref));
    } else if (auto done = time_at(job["status"]["completionTime"]); done && (!last_success || *done > *last_success)) {
      last_success = done;
    }
  }
  if (active.empty())
    status.map().erase("active");
  else
    status["active"] = std::move(active);
  if (scheduled) status["lastScheduleTime"] = rfc3339(*scheduled);
  if (last_success) status["lastSuccessfulTime"] = rfc3339(*last_success);
  return status;
}

class Tick {
 public:
  Tick(const Ctx& ctx, const Env& env, Object cron)
      : ctx_(ctx), env_(env), cron_(std::move(cron)), now_(ctx.clock->wall()) {}
  Result<kube::Reconciled> run();

 private:
  Result<bool> start(WallTime at, std::vector<Object>& jobs);
  const Ctx& ctx_;
  const Env& env_;
  Object cron_;
  WallTime now_;
};

// True: a job for this time exists.
Result<bool> Tick::start(WallTime at, std::vector<Object>& jobs) {
  std::vector<Object> active;
  for (const auto& job : jobs)
    if (!is_job_finished(job)) active.push_back(job);
  auto policy = cron_["spec"]["concurrencyPolicy"].str_or("Allow");
  if (policy == "Forbid" && !active.empty()) {
    env_.event(ctx_, cron_, "Normal", "JobAlreadyActive",
               "Not starting job because prior execution is running and concurrency policy is Forbid");
    return false;
  }
  if (policy == "Replace")
    for (const auto& job : active) TRY_OK(remove_quietly(ctx_, env_, job));
  auto made = env_.client.create(ctx_, make_job(cron_, at), env_.write());
  if (!made && made.error().is(Kind::conflict)) return true;  // made before a crash of ours: the name is the time
  if (!made) {
    env_.event(ctx_, cron_, "Warning", "FailedCreate", "Error creating job: " + made.error().what());
    return Fail(std::move(made).error());
  }
  env_.event(ctx_, cron_, "Normal", "SuccessfulCreate", "Created job " + made->name());
  jobs.push_back(*std::move(made));
  return true;
}

Result<kube::Reconciled> Tick::run() {
  TRY(auto list, env_.client.list(ctx_, job_type, {.ns = cron_.ns(), .mentions = {cron_.uid()}}));
  auto jobs = std::move(list.items);
  std::erase_if(jobs, [&](const Object& job) { return !is_owned_by(job, cron_); });
  auto schedule = Schedule::parse(cron_["spec"]["schedule"].str_or(""));
  auto zone = Zone::load(cron_["spec"]["timeZone"].str_or(""));
  if (!schedule || !zone) {
    auto why = schedule ? zone.error().what() : schedule.error().what();
    env_.event(ctx_, cron_, "Warning", schedule ? "UnknownTimeZone" : "UnparseableSchedule", why);
    return kube::Reconciled{};
  }
  auto since = time_at(cron_["status"]["lastScheduleTime"]).value_or(created_at(cron_));
  auto starting = cron_["spec"]["startingDeadlineSeconds"];
  if (starting.present()) since = std::max(since, now_ - std::chrono::seconds(starting.num_or(0)));
  auto due = due_times(*schedule, *zone, since, now_);
  std::optional<WallTime> scheduled;
  if (due.last && !cron_["spec"]["suspend"].bool_or(false)) {
    if (due.missed > 100)
      env_.event(ctx_, cron_, "Warning", "TooManyMissedTimes",
                 "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    TRY(bool started, start(*due.last, jobs));
    if (started) scheduled = due.last;
  }
  TRY_OK(put_status(ctx_, env_, cron_, make_status(cron_, jobs, scheduled)));
  TRY_OK(trim_history(ctx_, env_, cron_, jobs, "Complete", "successfulJobsHistoryLimit", 3));
  TRY_OK(trim_history(ctx_, env_, cron_, jobs, "Failed", "failedJobsHistoryLimit", 1));
  if (!due.next) return kube::Reconciled{};
  return kube::Reconciled{std::max(Millis(1), std::chrono::ceil<Millis>(*due.next - ctx_.clock->wall()))};
}

}  // namespace

Result<> run_cronjobs(const Ctx& ctx, const Env& env) {
  kube::ControllerOptions options{
      .name = env.name,
      .sources = {{.type = cronjob_type}, {.type = job_type, .keys = kube::keys_of_owner("CronJob")}},
      .workers = 1};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) -> Result<kube::Reconciled> {
                                TRY(auto cron, env.client.get(inner, cronjob_type, key));
                                if (!cron || cron->deleting()) return kube::Reconciled{};
                                return Tick(inner, env, *std::move(cron)).run();
                              });
}

}  // namespace slipway::cluster
