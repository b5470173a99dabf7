#pragma once
// The kinds of group slipway.dev/v1 and the values of path as their spec. The CRDs are in deploy/crds/ and are
// built into the program; the embedded cluster has them from the start.
//
//   Change        spec: Change                                            made by intake
//   PullRequest   spec: number, repository, title, author, head, base     status: state (open merged closed), checks,
//   comment WorkflowRun   spec: change, workflow (file), name                     status: phase, jobs[], startedAt,
//   finishedAt, reusedFrom Artifact      spec: Artifact                                          status: phase,
//   findings summary, sbom digest Pipeline      spec: source repositories, services, environments       lives in the
//   configuration repository Promotion     spec: Promotion less its outcome                        status: phase,
//   commit, message, approvedBy Release       spec: service, environment, digest, commit              status: phase,
//   verdict: what runs where Notifier      spec: type (slack teams webhook email), url, events[]   lives in the
//   configuration repository
//   Approval      spec: run, attempt, commit, environment, decision (approved rejected), by, comment
#include <map>
#include <string>

#include "base/time_zone.h"
#include "doc/value.h"
#include "doc/view.h"
#include "path/types.h"

namespace slipway::path {

inline constexpr std::string_view api_version = "slipway.dev/v1";
// The namespace that holds path objects.
inline constexpr std::string_view home = "slipway-system";

// Empty fields are left out. Change, Artifact and Promotion are read from a whole object (its spec, and a
// Promotion's outcome from its status) or from the value itself. Errors: invalid, naming the field.
doc::Value to_doc(const Change& change);
doc::Value to_doc(const Finding& finding);
doc::Value to_doc(const Artifact& artifact);
doc::Value to_doc(const Promotion& promotion);
doc::Value to_doc(const Verdict& verdict);
doc::Value to_doc(const Notice& notice);
Result<Change> change_from(doc::View view);
Result<Finding> finding_from(doc::View view);
Result<Artifact> artifact_from(doc::View view);
Result<Promotion> promotion_from(doc::View view);
Result<Verdict> verdict_from(doc::View view);
Result<Notice> notice_from(doc::View view);

// Hours in which promotions may or may not happen: a cron schedule that opens for a while.
struct PromotionWindow {
  bool allow = false;  // else deny, which wins
  std::string schedule;
  Millis duration{0};
  TimeZone zone = TimeZone::utc();
};
// One stage of the chain in a Pipeline.
struct Environment {
  std::string name;                    // dev
  std::string path;                    // overlays/dev in the configuration repository
  std::string ns;                      // namespace it lands in
  std::string after;                   // the environment that must hold the artifact first; "" the first
  bool automatic = true;               // else approval
  std::vector<std::string> approvers;  // empty: anybody
  Millis soak{0};
  bool pull_request = false;  // promote by pull request instead of commit
  bool together = false;      // what is due at the same time goes as one commit
  std::vector<PromotionWindow> windows;
  std::string application;  // Argo CD Application that deploys it
};
struct ServiceSource {
  std::string name;                // web
  std::string image;               // name in kustomization images: "shop/web"
  std::string repository;          // source repository
  std::vector<std::string> paths;  // what belongs to it: services/web/**
  std::string workflow;            // workflow file that builds it, "" any
};
struct Pipeline {
  std::string name, config_repository;
  std::string branch;      // of it; "": its HEAD
  std::string config_url;  // where the repository is hosted elsewhere; "": here
  std::vector<ServiceSource> services;
  std::vector<Environment> environments;
};
Result<Pipeline> pipeline_from(doc::View object);

// The rules of an environment that workflow jobs name (`environment:`); of one repository. One without rules is open.
//   Environment   spec: these          status: current, history[]: what ran there last
struct JobEnvironment {
  std::string repository, name;             // as written; the case of the name does not matter
  std::vector<std::string> users, groups;   // reviewers; none: nobody is asked
  int approvals = 1;                        // of different people
  bool prevent_self_review = false;         // who started the run does not approve it
  Millis wait{0};                           // from when the job could have started
  std::vector<std::string> branches, tags;  // patterns; both empty: any ref may deploy
  std::map<std::string, std::string> vars;
  friend bool operator==(const JobEnvironment&, const JobEnvironment&) = default;
};
// Errors: invalid, naming the field.
Result<JobEnvironment> job_environment_from(doc::View object);
// shop.production: of DNS letters, different for different environments.
std::string environment_object_name(std::string_view repository, std::string_view environment);

// A person's word on a job that waits. It counts for the run, its commit and attempt, and for what waited when it was
// said. Who said it is written by the API server, not by who says it.
struct Approval {
  std::string run, commit, environment, job;  // job "": every job of the run that waits for the environment
  std::int64_t attempt = 1;
  bool approved = false;  // else rejected
  std::string by, comment, at;
  std::vector<std::string> groups;  // of the person, then
  friend bool operator==(const Approval&, const Approval&) = default;
};
doc::Value to_doc(const Approval& approval);
Result<Approval> approval_from(doc::View object);

}  // namespace slipway::path
