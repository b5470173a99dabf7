#include "engine/admission.h"

#include <algorithm>

#include "base/text.h"
#include "engine/approvals.h"
#include "engine/attempts.h"
#include "engine/house.h"
#include "engine/image_policy.h"
#include "engine/notices.h"
#include "engine/places.h"
#include "engine/project_roles.h"
#include "engine/proposals.h"
#include "engine/recorder.h"
#include "engine/registry_settings.h"
#include "gitops/roles.h"
#include "oci/signing.h"
#include "path/image_policy.h"
#include "promote/chain.h"

namespace slipway::engine {
namespace {

struct Person {
  std::string name;
  std::vector<std::string> groups;
};

// Several people may stand behind the administrator's token and say who they are, as with git and the registry.
Person person_of(const House& house, const cluster::ApiOptions::User& user, const std::string& claimed) {
  if (user.name != "admin" || claimed.empty() || claimed == "admin") return {user.name, user.groups};
  auto known = house.users->by_name(claimed);
  return {claimed, known ? known->groups : user.groups};
}

// The job that an approval is about: it must wait for that environment now.
Result<doc::View> waiting_job(const kube::Object& run, path::Approval& approval) {
  std::vector<std::string> there;
  auto jobs = run["status"]["jobs"].items();
  for (const auto& job : jobs) {
    auto waiting = job["waiting"];
    auto environment = waiting["environment"].text();
    if (!waiting.present() || environment.empty() || waiting["byHand"].bool_or(false)) continue;
    bool named = approval.environment.empty() || iequals(approval.environment, environment);
    if (named && (approval.job.empty() || approval.job == job["key"].text())) {
      approval.environment = environment;
      return job;
    }
    there.push_back(fmt::format("{} for {}", job["key"].text(), environment));
  }
  auto what = approval.environment.empty() ? std::string("an approval") : approval.environment;
  if (there.empty()) return fail(Kind::conflict, "no job of {} waits for {}", run.name(), what);
  return fail(Kind::conflict, "no such job of {} waits for {}; there are: {}", run.name(), what, join(there, ", "));
}

Result<> new_approval(const Ctx& ctx, House& house, const cluster::ApiOptions::User& user, doc::Value& next) {
  TRY(auto approval, path::approval_from(doc::View(next)));
  TRY(auto run, find(ctx, *house.client, "WorkflowRun", approval.run));
  if (!run) return fail(Kind::not_found, "there is no run {}", approval.run);
  auto attempt = attempt_of(*run);
  auto commit = (*run)["spec"]["change"]["after"].text();
  auto spec = doc::View(next)["spec"];
  if (spec["attempt"].present() && approval.attempt != attempt)
    return fail(Kind::conflict, "{} is at attempt {}, not {}: look at it again", approval.run, attempt,
                approval.attempt);
  if (!approval.commit.empty() && approval.commit != commit)
    return fail(Kind::conflict, "{} is of commit {}, not {}", approval.run, commit, approval.commit);
  TRY_OK(waiting_job(*run, approval));
  auto repository = (*run)["spec"]["change"]["repository"].text();
  TRY(auto environment,
      find(ctx, *house.client, "Environment", path::environment_object_name(repository, approval.environment)));
  if (!environment) return fail(Kind::not_found, "there is no environment {} of {}", approval.environment, repository);
  TRY(auto rules, path::job_environment_from(environment->view()));
  auto person = person_of(house, user, approval.by);
  TRY_OK(may_review(rules, started_by(*run), person.name, person.groups));
  approval.by = person.name, approval.groups = person.groups;
  approval.attempt = attempt, approval.commit = commit;
  approval.at = rfc3339_micro(ctx.clock->wall());
  next["spec"] = to_doc(approval);
  if (person.name != user.name) next["spec"]["token"] = user.name;
  next["metadata"]["labels"]["slipway.dev/run"] = approval.run;
  next["metadata"]["labels"]["slipway.dev/repository"] = object_name(repository);
  return {};
}

Result<> check_environment(doc::Value& next) {
  TRY(auto rules, path::job_environment_from(doc::View(next)));
  auto want = path::environment_object_name(rules.repository, rules.name), got = next.str_at({"metadata", "name"});
  if (got != want)
    return fail(Kind::invalid, "metadata.name: the environment {} of {} is called {}, not {}", rules.name,
                rules.repository, want, got);
  next["metadata"]["labels"]["slipway.dev/repository"] = object_name(rules.repository);
  return {};
}

Result<> check_policy(const doc::Value& next) {
  TRY(auto policy, path::image_policy_from(doc::View(next)));
  for (const auto& key : policy.keys) TRY_OK_IN("spec.keys", oci::VerificationKey::load(key));
  if (!policy.identities.empty()) TRY_OK_IN("spec.keyless.trustedRoot", oci::TrustRoot::load(policy.trusted_root));
  return {};
}

// Who asks, and when: over whatever was claimed.
void sign(const Ctx& ctx, const House& house, const cluster::ApiOptions::User& user, doc::Value& asked) {
  asked["by"] = person_of(house, user, asked.str_at({"by"})).name;
  asked["at"] = rfc3339(ctx.clock->wall());
}

Result<> asks_of_a_run(const Ctx& ctx, const House& house, const cluster::ApiOptions::User& user,
                       const kube::Object& before, doc::Value& next) {
  for (auto field : {"change", "workflow", "number", "concurrency", "reuse"})
    if (doc::View(next)["spec"][field].value() != before["spec"][field].value())
      return fail(Kind::denied, "spec.{}: what a run was made of is not changed", field);
  auto now = attempt_of(before);
  bool final = is_final(phase_of(before));
  auto differs = [&](std::string_view field) {
    auto asked = doc::View(next)["spec"][field];
    return asked.present() && asked.value() != before["spec"][field].value();
  };
  if (differs("rerun")) {
    if (!final)
      return fail(Kind::conflict, "{} is {}: it is run again when it is over, or cancelled", before.name(),
                  to_string(phase_of(before)));
    auto attempt = doc::View(next)["spec"]["rerun"]["attempt"].num_or(0);
    if (attempt != now + 1)
      return fail(Kind::conflict, "attempt {}: the next of {} is {}", attempt, before.name(), now + 1);
    sign(ctx, house, user, next["spec"]["rerun"]);
  }
  if (differs("cancel")) {
    if (final) return fail(Kind::conflict, "{} is over: {}", before.name(), to_string(phase_of(before)));
    next["spec"]["cancel"]["attempt"] = now;
    sign(ctx, house, user, next["spec"]["cancel"]);
  }
  if (!differs("start")) return {};
  std::vector<std::string> asked;
  for (const auto& [job, value] : doc::View(next)["spec"]["start"].members())
    if (value.value() != before["spec"]["start"][job].value()) asked.push_back(job);
  for (const auto& job : asked) {
    std::vector<std::string> manual;
    for (const auto& known : before["status"]["jobs"].items())
      if (known["phase"].text() == "Manual") manual.push_back(known["key"].text());
    if (std::find(manual.begin(), manual.end(), job) == manual.end())
      return fail(Kind::conflict, "{} has no job {} that waits to be started; there are: {}", before.name(), job,
                  manual.empty() ? "none" : join(manual, ", "));
    auto& wish = next["spec"]["start"][job];
    if (!wish.is_map()) wish = doc::Map{};
    wish["attempt"] = now;
    sign(ctx, house, user, wish);
  }
  return {};
}

// What a person dispatches is theirs, and trusted as they are.
void sign_dispatch(const House& house, const cluster::ApiOptions::User& user, doc::Value& next) {
  auto event = path::parse_event(next.str_at({"spec", "event"}));
  if (event != path::Change::Event::manual && event != path::Change::Event::repository_dispatch) return;
  next["spec"]["author"] = person_of(house, user, next.str_at({"spec", "author"})).name;
  next["spec"].map().erase("trusted");
  auto repository = next.str_at({"spec", "repository"});
  next["metadata"]["labels"]["slipway.dev/repository"] = object_name(repository);
}

// The person whom a field of `next` names is who writes it. False: the field says nothing new. Errors: invalid.
Result<bool> sign_field(const House& house, const cluster::ApiOptions::User& user, const kube::Object& before,
                        doc::Value& next, std::initializer_list<std::string_view> path) {
  auto* field = &next;
  auto view = before.view();
  for (auto key : path) {
    auto* map = field->if_map();
    field = map == nullptr ? nullptr : map->find(key);
    if (field == nullptr || field->is_null()) return false;
    view = view[key];
  }
  if (before && view.value() == *field) return false;
  auto* claimed = field->if_string();
  if (claimed == nullptr) return fail(Kind::invalid, "{}: want a name", join({path.begin(), path.end()}, "."));
  *claimed = person_of(house, user, *claimed).name;
  return true;
}

Fail refuse_approval(const path::Environment& environment, const std::string& who) {
  return fail(Kind::denied, "{} may not approve for {}, only {} may", who, environment.name,
              join(environment.approvers, " or "));
}

// What is promoted stays as it was recorded, and whoever approves it may, and is who they say.
Result<> asks_of_a_promotion(const Ctx& ctx, House& house, const cluster::ApiOptions::User& user,
                             const std::string& subresource, const kube::Object& before, doc::Value& next) {
  if (subresource == "status") TRY_OK(sign_field(house, user, before, next, {"status", "approvedBy"}));
  if (!subresource.empty()) return {};
  for (auto field : {"service", "environment", "artifact", "configRepository", "configPath", "pipeline", "revert"})
    if (before && doc::View(next)["spec"][field].value() != before["spec"][field].value())
      return fail(Kind::denied, "spec.{}: what a promotion is made of is not changed", field);
  TRY(bool approved, sign_field(house, user, before, next, {"spec", "approvedBy"}));
  TRY(bool past, sign_field(house, user, before, next, {"spec", "overrideWindow"}));
  auto who = approved ? next.str_at({"spec", "approvedBy"}) : "";
  if (past && who.empty()) who = next.str_at({"spec", "overrideWindow"});
  if (who.empty()) return {};
  TRY(auto lead, lead_of(ctx, *house.client, kube::Object(doc::Value(next))));
  if (!lead)
    return fail(Kind::not_found, "no Pipeline leads {} to {} any more", next.str_at({"spec", "service"}),
                next.str_at({"spec", "environment"}));
  if (promote::may_approve(lead->environment, who)) return {};
  return refuse_approval(lead->environment, who);
}

// Who merges it, or closes it; past a window only who may approve what it holds back.
Result<> asks_of_a_request(const Ctx& ctx, House& house, const cluster::ApiOptions::User& user,
                           const kube::Object& before, doc::Value& next) {
  for (auto wish : {"merge", "close"}) TRY_OK(sign_field(house, user, before, next, {"spec", wish, "by"}));
  doc::View spec = doc::View(next)["spec"];
  if (!spec["merge"]["overrideWindow"].bool_or(false) || before["spec"]["merge"].value() == spec["merge"].value())
    return {};
  auto who = spec["merge"]["by"].text();
  TRY(auto hold, hold_on(ctx, house, spec["repository"].text(), static_cast<int>(spec["number"].num_or(0))));
  for (const auto& environment : hold.environments)
    if (!promote::may_approve(environment, who)) return refuse_approval(environment, who);
  return {};
}

Result<> admit_argo(const House& house, const cluster::ApiOptions::User& user, const std::string& subresource,
                    const kube::Object& before, const doc::Value& next) {
  if (next.str_at({"kind"}) == "AppProject" && subresource.empty())
    TRY_OK(gitops::check_roles(kube::Object(doc::Value(next))));
  bool by_role = std::find(user.groups.begin(), user.groups.end(), by_project_role) != user.groups.end();
  return by_role ? admit_by_roles(house, user, subresource, before, next) : Result<>{};
}

}  // namespace

Result<> admit(const Ctx& ctx, House& house, const cluster::ApiOptions::User& user, const std::string& subresource,
               const kube::Object& before, doc::Value& next) {
  if (next.str_at({"apiVersion"}) == "v1") {
    bool whole = subresource.empty() || subresource == "ephemeralcontainers";  // `kubectl debug` brings images as well
    if (!whole) return {};
    TRY_OK(check_registry_settings(next));
    return next.str_at({"kind"}) == "Pod" ? verify_images(ctx, house, before, next) : Result<>();
  }
  if (next.str_at({"apiVersion"}) == "argoproj.io/v1alpha1") return admit_argo(house, user, subresource, before, next);
  if (next.str_at({"apiVersion"}) != path::api_version) return {};
  auto kind_name = next.str_at({"kind"});
  if (kind_name == "Environment" && subresource.empty()) TRY_OK(check_environment(next));
  if (kind_name == "ImagePolicy" && subresource.empty()) TRY_OK(check_policy(next));
  if (kind_name == "Notifier" && subresource.empty()) TRY_OK(check_notifier(next));
  bool outside = std::find(user.groups.begin(), user.groups.end(), "system:authenticated") != user.groups.end();
  if (!outside) return {};
  if (kind_name == "Approval")
    return before ? Result<>(fail(Kind::denied, "a word that was given stays: approve or reject anew"))
                  : new_approval(ctx, house, user, next);
  if (kind_name == "WorkflowRun" && before && subresource.empty()) return asks_of_a_run(ctx, house, user, before, next);
  if (kind_name == "Change" && !before) sign_dispatch(house, user, next);
  if (kind_name == "Promotion") return asks_of_a_promotion(ctx, house, user, subresource, before, next);
  if (kind_name == "PullRequest" && subresource.empty()) return asks_of_a_request(ctx, house, user, before, next);
  return {};
}

}  // namespace slipway::engine
