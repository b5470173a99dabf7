#include "ci/pod/wire.h"
#include "ci/detail/documents.h"

#include "base/time.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

using std::chrono::system_clock;

doc::Value list(const std::vector<std::string>& values) { return doc::List(values.begin(), values.end()); }
// The fields of Event that are texts, by their names on the wire.
constexpr std::pair<const char*, std::string Event::*> event_texts[] = {{"name", &Event::name},
                                                                        {"action", &Event::action},
                                                                        {"repository", &Event::repository},
                                                                        {"owner", &Event::owner},
                                                                        {"ref", &Event::ref},
                                                                        {"sha", &Event::sha},
                                                                        {"before", &Event::before},
                                                                        {"baseRef", &Event::base_ref},
                                                                        {"headRef", &Event::head_ref},
                                                                        {"baseSha", &Event::base_sha},
                                                                        {"actor", &Event::actor},
                                                                        {"subject", &Event::subject},
                                                                        {"defaultBranch", &Event::default_branch}};

doc::Value event_doc(const Event& e) {
  doc::Map out;
  for (auto& [name, field] : event_texts) out.append(name, e.*field);
  out.append("number", e.number), out.append("trusted", e.trusted);
  out.append("paths", list(e.paths)), out.append("payload", e.payload), out.append("inputs", e.inputs);
  return out;
}
Event event_from_wire(doc::View v) {
  Event out;
  for (auto& [name, field] : event_texts) out.*field = v[name].str_or("");
  out.number = static_cast<int>(v["number"].num_or(0)), out.trusted = v["trusted"].bool_or(false);
  out.paths = list_from(v["paths"]), out.payload = v["payload"].value(), out.inputs = v["inputs"].value();
  return out;
}

constexpr std::pair<const char*, bool JobDescription::*> abilities[] = {{"caches", &JobDescription::caches},
                                                                        {"builder", &JobDescription::builder},
                                                                        {"scanner", &JobDescription::scanner},
                                                                        {"previewer", &JobDescription::previewer},
                                                                        {"service", &JobDescription::service},
                                                                        {"actions", &JobDescription::actions},
                                                                        {"mayIdentify", &JobDescription::may_identify},
                                                                        {"failFast", &JobDescription::fail_fast}};
constexpr std::pair<const char*, std::string JobDescription::*> names[] = {
    {"file", &JobDescription::file},
    {"key", &JobDescription::key},
    {"commit", &JobDescription::commit},
    {"runId", &JobDescription::run_id},
    {"serverUrl", &JobDescription::server_url},
    {"registryHost", &JobDescription::registry_host}};

std::int64_t millis_of(system_clock::time_point t) {
  return std::chrono::duration_cast<Millis>(t.time_since_epoch()).count();
}
system_clock::time_point time_of(std::int64_t millis) { return system_clock::time_point(Millis(millis)); }

constexpr std::string_view kinds[] = {"log", "start", "step", "note", "tests", "end"};

doc::Value report_doc(const TestReport& report) {
  doc::List cases;
  for (auto& c : report.cases) {
    doc::Map one{
        {"suite", c.suite}, {"name", c.name}, {"outcome", static_cast<int>(c.outcome)}, {"millis", c.time.count()}};
    if (!c.place.file.empty()) one.append("file", c.place.file), one.append("line", c.place.line);
    if (!c.message.empty()) one.append("message", c.message);
    if (!c.detail.empty()) one.append("detail", c.detail);
    cases.emplace_back(std::move(one));
  }
  return cases;
}
TestReport report_from(doc::View view) {
  TestReport out;
  for (auto& c : view.items()) {
    TestCase one;
    auto outcome = c["outcome"].num_or(0);
    one.outcome = outcome == 1   ? TestCase::Outcome::failed
                  : outcome == 2 ? TestCase::Outcome::skipped
                                 : TestCase::Outcome::passed;
    one.suite = c["suite"].str_or(""), one.name = c["name"].str_or("");
    one.time = Millis(c["millis"].num_or(0));
    one.place.file = c["file"].str_or(""), one.place.line = static_cast<int>(c["line"].num_or(0));
    one.message = c["message"].str_or(""), one.detail = c["detail"].str_or("");
    out.add(std::move(one));
  }
  return out;
}

bool has_plan(const Plan& root, const Plan& plan, const std::string& job, std::vector<std::string>& out) {
  if (&root == &plan) {
    out.push_back(job);
    return true;
  }
  for (auto& one : root.jobs) {
    if (!one.called) continue;
    out.push_back(one.id);
    if (has_plan(*one.called, plan, job, out)) return true;
    out.pop_back();
  }
  return false;
}

}  // namespace

std::string print(const JobDescription& job) {
  doc::Map out;
  out.append("version", 1), out.append("event", event_doc(job.event));
  for (auto& [name, field] : names) out.append(name, job.*field);
  for (auto& [name, field] : abilities) out.append(name, job.*field);
  out.append("files", texts(job.files)), out.append("paths", list(job.paths)), out.append("job", list(job.job));
  out.append("suffix", job.leg.suffix), out.append("matrix", job.leg.matrix.to_doc());
  out.append("index", std::uint64_t{job.index}), out.append("total", std::uint64_t{job.total});
  out.append("maxParallel", job.max_parallel);
  out.append("needs", job.needs.to_doc()), out.append("inputs", job.inputs.to_doc());
  out.append("secrets", texts(job.secrets)), out.append("vars", texts(job.vars));
  out.append("registryNames", list(job.registry_names));
  out.append("runNumber", job.run_number), out.append("attempt", job.attempt);
  out.append("timeoutMillis", job.timeout.count()), out.append("graceMillis", job.grace.count());
  out.append("maxLog", job.max_log);
  return doc::print_json(doc::Value(std::move(out)));
}

Result<JobDescription> parse_description(std::string_view json) {
  TRY(auto document, doc::parse_json(json, "job description"));
  doc::View v(document, "job description");
  if (auto version = v["version"].num_or(0); version != 1)
    return Fail(Error(Kind::invalid, fmt::format("job description: version {}, want 1", version))
                    .with_hint("the agent and the house must be of one release"));
  JobDescription out;
  out.event = event_from_wire(v["event"]);
  for (auto& [name, field] : names) out.*field = v[name].str_or("");
  for (auto& [name, field] : abilities) out.*field = v[name].bool_or(false);
  out.files = texts_from(v["files"]), out.paths = list_from(v["paths"]), out.job = list_from(v["job"]);
  out.leg = {v["suffix"].str_or(""), Data::from(v["matrix"].value())};
  out.index = static_cast<std::size_t>(v["index"].num_or(0)),
  out.total = static_cast<std::size_t>(v["total"].num_or(1));
  out.max_parallel = static_cast<int>(v["maxParallel"].num_or(0));
  out.needs = Data::from(v["needs"].value()), out.inputs = Data::from(v["inputs"].value());
  out.secrets = texts_from(v["secrets"]), out.vars = texts_from(v["vars"]);
  out.registry_names = list_from(v["registryNames"]);
  out.run_number = v["runNumber"].num_or(1), out.attempt = v["attempt"].num_or(1);
  out.timeout = Millis(v["timeoutMillis"].num_or(0)), out.grace = Millis(v["graceMillis"].num_or(0));
  out.max_log = static_cast<std::uint64_t>(v["maxLog"].num_or(0));
  if (out.job.empty() || out.key.empty() || out.file.empty() || !out.files.contains(out.file))
    return fail(Kind::invalid, "job description: want job, key, file and that file's text");
  return out;
}

Result<PlannedJob> find_planned(const Plan& root, const std::vector<std::string>& ids) {
  const Plan* plan = &root;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto found = std::find_if(plan->jobs.begin(), plan->jobs.end(), [&](auto& job) { return job.id == ids[i]; });
    if (found == plan->jobs.end()) return fail(Kind::not_found, "{}: has no job {}", plan->workflow->source, ids[i]);
    if (i + 1 == ids.size()) return PlannedJob{plan, &*found};
    if (!found->called) return fail(Kind::not_found, "{}: job {} calls nothing", plan->workflow->source, ids[i]);
    plan = found->called.get();
  }
  return fail(Kind::invalid, "no job is named");
}

std::vector<std::string> path_to(const Plan& root, const Plan& plan, const std::string& job) {
  std::vector<std::string> out;
  if (!has_plan(root, plan, job, out)) out.clear();
  return out;
}

std::string print(const JobEvent& event) {
  using What = JobEvent::What;
  doc::Map out;
  out.append("n", event.number), out.append("k", kinds[static_cast<int>(event.what)]);
  out.append("t", millis_of(event.time));
  if (!event.step.empty()) out.append("s", event.step);
  if (event.what == What::log) out.append("o", event.stream);
  if (event.what == What::log || event.what == What::step_started) out.append("x", event.text);
  if (event.what == What::step_finished || event.what == What::annotation || event.what == What::ended)
    out.append("r", to_doc(event.result));
  if (event.what == What::tests) out.append("tests", report_doc(event.report));
  doc::List spans;
  for (auto& span : event.spans) spans.emplace_back(doc::List{millis_of(span.from), millis_of(span.to)});
  if (!spans.empty()) out.append("spans", std::move(spans));
  return doc::print_json(doc::Value(std::move(out)));
}

Result<JobEvent> parse_event(std::string_view line) {
  using What = JobEvent::What;
  TRY(auto document, doc::parse_json(line, "event"));
  doc::View v(document, "event");
  JobEvent out;
  TRY(out.number, v["n"].num());
  TRY(auto kind, v["k"].str());
  const auto* found = std::find(std::begin(kinds), std::end(kinds), kind);
  if (found == std::end(kinds)) return v["k"].wrong("want log, start, step, note, tests or end");
  out.what = static_cast<What>(found - std::begin(kinds));
  out.time = time_of(std::clamp<std::int64_t>(v["t"].num_or(0), 0, 9'000'000'000'000));
  out.step = v["s"].str_or(""), out.text = v["x"].str_or("");
  out.stream = static_cast<int>(std::clamp<std::int64_t>(v["o"].num_or(1), 0, 2));
  if (v["r"].present()) {
    TRY(out.result, job_result_from(v["r"]));
  }
  if (out.what == What::step_finished && out.result.steps.size() != 1) return v["r"].wrong("want one step");
  if (out.what == What::annotation && out.result.annotations.size() != 1) return v["r"].wrong("want one annotation");
  if (out.what == What::ended && out.result.key.empty()) return v["r"].wrong("want a result");
  for (auto& span : v["spans"].items()) {
    auto ends = span.items();
    if (ends.size() == 2) out.spans.push_back({time_of(ends[0].num_or(0)), time_of(ends[1].num_or(0))});
  }
  out.report = report_from(v["tests"]);
  return out;
}

}  // namespace slipway::ci
