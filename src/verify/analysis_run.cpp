#include "verify/analysis_run.h"

#include <re2/re2.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"

namespace slipway::verify {
namespace {

const kube::Type run_type{"argoproj.io/v1alpha1", "AnalysisRun"};

Result<std::string> secret_value(const Ctx& ctx, kube::Client& client, const std::string& ns, doc::View ref) {
  auto name = ref["name"].str_or(""), key = ref["key"].str_or("");
  TRY(auto secret, client.get(ctx, {"v1", "Secret"}, {ns, name}));
  if (!secret) return fail(Kind::invalid, "secret {}/{} does not exist", ns, name);
  auto encoded = (*secret)["data"][key];
  if (!encoded) return fail(Kind::invalid, "secret {}/{} has no key \"{}\"", ns, name, key);
  return from_base64(encoded.str_or(""));
}

// Names are patterns that must match whole, as Argo reads them.
bool pattern_fits(const std::string& pattern, const std::string& name) {
  RE2 re(pattern, RE2::Quiet);
  return re.ok() && RE2::FullMatch(name, re);
}

struct Plan {
  std::vector<Metric> metrics;
};

Result<Plan> plan_of(const Ctx& ctx, kube::Client& client, const kube::Object& run) {
  std::map<std::string, std::string> args;
  for (const auto& arg : run["spec"]["args"].items()) {
    auto name = arg["name"].str_or("");
    if (auto ref = arg["valueFrom"]["secretKeyRef"]) {
      TRY(args[name], secret_value(ctx, client, run.ns(), ref));
    } else if (arg["value"].exists()) {
      args[name] = arg["value"].text();
    }
  }
  Plan plan;
  for (const auto& item : run["spec"]["metrics"].items()) {
    TRY(auto filled, fill_args(item.value(), args));
    TRY(auto metric, metric_from(doc::View(filled)));
    for (const auto& dry : run["spec"]["dryRun"].items())
      if (pattern_fits(dry["metricName"].str_or(""), metric.name)) metric.dry_run = true;
    for (const auto& keep : run["spec"]["measurementRetention"].items())
      if (pattern_fits(keep["metricName"].str_or(""), metric.name))
        metric.retention = static_cast<std::size_t>(std::clamp<std::int64_t>(keep["limit"].num_or(10), 1, 1000));
    plan.metrics.push_back(std::move(metric));
  }
  if (plan.metrics.empty()) return fail(Kind::invalid, "the run has no metrics");
  return plan;
}

class RunStep {
 public:
  RunStep(const Ctx& ctx, Providers& providers, const kube::Object& run)
      : ctx_(ctx), providers_(providers), run_(run), now_(ctx.clock->wall()) {
    auto status = run["status"];
    auto started = parse_rfc3339(status["startedAt"].str_or(""));
    started_ = started ? *started : now_;
    for (const auto& r : status["metricResults"].items()) results_.push_back(result_from(r));
  }

  doc::Value invalid(const std::string& why) { return status_doc({Phase::error, why}); }

  doc::Value step(const Plan& plan) {
    line_up(plan);
    bool stop = run_["spec"]["terminate"].bool_or(false) || some_bad();
    for (std::size_t i = 0; i < plan.metrics.size(); ++i) one(plan.metrics[i], results_[i], stop);
    // A metric that turned bad in this pass ends the others in this pass as well.
    if (!stop && some_bad()) {
      stop = true;
      for (std::size_t i = 0; i < plan.metrics.size(); ++i)
        if (!is_final(results_[i].phase)) one(plan.metrics[i], results_[i], true);
    }
    return status_doc(run_phase(results_, stop));
  }
  std::optional<Millis> again() const {
    if (!next_) return std::nullopt;
    return std::max(Millis(0), std::chrono::ceil<Millis>(*next_ - ctx_.clock->wall()));
  }

 private:
  void line_up(const Plan& plan) {
    std::vector<MetricResult> lined;
    for (const auto& metric : plan.metrics) {
      auto it = std::find_if(results_.begin(), results_.end(), [&](const auto& r) { return r.name == metric.name; });
      lined.push_back(it == results_.end() ? MetricResult{} : *it);
      lined.back().name = metric.name, lined.back().dry_run = metric.dry_run;
    }
    results_ = std::move(lined);
  }
  bool some_bad() const {
    return std::any_of(results_.begin(), results_.end(), [](const auto& r) {
      return !r.dry_run && (r.phase == Phase::failed || r.phase == Phase::error || r.phase == Phase::inconclusive);
    });
  }

  void one(const Metric& metric, MetricResult& result, bool stop) {
    if (is_final(result.phase)) return;
    Providers::Asked asked{run_, metric, result, is_last(metric, result)};
    bool running = !result.measurements.empty() && !is_final(result.measurements.back().phase);
    if (running) {
      auto last = result.measurements.back();
      if (stop)
        take(metric, result, providers_.terminate(ctx_, asked, std::move(last)));
      else if (last.resume_at.value_or(now_) <= now_)
        take(metric, result, providers_.resume(ctx_, asked, std::move(last)));
    } else if (!stop) {
      auto due = next_due(metric, result, started_, now_);
      if (due && *due <= now_) take(metric, result, providers_.measure(ctx_, asked));
    }
    auto assessed = assess(metric, result, stop);
    result.phase = assessed.phase;
    if (!assessed.message.empty()) result.message = assessed.message;
    if (!result.measurements.empty() && is_final(result.phase) && result.phase != Phase::successful &&
        !result.measurements.back().message.empty())
      result.message += (result.message.empty() ? "" : ": ") + result.measurements.back().message;
    if (is_final(result.phase)) return;
    auto due = next_due(metric, result, started_, now_);
    if (!result.measurements.empty() && !is_final(result.measurements.back().phase))
      due = result.measurements.back().resume_at;
    if (due && (!next_ || *due < *next_)) next_ = *due;
  }
  static bool is_last(const Metric& metric, const MetricResult& result) {
    if (!metric.count && metric.interval) return false;
    return result.count + 1 >= metric.count.value_or(1);
  }

  doc::Value summary(bool dry) const {
    std::int64_t count = 0, good = 0, bad = 0, unsure = 0, error = 0;
    for (const auto& r : results_) {
      if (r.dry_run != dry) continue;
      ++count;
      good += r.phase == Phase::successful, bad += r.phase == Phase::failed;
      unsure += r.phase == Phase::inconclusive, error += r.phase == Phase::error;
    }
    doc::Map map{{"count", count}};
    for (auto [key, n] : {std::pair{"successful", good}, {"failed", bad}, {"inconclusive", unsure}, {"error", error}})
      if (n > 0) map.set(key, n);
    return map;
  }

  doc::Value status_doc(const Assessment& all) {
    doc::Map status{{"phase", std::string(to_string(all.phase))}};
    if (!all.message.empty()) status.set("message", all.message);
    status.set("startedAt", rfc3339(started_));
    if (is_final(all.phase)) status.set("completedAt", rfc3339(ctx_.clock->wall())), next_.reset();
    doc::List list;
    for (const auto& r : results_) list.push_back(to_doc(r));
    if (!list.empty()) status.set("metricResults", std::move(list));
    status.set("runSummary", summary(false));
    status.set("dryRunSummary", summary(true));
    return status;
  }

  const Ctx& ctx_;
  Providers& providers_;
  const kube::Object& run_;
  WallTime now_, started_;
  std::vector<MetricResult> results_;
  std::optional<WallTime> next_;
};

}  // namespace

Result<kube::Reconciled> reconcile_run(const Ctx& ctx, kube::Client& client, Providers& providers,
                                       const kube::Key& key) {
  TRY(auto run, client.get(ctx, run_type, key));
  if (!run || run->deleting() || is_final(phase_from((*run)["status"]["phase"].str_or("")))) return kube::Reconciled{};
  RunStep step(ctx, providers, *run);
  auto plan = plan_of(ctx, client, *run);
  // A secret that cannot be read now may be there later; the rest is wrong for good.
  if (!plan && !plan.error().is(Kind::invalid)) return Fail(std::move(plan).error());
  auto status = plan ? step.step(*plan) : step.invalid(plan.error().what());
  auto phase = status.str_at({"phase"});
  TRY(auto written, kube::write_status(ctx, client, *run, std::move(status)));
  if (is_final(phase_from(phase))) LOG(info, "verify.analysis.done", {"run", key.str()}, {"phase", phase});
  return kube::Reconciled{step.again()};
}

Result<> run_analysis_controller(const Ctx& ctx, AnalysisOptions options) {
  if (!options.providers.client) options.providers.client = options.client;
  Providers providers(std::move(options.providers));
  kube::ControllerOptions controller;
  controller.name = "analysis";
  controller.workers = options.workers;
  controller.sources.push_back({.type = run_type, .keys = {}, .options = {}});
  controller.sources.push_back(
      {.type = {"batch/v1", "Job"}, .keys = kube::keys_of_owner("AnalysisRun"), .options = {}});
  return kube::run_controller(ctx, *options.client, controller, [&](const Ctx& inner, const kube::Key& key) {
    return reconcile_run(inner, *options.client, providers, key);
  });
}

}  // namespace slipway::verify
