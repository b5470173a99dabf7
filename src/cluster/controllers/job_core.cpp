#include "base/text.h"
#include "cluster/controllers/job.h"

namespace slipway::cluster {
namespace {

using kube::Object;

bool is_tracked(const Object& pod) {
  for (auto finalizer : pod["metadata"]["finalizers"].items())
    if (finalizer.str_or("") == tracking_finalizer) return true;
  return false;
}

std::int64_t index_of(const Object& pod) { return to_int(pod.annotation(index_annotation)).value_or(-1); }

// When the pod's last container ended.
WallTime ended_at(const Object& pod) {
  auto last = created_at(pod);
  for (auto container : pod["status"]["containerStatuses"].items())
    if (auto at = time_at(container["state"]["terminated"]["finishedAt"])) last = std::max(last, *at);
  return last;
}

struct Tally {
  const Object& job;
  const std::vector<Object>& pods;
  WallTime now;
  JobPlan plan;
  std::int64_t succeeded = 0, failed = 0, active = 0, ready = 0, terminating = 0;
  bool indexed = false;
  std::set<std::int64_t> done;  // completed indexes
  std::vector<Object> running;
  std::vector<WallTime> failures;  // of pods that are still known

  void count();
  void add_finished(const Object& pod, doc::List& uncounted_good, doc::List& uncounted_bad);
};

bool lists(const doc::List& list, const std::string& uid) {
  return std::any_of(list.begin(), list.end(), [&](const doc::Value& v) { return v == doc::Value(uid); });
}

void Tally::add_finished(const Object& pod, doc::List& good, doc::List& bad) {
  bool won = phase_of(pod) == "Succeeded";
  if (indexed && won) {
    if (auto index = index_of(pod); index >= 0) done.insert(index);
  }
  if (!won) failures.push_back(ended_at(pod));
  bool named = lists(won ? good : bad, pod.uid());
  if (is_tracked(pod)) {
    if (!named) (won ? good : bad).push_back(pod.uid());
    plan.untrack.push_back(pod);
  }
}

void Tally::count() {
  auto status = job["status"];
  succeeded = status["succeeded"].num_or(0), failed = status["failed"].num_or(0);
  indexed = job["spec"]["completionMode"].str_or("NonIndexed") == "Indexed";
  if (indexed) done = parse_indexes(status["completedIndexes"].str_or(""));
  doc::List good, bad;
  // Named earlier: still with its finalizer it stays named, without (or gone) it is counted now.
  auto carry = [&](std::string_view which, doc::List& kept, std::int64_t& counter) {
    for (auto uid : status["uncountedTerminatedPods"][which].items()) {
      bool tracked = std::any_of(pods.begin(), pods.end(),
                                 [&](const Object& pod) { return pod.uid() == uid.text() && is_tracked(pod); });
      if (tracked)
        kept.push_back(uid.text());
      else
        ++counter;
    }
  };
  carry("succeeded", good, succeeded);
  carry("failed", bad, failed);
  for (const auto& pod : pods) {
    if (is_finished(pod)) {
      add_finished(pod, good, bad);
    } else if (pod.deleting()) {
      // Deleted by somebody before it was done: it failed once it is gone.
      ++terminating;
      if (!is_tracked(pod)) continue;
      bool suspended = job["spec"]["suspend"].bool_or(false);  // taken away by us: no failure of its own
      if (!suspended && !lists(bad, pod.uid())) bad.push_back(pod.uid());
      plan.untrack.push_back(pod);
    } else {
      running.push_back(pod);
      ready += is_ready(pod);
    }
  }
  active = static_cast<std::int64_t>(running.size());
  auto& named = plan.status["uncountedTerminatedPods"];
  named = doc::Map();
  if (!good.empty()) named["succeeded"] = good;
  if (!bad.empty()) named["failed"] = bad;
  plan.status["succeeded"] = succeeded, plan.status["failed"] = failed;
  if (indexed && !done.empty()) plan.status["completedIndexes"] = print_indexes(done);
}

std::int64_t named_count(const doc::Value& status, std::string_view which) {
  const auto* list = status.find_path({"uncountedTerminatedPods", which});
  return list != nullptr && list->is_list() ? static_cast<std::int64_t>(list->if_list()->size()) : 0;
}

// 10 s, doubled with each failure, at most 6 minutes; counted from the last one.
std::optional<Millis> backoff_left(const Tally& tally) {
  if (tally.failures.empty()) return std::nullopt;
  auto last = *std::max_element(tally.failures.begin(), tally.failures.end());
  auto delay = Millis(10'000) * (1LL << std::min<std::size_t>(tally.failures.size() - 1, 6));
  auto until = last + std::min<Millis>(delay, Millis(360'000));
  if (until <= tally.now) return std::nullopt;
  return std::chrono::ceil<Millis>(until - tally.now);
}

struct Verdict {
  std::string type, reason, message;  // type Complete or Failed; "" while it runs
};

Verdict judge(const Object& job, const Tally& tally, std::int64_t won, std::int64_t lost, WallTime now) {
  auto completions = job["spec"]["completions"];
  auto limit = job["spec"]["backoffLimit"].num_or(6);
  auto restarts = std::int64_t{0};
  if (job["spec"]["template"]["spec"]["restartPolicy"].str_or("") == "OnFailure")
    for (const auto& pod : tally.running) restarts += restarts_of(pod);
  if (lost > limit || (restarts > 0 && restarts >= limit && limit > 0) || (restarts > 0 && limit == 0))
    return {"Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"};
  auto started = time_at(job["status"]["startTime"]);
  if (auto seconds = job["spec"]["activeDeadlineSeconds"]; seconds.present() && started &&
                                                           !job["spec"]["suspend"].bool_or(false) &&
                                                           *started + std::chrono::seconds(seconds.num_or(0)) <= now)
    return {"Failed", "DeadlineExceeded", "Job was active longer than specified deadline"};
  bool complete = completions.present()
                      ? (tally.indexed ? static_cast<std::int64_t>(tally.done.size()) : won) >= completions.num_or(1)
                      : won > 0 && tally.active == 0;
  if (complete) return {"Complete", "CompletionsReached", "Reached expected number of succeeded pods"};
  return {};
}

void plan_pods(const Object& job, Tally& tally, std::int64_t won) {
  auto parallelism = job["spec"]["parallelism"].num_or(1);
  auto completions = job["spec"]["completions"];
  auto want = parallelism;
  if (completions.present()) {
    auto reached = tally.indexed ? static_cast<std::int64_t>(tally.done.size()) : won;
    want = std::min(parallelism, completions.num_or(1) - reached);
  } else if (won > 0) {
    want = tally.active;  // a work queue: once one pod has succeeded, no new one
  }
  if (job["spec"]["suspend"].bool_or(false)) want = 0;
  for (auto i = want; i < tally.active; ++i) tally.plan.remove.push_back(tally.running[i]);
  auto missing = want - tally.active;
  if (missing <= 0) return;
  if (auto left = backoff_left(tally)) {
    tally.plan.again = left;
    return;
  }
  if (!tally.indexed) {
    tally.plan.create.assign(missing, -1);
    return;
  }
  std::set<std::int64_t> taken = tally.done;
  for (const auto& pod : tally.running) taken.insert(index_of(pod));
  for (std::int64_t i = 0; i < completions.num_or(1) && missing > 0; ++i)
    if (!taken.contains(i)) tally.plan.create.push_back(i), --missing;
}

void set_start(const Object& job, doc::Value& status, WallTime now) {
  bool suspended = job["spec"]["suspend"].bool_or(false);
  if (const auto* start = job.value().find_path({"status", "startTime"});
      start != nullptr && !start->is_null() && !suspended)
    status["startTime"] = *start;
  else if (!suspended)
    status["startTime"] = rfc3339(now);
  bool was = kube::condition_status(job, "Suspended") == "True";
  if (suspended)
    put_condition(status, {"Suspended", "True", "JobSuspended", "Job suspended"}, now);
  else if (was)
    put_condition(status, {"Suspended", "False", "JobResumed", "Job resumed"}, now);
}

void finish(Tally& tally, const Verdict& verdict, WallTime now) {
  auto& plan = tally.plan;
  bool good = verdict.type == "Complete";
  // First the intent; the last word when no pod runs and all are counted.
  put_condition(plan.status, {good ? "SuccessCriteriaMet" : "FailureTarget", "True", verdict.reason, verdict.message},
                now);
  plan.create.clear();
  plan.remove = tally.running;
  bool settled = plan.remove.empty() && tally.terminating == 0 && named_count(plan.status, "succeeded") == 0 &&
                 named_count(plan.status, "failed") == 0;
  if (!settled) return;
  put_condition(plan.status, {verdict.type, "True", verdict.reason, verdict.message}, now);
  if (good) plan.status["completionTime"] = rfc3339(now);
  plan.finished = true;
  plan.event_reason = good ? "Completed" : verdict.reason;
  plan.event_message = good ? "Job completed" : verdict.message;
}

}  // namespace

bool is_job_finished(const Object& job) {
  return kube::condition_status(job, "Complete") == "True" || kube::condition_status(job, "Failed") == "True";
}

JobPlan plan_job(const Object& job, const std::vector<Object>& pods, WallTime now) {
  Tally tally{job, pods, now};
  if (const auto* conditions = job.value().find_path({"status", "conditions"}))
    tally.plan.status["conditions"] = *conditions;
  tally.count();
  auto& plan = tally.plan;
  auto won = tally.succeeded + named_count(plan.status, "succeeded"),
       lost = tally.failed + named_count(plan.status, "failed");
  set_start(job, plan.status, now);
  Verdict verdict;
  if (const auto* target = find_condition(plan.status, "FailureTarget"))
    verdict = {"Failed", target->str_at({"reason"}), target->str_at({"message"})};
  else if (const auto* met = find_condition(plan.status, "SuccessCriteriaMet"))
    verdict = {"Complete", met->str_at({"reason"}), met->str_at({"message"})};
  else
    verdict = judge(job, tally, won, lost, now);
  if (!verdict.type.empty())
    finish(tally, verdict, now);
  else
    plan_pods(job, tally, won);
  auto& status = plan.status;
  for (auto [name, n] : {std::pair{"active", tally.active}, {"terminating", tally.terminating}, {"ready", tally.ready}})
    if (n > 0 || name == std::string_view("ready")) status[name] = n;
  for (auto name : {"succeeded", "failed"})
    if (*status.find(name) == doc::Value(0)) status.map().erase(name);
  auto started = time_at(doc::View(status)["startTime"]);
  if (auto seconds = job["spec"]["activeDeadlineSeconds"]; seconds.present() && started && verdict.type.empty()) {
    auto left = std::chrono::ceil<Millis>(*started + std::chrono::seconds(seconds.num_or(0)) - now);
    plan.again = std::min(plan.again.value_or(left), std::max(left, Millis(1)));
  }
  return plan;
}

std::set<std::int64_t> parse_indexes(std::string_view text) {
  std::set<std::int64_t> result;
  for (auto part : split(text, ',')) {
    auto range = cut(part, "-");
    auto first = to_int(range ? range->first : part), last = range ? to_int(range->second) : first;
    if (!first || !last || *first < 0 || *last - *first > 1'000'000) continue;
    for (auto i = *first; i <= *last; ++i) result.insert(i);
  }
  return result;
}

std::string print_indexes(const std::set<std::int64_t>& indexes) {
  std::string text;
  for (auto it = indexes.begin(); it != indexes.end();) {
    auto first = *it, last = first;
    while (++it != indexes.end() && *it == last + 1) last = *it;
    text += fmt::format("{}{}", text.empty() ? "" : ",", first);
    if (last > first) text += fmt::format("{}{}", last == first + 1 ? "," : "-", last);
  }
  return text;
}

}  // namespace slipway::cluster
