#pragma once
// Argo's analysis as pure functions: a metric's specification, what was measured so far, what follows.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "doc/view.h"
#include "verify/condition.h"

namespace slipway::verify {

enum class Phase { pending, running, successful, failed, inconclusive, error };
std::string_view to_string(Phase phase);  // Pending, Running, Successful, Failed, Inconclusive, Error
Phase phase_from(std::string_view text);  // pending for anything else
inline bool is_final(Phase phase) { return phase != Phase::pending && phase != Phase::running; }
// Of several metrics the worst counts: Successful < Running < Pending < Inconclusive < Error < Failed.
Phase worse(Phase a, Phase b);

struct Metric {
  std::string name;
  Millis initial_delay{0};
  std::optional<Millis> interval;
  std::optional<std::int64_t> count;  // effective: 1 without an interval, endless with one
  std::int64_t failure_limit = 0, inconclusive_limit = 0, consecutive_error_limit = 4, consecutive_success_limit = 0;
  std::optional<Condition> success, failure;
  doc::Value provider;  // one key: web, job, prometheus, slipway
  bool dry_run = false;
  std::size_t retention = 10;  // measurements kept
};
// A metric of an AnalysisRun whose args are filled in. Errors: invalid with the place.
Result<Metric> metric_from(doc::View metric);

struct Measurement {
  Phase phase = Phase::running;
  std::string value, message;
  std::optional<WallTime> started, finished, resume_at;
  std::map<std::string, std::string> metadata;
};
// status.metricResults[i]
struct MetricResult {
  std::string name, message;
  Phase phase = Phase::pending;
  std::int64_t count = 0, successful = 0, failed = 0, inconclusive = 0, error = 0, consecutive_error = 0,
               consecutive_success = 0;
  std::vector<Measurement> measurements;
  std::map<std::string, std::string> metadata;
  bool dry_run = false;
};
MetricResult result_from(doc::View result);
doc::Value to_doc(const MetricResult& result);

// A value through the conditions: only success given: false is Failed; only failure given: false is Successful; both
// given and both false is Inconclusive, failure wins; none: Successful. A condition that cannot be evaluated is Error.
struct Judged {
  Phase phase = Phase::error;
  std::string message;
};
Judged judge(const Metric& metric, const doc::Value& value);

// Counts a finished measurement and keeps the last ones.
void take(const Metric& metric, MetricResult& result, Measurement measurement);
// The metric's phase after what was measured.
struct Assessment {
  Phase phase = Phase::running;
  std::string message;
};
Assessment assess(const Metric& metric, const MetricResult& result, bool terminating);
// When the next measurement is due; nothing when there is none left or one is running.
std::optional<WallTime> next_due(const Metric& metric, const MetricResult& result, WallTime run_started, WallTime now);

// The worst finished phase; running while one is; dry-run metrics do not count.
Assessment run_phase(const std::vector<MetricResult>& results, bool terminating);

// {{args.name}} in every string of the value. Errors: invalid, naming an argument that has no value.
Result<doc::Value> fill_args(const doc::Value& value, const std::map<std::string, std::string>& args);

}  // namespace slipway::verify
