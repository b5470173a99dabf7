#include "verify/analysis.h"

#include "base/text.h"

namespace slipway::verify {
namespace {

constexpr Millis error_pause{10000};  // after an error the interval does not govern

// int-or-string, as count and the limits may come out of an argument.
Result<std::optional<std::int64_t>> number_in(doc::View view) {
  if (!view) return std::optional<std::int64_t>();
  if (auto n = to_int(view.text())) return std::optional(*n);
  return view.wrong("want a whole number");
}
Result<std::int64_t> number_in(doc::View view, std::int64_t fallback) {
  TRY(auto n, number_in(view));
  return n.value_or(fallback);
}
Result<std::optional<Millis>> duration_in(doc::View view) {
  if (!view) return std::optional<Millis>();
  TRY(auto d, view.duration());
  return std::optional(d);
}
Result<std::optional<Condition>> condition_in(doc::View view) {
  auto text = view.str_or("");
  if (trim(text).empty()) return std::optional<Condition>();
  auto condition = Condition::parse(text);
  if (!condition) return view.wrong(condition.error().what());
  return std::optional(*std::move(condition));
}

int rank(Phase phase) {
  switch (phase) {
    case Phase::successful:
      return 0;
    case Phase::running:
      return 1;
    case Phase::pending:
      return 2;
    case Phase::inconclusive:
      return 3;
    case Phase::error:
      return 4;
    case Phase::failed:
      return 5;
  }
  return 0;
}

std::map<std::string, std::string> texts_of(doc::View view) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : view.members()) out[key] = value.text();
  return out;
}
doc::Value map_of(const std::map<std::string, std::string>& texts) {
  doc::Map out;
  for (const auto& [key, value] : texts) out.set(key, value);
  return out;
}
std::optional<WallTime> time_in(doc::View view) {
  auto time = parse_rfc3339(view.str_or(""));
  return time ? std::optional(*time) : std::nullopt;
}

bool endless(const Metric& metric) { return !metric.count && metric.interval; }
std::int64_t wanted(const Metric& metric) { return metric.count.value_or(1); }

Result<std::string> fill_text(std::string_view text, const std::map<std::string, std::string>& args) {
  std::string out;
  while (true) {
    auto open = text.find("{{");
    if (open == text.npos) break;
    auto close = text.find("}}", open);
    if (close == text.npos) break;
    auto name = trim(text.substr(open + 2, close - open - 2));
    out += text.substr(0, open);
    if (name.starts_with("args.")) {
      auto it = args.find(std::string(name.substr(5)));
      if (it == args.end()) return fail(Kind::invalid, "argument \"{}\" has no value", name.substr(5));
      out += it->second;
    } else {
      out += text.substr(open, close + 2 - open);  // another's template
    }
    text.remove_prefix(close + 2);
  }
  return out += text;
}

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::pending:
      return "Pending";
    case Phase::running:
      return "Running";
    case Phase::successful:
      return "Successful";
    case Phase::failed:
      return "Failed";
    case Phase::inconclusive:
      return "Inconclusive";
    case Phase::error:
      return "Error";
  }
  return "";
}

Phase phase_from(std::string_view text) {
  for (auto phase : {Phase::running, Phase::successful, Phase::failed, Phase::inconclusive, Phase::error})
    if (text == to_string(phase)) return phase;
  return Phase::pending;
}

Phase worse(Phase a, Phase b) { return rank(a) >= rank(b) ? a : b; }

Result<Metric> metric_from(doc::View view) {
  Metric m;
  TRY(m.name, view["name"].str());
  TRY(auto delay, duration_in(view["initialDelay"]));
  m.initial_delay = delay.value_or(Millis(0));
  TRY(m.interval, duration_in(view["interval"]));
  if (m.interval && *m.interval < Millis(1)) return view["interval"].wrong("want a duration above zero");
  TRY(m.count, number_in(view["count"]));
  if (m.count && *m.count <= 0) m.count.reset();
  if (m.count && *m.count > 1 && !m.interval) return view["count"].wrong("more than one measurement needs an interval");
  TRY(m.failure_limit, number_in(view["failureLimit"], 0));
  TRY(m.inconclusive_limit, number_in(view["inconclusiveLimit"], 0));
  TRY(m.consecutive_error_limit, number_in(view["consecutiveErrorLimit"], 4));
  TRY(m.consecutive_success_limit, number_in(view["consecutiveSuccessLimit"], 0));
  TRY(m.success, condition_in(view["successCondition"]));
  TRY(m.failure, condition_in(view["failureCondition"]));
  m.provider = view["provider"].value();
  if (!m.provider.is_map() || m.provider.if_map()->size() != 1)
    return view["provider"].wrong("want exactly one provider");
  return m;
}

MetricResult result_from(doc::View view) {
  MetricResult r;
  r.name = view["name"].str_or(""), r.message = view["message"].str_or("");
  r.phase = phase_from(view["phase"].str_or(""));
  r.count = view["count"].num_or(0), r.successful = view["successful"].num_or(0), r.failed = view["failed"].num_or(0);
  r.inconclusive = view["inconclusive"].num_or(0), r.error = view["error"].num_or(0);
  r.consecutive_error = view["consecutiveError"].num_or(0),
  r.consecutive_success = view["consecutiveSuccess"].num_or(0);
  r.dry_run = view["dryRun"].bool_or(false);
  r.metadata = texts_of(view["metadata"]);
  for (const auto& item : view["measurements"].items()) {
    Measurement m;
    m.phase = phase_from(item["phase"].str_or(""));
    m.value = item["value"].str_or(""), m.message = item["message"].str_or("");
    m.started = time_in(item["startedAt"]), m.finished = time_in(item["finishedAt"]),
    m.resume_at = time_in(item["resumeAt"]);
    m.metadata = texts_of(item["metadata"]);
    r.measurements.push_back(std::move(m));
  }
  return r;
}

doc::Value to_doc(const MetricResult& r) {
  doc::Map map;
  auto number = [&](std::string_view key, std::int64_t n) {
    if (n != 0) map.set(key, n);
  };
  map.set("name", r.name);
  map.set("phase", std::string(to_string(r.phase)));
  if (!r.message.empty()) map.set("message", r.message);
  number("count", r.count), number("successful", r.successful), number("failed", r.failed);
  number("inconclusive", r.inconclusive), number("error", r.error);
  number("consecutiveError", r.consecutive_error), number("consecutiveSuccess", r.consecutive_success);
  if (r.dry_run) map.set("dryRun", true);
  if (!r.metadata.empty()) map.set("metadata", map_of(r.metadata));
  doc::List list;
  for (const auto& m : r.measurements) {
    doc::Map item;
    item.set("phase", std::string(to_string(m.phase)));
    if (!m.value.empty()) item.set("value", m.value);
    if (!m.message.empty()) item.set("message", m.message);
    if (m.started) item.set("startedAt", rfc3339(*m.started));
    if (m.finished) item.set("finishedAt", rfc3339(*m.finished));
    if (m.resume_at) item.set("resumeAt", rfc3339(*m.resume_at));
    if (!m.metadata.empty()) item.set("metadata", map_of(m.metadata));
    list.push_back(std::move(item));
  }
  map.set("measurements", std::move(list));
  return map;
}

Judged judge(const Metric& metric, const doc::Value& value) {
  if (!metric.success && !metric.failure) return {Phase::successful, {}};
  bool success = false, failure = false;
  if (metric.success) {
    auto holds = metric.success->holds(value);
    if (!holds) return {Phase::error, holds.error().what()};
    success = *holds;
  }
  if (metric.failure) {
    auto holds = metric.failure->holds(value);
    if (!holds) return {Phase::error, holds.error().what()};
    failure = *holds;
  }
  if (failure) return {Phase::failed, {}};
  if (metric.success && success) return {Phase::successful, {}};
  if (!metric.failure) return {Phase::failed, {}};
  return {metric.success ? Phase::inconclusive : Phase::successful, {}};
}

void take(const Metric& metric, MetricResult& result, Measurement measurement) {
  switch (measurement.phase) {
    case Phase::successful:
      ++result.successful, ++result.count, ++result.consecutive_success, result.consecutive_error = 0;
      break;
    case Phase::failed:
      ++result.failed, ++result.count, result.consecutive_success = 0, result.consecutive_error = 0;
      break;
    case Phase::inconclusive:
      ++result.inconclusive, ++result.count, result.consecutive_success = 0, result.consecutive_error = 0;
      break;
    case Phase::error:
      ++result.error, ++result.consecutive_error, result.consecutive_success = 0;
      break;  // is no measurement
    case Phase::pending:
    case Phase::running:
      break;
  }
  if (!result.measurements.empty() && !is_final(result.measurements.back().phase)) result.measurements.pop_back();
  result.measurements.push_back(std::move(measurement));
  auto most = std::max<std::size_t>(metric.retention, 1);
  if (result.measurements.size() > most)
    result.measurements.erase(result.measurements.begin(), result.measurements.end() - static_cast<long>(most));
}

Assessment assess(const Metric& metric, const MetricResult& r, bool terminating) {
  // When several limits are passed: Error, then Inconclusive, then Failed.
  if (metric.consecutive_error_limit >= 0 && r.consecutive_error > metric.consecutive_error_limit)
    return {Phase::error, fmt::format("consecutiveErrors ({}) > consecutiveErrorLimit ({})", r.consecutive_error,
                                      metric.consecutive_error_limit)};
  if (metric.inconclusive_limit >= 0 && r.inconclusive > metric.inconclusive_limit)
    return {Phase::inconclusive,
            fmt::format("inconclusive ({}) > inconclusiveLimit ({})", r.inconclusive, metric.inconclusive_limit)};
  if (metric.failure_limit >= 0 && r.failed > metric.failure_limit)
    return {Phase::failed, fmt::format("failed ({}) > failureLimit ({})", r.failed, metric.failure_limit)};
  bool success_limit = metric.consecutive_success_limit > 0;
  if (success_limit && r.consecutive_success >= metric.consecutive_success_limit) return {Phase::successful, {}};
  if (!endless(metric) && r.count >= wanted(metric)) {
    if (!success_limit) return {Phase::successful, {}};
    return {metric.failure_limit >= 0 ? Phase::inconclusive : Phase::failed,
            fmt::format("{} measurements without {} successes in a row", r.count, metric.consecutive_success_limit)};
  }
  // Stopped before anything was wrong.
  if (terminating) return {Phase::successful, "metric terminated"};
  return {Phase::running, {}};
}

std::optional<WallTime> next_due(const Metric& metric, const MetricResult& r, WallTime run_started, WallTime now) {
  if (is_final(r.phase)) return std::nullopt;
  if (r.measurements.empty()) return run_started + metric.initial_delay;
  const auto& last = r.measurements.back();
  if (!is_final(last.phase)) return std::nullopt;
  auto since = last.finished.value_or(now);
  if (last.phase == Phase::error) return since + error_pause;
  if (!endless(metric) && r.count >= wanted(metric)) return std::nullopt;
  return since + metric.interval.value_or(error_pause);
}

Assessment run_phase(const std::vector<MetricResult>& results, bool terminating) {
  Assessment all{Phase::successful, {}};
  bool running = false, any = false;
  for (const auto& r : results) {
    if (!is_final(r.phase)) running = true;
    if (r.dry_run || !is_final(r.phase)) continue;
    any = true;
    if (worse(all.phase, r.phase) != all.phase) {
      all.phase = r.phase;
      all.message = fmt::format("Metric \"{}\" assessed {}{}", r.name, to_string(r.phase),
                                r.message.empty() ? "" : " due to " + r.message);
    }
  }
  bool bad = any && all.phase != Phase::successful;
  if (running && !bad && !terminating) return {Phase::running, {}};
  return all;
}

Result<doc::Value> fill_args(const doc::Value& value, const std::map<std::string, std::string>& args) {
  auto out = value;
  if (auto* text = out.if_string()) {
    TRY(*text, fill_text(*text, args));
  } else if (auto* list = out.if_list()) {
    for (auto& item : *list) {
      TRY(item, fill_args(item, args));
    }
  } else if (auto* map = out.if_map()) {
    for (auto& [key, item] : *map) {
      TRY(item, fill_args(item, args));
    }
  }
  return out;
}

}  // namespace slipway::verify
