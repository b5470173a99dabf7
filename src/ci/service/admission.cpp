// A job at the service: what it may reach, what its actions are told, and what they left.
#include "base/text.h"
#include "ci/detail/job_run.h"
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
  return out;
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

void JobRun::take_artifacts() {
  if (!pass_) return;
  auto changes = pass_->take_changes();
  auto& kept = result_.artifacts;
  for (auto& name : changes.deleted) std::erase_if(kept, [&](auto& artifact) { return artifact.name == name; });
  kept.insert(kept.end(), changes.uploaded.begin(), changes.uploaded.end());
}

}  // namespace slipway::ci
