// What expressions see while a job runs.
#include "base/text.h"
#include "ci/detail/job_run.h"
#include "ci/run/hash_files.h"

namespace slipway::ci {
namespace {

Data text_map(const std::map<std::string, std::string>& values, bool case_sensitive = false) {
  Object object;
  object.case_sensitive = case_sensitive;
  for (auto& [key, value] : values) object.entries.emplace_back(key, value);
  return object;
}

std::string_view after_prefix(std::string_view ref) {
  for (std::string_view prefix : {"refs/heads/", "refs/tags/", "refs/pull/"})
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  return ref;
}

constexpr std::string_view architecture() {
#if defined(__aarch64__)
  return "ARM64";
#else
  return "X64";
#endif
}

}  // namespace

std::string variable_name(std::string_view prefix, std::string_view key) {
  std::string out(prefix);
  for (char c : key) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

bool IgnoringCase::operator()(std::string_view a, std::string_view b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) < std::tolower(y);
  });
}

std::string JobRun::token() const {
  auto found = in_.secrets.find("GITHUB_TOKEN");
  return found == in_.secrets.end() ? std::string() : found->second;
}

void JobRun::make_contexts() {
  auto& e = in_.plan.event;
  auto& o = options();
  auto& workflow = *(in_.root ? in_.root : &in_.plan)->workflow;  // a called one: of the caller
  Object g;
  g.set("token", token());
  g.set("job", definition_.id);
  g.set("ref", e.ref);
  g.set("sha", e.sha);
  g.set("repository", e.repository);
  g.set("repository_owner", e.owner);
  g.set("repositoryUrl", fmt::format("git://{}", e.repository));
  g.set("run_id", o.run_id);
  g.set("run_number", std::to_string(o.run_number));
  g.set("run_attempt", std::to_string(o.attempt));
  g.set("retention_days", "90");
  g.set("actor", e.actor);
  g.set("triggering_actor", e.actor);
  g.set("workflow", workflow.name ? workflow.name->literal_text() : workflow.source);
  g.set("workflow_ref", fmt::format("{}/{}@{}", e.repository, workflow.source, e.ref));
  g.set("workflow_sha", e.sha);
  g.set("head_ref", e.head_ref);
  g.set("base_ref", e.name.starts_with("pull_request") ? e.base_ref : std::string());
  g.set("event_name", e.name);
  g.set("event", Data::from(e.payload));
  g.set("server_url", o.server_url);
  g.set("api_url", o.server_url + "/api/v3");
  g.set("graphql_url", o.server_url + "/api/graphql");
  g.set("ref_name", after_prefix(e.ref));
  g.set("ref_protected", false);
  g.set("ref_type", e.ref.starts_with("refs/tags/") ? "tag" : "branch");
  g.set("secret_source", "Actions");
  g.set("workspace", inside(folder_->workspace()));
  g.set("event_path", inside(folder_->temp() + "/_github_workflow/event.json"));
  g.set("action", "__run");
  g.set("action_path", "");
  g.set("action_repository", "");
  g.set("action_ref", "");
  github_ = std::move(g);

  Object r;
  r.set("os", "Linux");
  r.set("arch", std::string(architecture()));
  r.set("name", "slipway");
  r.set("environment", "self-hosted");
  r.set("tool_cache", inside(folder_->tools()));
  r.set("temp", inside(folder_->temp()));
  r.set("workspace", inside(fs::path(folder_->workspace()).parent_path().string()));
  r.set("debug", "");
  runner_ = std::move(r);

  Object s;
  s.set("fail-fast", in_.fail_fast);
  s.set("job-index", static_cast<double>(in_.index));
  s.set("job-total", static_cast<double>(in_.total));
  s.set("max-parallel", in_.max_parallel > 0 ? static_cast<double>(in_.max_parallel) : static_cast<double>(in_.total));
  strategy_ = std::move(s);
  secrets_ = text_map(in_.secrets);
  auto vars = in_.vars;
  vars.insert(o.vars.begin(), o.vars.end());
  vars_ = text_map(vars);
}

Data JobRun::github_of(const Frame& frame, const StepContext* step) const {
  Object g = *github_.if_object();
  if (step) g.set("action", step->id);
  if (frame.composite) {
    g.set("action_path", frame.action_path);
    g.set("action_repository", frame.action_repository);
    g.set("action_ref", frame.action_ref);
    g.set("action_status", cancelled_ ? "cancelled" : frame.failed ? "failure" : "success");
  }
  return g;
}

namespace {

Data steps_data(const std::map<std::string, StepRecord, IgnoringCase>& records) {
  Object steps;
  for (auto& [id, record] : records) {
    Object one;
    one.set("outputs", text_map(record.outputs));
    one.set("outcome", std::string(to_string(record.outcome)));
    one.set("conclusion", std::string(to_string(record.conclusion)));
    steps.set(id, std::move(one));
  }
  return steps;
}

}  // namespace

Scope JobRun::scope(const Frame& frame, const StepContext* step) const {
  Scope out;
  out.context = [this, &frame, step](std::string_view name) -> Data {
    auto is = [&](std::string_view other) { return iequals(name, other); };
    if (is("github")) return github_of(frame, step);
    if (is("env")) {
      Environment env = job_env_;
      for (auto& [key, value] : global_env_) env[key] = value;
      for (auto& [key, value] : frame.env) env[key] = value;
      if (step)
        for (auto& [key, value] : step->env) env[key] = value;
      return text_map(env, true);
    }
    if (is("inputs")) return frame.inputs;
    if (is("vars")) return vars_;
    if (is("secrets")) return frame.composite ? Data(Object{}) : secrets_;
    if (is("steps")) return steps_data(frame.records);
    if (is("runner")) return runner_;
    if (is("strategy")) return strategy_;
    if (is("matrix")) return in_.leg.matrix;
    if (is("needs")) return in_.needs;
    if (is("job")) {
      Object job;
      job.set("status", cancelled_ ? "cancelled" : failed_ ? "failure" : "success");
      job.set("container", Object{});
      Object services;
      for (auto& service : services_) {
        Object one, ports;
        for (auto& port : service.ports) ports.set(port, port);
        one.set("ports", std::move(ports));
        one.set("id", service.container ? service.container->id() : "");
        services.set(service.name, std::move(one));
      }
      job.set("services", std::move(services));
      return job;
    }
    return {};
  };
  out.call = [this, &frame](std::string_view function, const std::vector<Data>& arguments) -> Result<Data> {
    bool failed = frame.composite ? frame.failed : failed_;
    if (iequals(function, "always")) return Data(true);
    if (iequals(function, "cancelled")) return Data(cancelled_);
    if (iequals(function, "success")) return Data(!failed && !cancelled_);
    if (iequals(function, "failure")) return Data(failed && !cancelled_);
    if (iequals(function, "hashFiles")) {
      std::vector<std::string> patterns;
      for (auto& argument : arguments) patterns.push_back(argument.text());
      std::string digest;
      Ctx ctx = Ctx{}.within(std::chrono::seconds(120));
      auto hashed = folder_->in_root([&](const fs::path& root) -> Result<> {
        TRY(digest, hash_files(ctx, root / folder_->workspace(), patterns));
        if (recorder_) {
          TRY(auto files, find_files(ctx, root / folder_->workspace(), patterns));
          looked_for(files);
        }
        return {};
      });
      TRY_OK(std::move(hashed));
      return Data(digest);
    }
    return fail(Kind::invalid, "function '{}' is not available here", function);
  };
  return out;
}

Result<Environment> JobRun::evaluate_env(const Template& value, const Frame& frame, const StepContext* step) const {
  TRY(auto data, value.evaluate(scope(frame, step), frame.source));
  Environment out;
  if (auto* object = data.if_object())
    for (auto& [key, item] : object->entries) out[key] = item.text();
  else if (!data.is_null())
    return fail(Kind::invalid, "{}:{}:{}: env: want a mapping, got {}", frame.source, value.mark.line,
                value.mark.column, data.print());
  return out;
}

}  // namespace slipway::ci
