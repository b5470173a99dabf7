// What follows from something else than a push: runs after other runs, and branches or tags that come and go.
#include "base/log.h"
#include "engine/attempts.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/workflows.h"
#include "git/host.h"

namespace slipway::engine {
namespace {

constexpr std::int64_t most_levels = 3;  // rule: "You can't use workflow_run to chain together more than three levels"

std::string short_ref(const std::string& ref) {
  for (std::string_view prefix : {"refs/heads/", "refs/tags/"})
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  return ref;
}

// At the tip of the default branch, where the file must be that listens.
Result<std::optional<path::Change>> at_default_branch(House& house, const std::string& name) {
  path::Change change;
  change.repository = name;
  TRY(auto repository, house.git->repository(name));
  change.ref = "refs/heads/" + default_branch(repository);
  TRY(auto tip, repository.resolve(change.ref));
  if (!tip) return std::optional<path::Change>();
  TRY(auto commit, repository.commit(*tip));
  change.after = commit.id, change.tree = commit.tree, change.subject = commit.subject();
  return std::optional(std::move(change));
}

std::string conclusion_of(path::Phase phase) {
  switch (phase) {
    case path::Phase::succeeded:
      return "success";
    case path::Phase::failed:
      return "failure";
    case path::Phase::cancelled:
      return "cancelled";
    default:
      return "skipped";
  }
}

// Rule: the payload of the webhook event workflow_run.
doc::Value payload_of(const House& house, const kube::Object& run, std::int64_t depth) {
  auto change = run["spec"]["change"];
  auto phase = phase_of(run);
  bool final = is_final(phase);
  doc::Map one{{"id", run.name()},
               {"name", run["spec"]["name"].text()},
               {"path", run["spec"]["workflow"].text()},
               {"event", change["event"].text() == "tag" ? "push" : change["event"].text()},
               {"status", final                           ? "completed"
                          : phase == path::Phase::running ? "in_progress"
                                                          : "requested"},
               {"conclusion", final ? doc::Value(conclusion_of(phase)) : doc::Value()},
               {"run_number", run["spec"]["number"].num_or(1)},
               {"run_attempt", attempt_of(run)},
               {"head_branch", short_ref(change["ref"].text())},
               {"head_sha", change["after"].text()},
               {"actor", doc::Map{{"login", change["author"].text()}}},
               {"html_url", fmt::format("{}/#/run/{}", house.url(), run.name())},
               {"head_commit", doc::Map{{"id", change["after"].text()}, {"message", change["subject"].text()}}},
               {"created_at", run["metadata"]["creationTimestamp"].text()}};
  return doc::Map{
      {"workflow_run", std::move(one)},
      {"workflow", doc::Map{{"name", run["spec"]["name"].text()}, {"path", run["spec"]["workflow"].text()}}},
      {"depth", depth}};
}

}  // namespace

Result<> follow_run(const Ctx& ctx, House& house, const std::string& run_name) {
  TRY(auto run, find(ctx, *house.client, "WorkflowRun", run_name));
  if (!run) return {};
  auto phase = phase_of(*run);
  auto what = is_final(phase) ? "completed" : phase == path::Phase::running ? "in_progress" : "requested";
  auto told = fmt::format("{} {}", attempt_of(*run), what);
  if ((*run)["status"]["told"].text() == told) return {};
  auto repository = (*run)["spec"]["change"]["repository"].text();
  TRY(auto files, listeners(ctx, house, repository, "workflow_run"));
  if (files.empty()) return {};
  auto depth = (*run)["spec"]["change"]["details"]["depth"].num_or(0) + 1;
  TRY(auto change, at_default_branch(house, repository));
  if (change && depth <= most_levels) {
    change->event = path::Change::Event::workflow_run;
    change->action = what;
    change->author = (*run)["spec"]["change"]["author"].text();
    change->details = payload_of(house, *run, depth);
    TRY_OK(tell_listeners(ctx, house, *change,
                          object_name(fmt::format("{}-after-{}-{}", run_name, attempt_of(*run), what))));
  } else if (change) {
    LOG(warn, "ci.chain_ends", {"run", run_name}, {"levels", most_levels});
  }
  return set_status(ctx, *house.client, "WorkflowRun", run_name, doc::Map{{"told", told}});
}

Result<> tell_of_ref(const Ctx& ctx, House& house, const std::string& repository, const std::string& ref,
                     const std::string& before, const std::string& after, const std::string& who) {
  bool gone = after == git::zero_oid;
  if (!gone && before != git::zero_oid && !before.empty()) return {};
  TRY(auto files, listeners(ctx, house, repository, gone ? "delete" : "create"));
  if (files.empty()) return {};
  TRY(auto change, at_default_branch(house, repository));
  if (!change) return {};
  change->event = gone ? path::Change::Event::deleted : path::Change::Event::created;
  change->author = who;
  auto main = short_ref(change->ref);
  change->details = doc::Map{{"ref", short_ref(ref)},
                             {"ref_type", ref.starts_with("refs/tags/") ? "tag" : "branch"},
                             {"master_branch", main},
                             {"pusher_type", "user"}};
  if (!gone) {
    TRY(auto store, house.git->repository(repository));
    TRY(auto commit, store.resolve(after));
    if (!commit) return {};
    TRY(auto made, store.commit(*commit));
    change->ref = ref, change->after = made.id, change->tree = made.tree, change->subject = made.subject();
  }
  auto name = object_name(fmt::format("{}-{}-{}-{}", repository, gone ? "delete" : "create", short_ref(ref),
                                      (gone ? before : after).substr(0, 12)));
  return tell_listeners(ctx, house, *change, name);
}

}  // namespace slipway::engine
