// A job at the service: what it may reach, what its actions are told, and what they left.
#include "base/text.h"
#include "ci/detail/job_run.h"
#include "ci/gitlab.h"
#include "ci/service/entries.h"
#include "net/http.h"

namespace slipway::ci {
namespace {

// GitHub's clients take a server for one of GitHub's own kinds by its name, and for others refuse the protocols spoken
// here; names below .localhost are this machine for them. For links and git it leads to the same place.
std::string named_server(const std::string& url) {
  auto parsed = net::parse_url(url);
  if (!parsed || lower(parsed->host).ends_with(".localhost")) return url;
  return parsed->port == 0 ? fmt::format("{}://slipway.localhost", parsed->scheme)
                           : fmt::format("{}://slipway.localhost:{}", parsed->scheme, parsed->port);
}

}  // namespace

// Rule: "OpenID Connect reference", the claims of GitHub's tokens.
doc::Map JobRun::identity_claims() const {
  doc::Map out;
  for (auto name : {"ref", "sha", "repository", "repository_owner", "run_id", "run_number", "run_attempt", "actor",
                    "workflow", "workflow_ref", "workflow_sha", "head_ref", "base_ref", "event_name", "ref_type"})
    out.set(name, github_.member(name).text());
  // Of the file the job is written in, which is another one in a called workflow.
  auto& event = in_.plan.event;
  out.set("job_workflow_ref", fmt::format("{}/{}@{}", event.repository, in_.plan.workflow->source, event.ref));
  out.set("job_workflow_sha", event.sha);
  out.set("ref_protected", github_.member("ref_protected").truthy() ? "true" : "false");
  out.set("runner_environment", "self-hosted");
  std::string environment;
  if (definition_.environment) {
    auto value = definition_.environment->evaluate(scope(root_, nullptr), root_.source);
    if (value) environment = value->if_object() ? value->member("name").text() : value->text();
  }
  auto subject = "repo:" + github_.member("repository").text();
  if (!environment.empty()) {
    out.set("environment", environment);
    subject += ":environment:" + replace_all(environment, ":", "%3A");
  } else if (github_.member("event_name").text().starts_with("pull_request")) {
    subject += ":pull_request";
  } else {
    subject += ":ref:" + github_.member("ref").text();
  }
  out.set("sub", subject);
  if (fs::path(in_.plan.workflow->source).filename() == gitlab_file) gitlab_claims(out, environment);
  return out;
}

// Rule: GitLab's "OpenID Connect (OIDC) Authentication Using ID Tokens", the payload.
void JobRun::gitlab_claims(doc::Map& out, const std::string& environment) const {
  auto& event = in_.plan.event;
  auto ref = event.ref;
  for (std::string_view prefix : {"refs/heads/", "refs/tags/"})
    if (ref.starts_with(prefix)) ref.erase(0, prefix.size());
  auto type = event.ref.starts_with("refs/tags/") ? "tag" : "branch";
  auto slash = event.repository.rfind('/');
  out.set("project_path", event.repository), out.set("namespace_path", event.repository.substr(0, slash));
  out.set("user_login", event.actor), out.set("pipeline_id", options().run_id), out.set("job_id", result_.key);
  out.set("pipeline_source", event.name.starts_with("pull_request") ? "merge_request_event" : event.name);
  out.set("ref", ref), out.set("ref_path", event.ref), out.set("ref_type", type);
  out.set("ci_config_ref_uri", fmt::format("{}//{}@{}", event.repository, gitlab_file, event.ref));
  if (!environment.empty()) out.set("environment", environment);
  out.set("sub", fmt::format("project_path:{}:ref_type:{}:ref:{}", event.repository, type, ref));
}

Environment JobRun::action_env(bool own_network) {
  if (!options().service) return {};
  if (!pass_) {
    ServiceJob job;
    job.run_id = options().run_id;
    job.key = result_.key;
    job.repository = in_.plan.event.repository;
    job.scopes = cache_scopes(in_.plan.event);
    job.artifacts = &in_.shared.artifacts;
    if (in_.plan.event.trusted && in_.may_identify) job.claims = identity_claims();
    pass_ = options().service->admit(std::move(job));
    for (auto& secret : pass_->secrets()) add_mask(secret);
  }
  auto env = pass_->env(own_network);
  env["GITHUB_SERVER_URL"] = named_server(options().server_url);
  return env;
}

Result<std::pair<std::string, std::string>> JobRun::id_token_request() {
  auto env = action_env(false);
  if (!pass_) return fail(Kind::unavailable, "this runner gives no id tokens: no services are connected to it");
  auto url = env.find("ACTIONS_ID_TOKEN_REQUEST_URL");
  if (url == env.end())
    return Fail(Error(Kind::denied, in_.plan.event.trusted ? "this job may not have an id token"
                                                           : "changes from outside get no id token")
                    .with_hint("write permissions: {id-token: write} in the job, and in the job that calls it"));
  return std::pair(url->second, env.at("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
}

Result<std::string> JobRun::id_token(const Ctx& ctx, const std::string& audience) {
  TRY(auto request, id_token_request());
  TRY(auto token, pass_->id_token(ctx, audience));
  add_mask(token);
  return token;
}

void JobRun::take_artifacts() {
  if (!pass_) return;
  auto changes = pass_->take_changes();
  auto& kept = result_.artifacts;
  for (auto& name : changes.deleted) std::erase_if(kept, [&](auto& artifact) { return artifact.name == name; });
  kept.insert(kept.end(), changes.uploaded.begin(), changes.uploaded.end());
}

}  // namespace slipway::ci
