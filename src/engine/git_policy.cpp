#include "engine/git_policy.h"

#include <mutex>

#include "base/log.h"
#include "base/text.h"
#include "engine/house.h"
#include "engine/notices.h"
#include "engine/pull_requests.h"
#include "engine/push_notes.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/workflows.h"
#include "intake/intake.h"

namespace slipway::engine {
namespace {

constexpr std::string_view heads = "refs/heads/";

bool is_config_branch(const Ctx& ctx, const House& house, const git::Push& push) {
  return house.is_config_repository(ctx, push.repository);
}

// A protected branch takes merges, not pushes: the default branch of every repository, once it is there. A
// configuration repository takes direct commits (promotions are such), but never loses one.
std::string branch_rule(const Ctx& ctx, const House& house, const git::Push& push, const git::RefUpdate& update,
                        const git::Repository& repository) {
  if (update.ref.starts_with("refs/pull/")) return "refs/pull/ is written by the host alone; push to refs/for/BRANCH";
  if (update.ref != repository.head().value_or("") || update.before == git::zero_oid) return "";
  auto branch = update.ref.substr(heads.size());
  if (update.after == git::zero_oid) return branch + " is protected: it cannot be deleted";
  if (update.forced) return branch + " is protected: commits cannot be removed from it";
  if (is_config_branch(ctx, house, push)) return "";
  return fmt::format("{} is protected: open a pull request instead\n  git push origin HEAD:refs/for/{}", branch,
                     branch);
}

// Every file that any of the new commits brings: a secret that a later commit deletes is still in the history.
Result<std::vector<std::pair<std::string, std::string>>> new_files(const git::Repository& repository,
                                                                   const git::RefUpdate& update) {
  std::vector<std::pair<std::string, std::string>> files;
  std::set<git::Oid> seen;
  git::Oid until = update.before == git::zero_oid ? git::Oid() : update.before;
  if (until.empty()) {
    TRY(auto trunk, repository.resolve("HEAD"));
    if (trunk) until = *trunk;
  }
  TRY(auto commits, repository.log(update.after, 5000, until));
  for (const auto& commit : commits) {
    TRY(auto changes, repository.diff(commit.parents.empty() ? git::Oid() : commit.parents.front(), commit.id));
    for (const auto& change : changes) {
      if (change.type == git::FileChange::Type::deleted || change.new_id == git::zero_oid ||
          !seen.insert(change.new_id).second)
        continue;
      auto content = repository.blob(change.new_id);
      if (content && content->size() <= (std::size_t{4} << 20)) files.emplace_back(change.path, *std::move(content));
    }
  }
  return files;
}

std::string secret_rule(const Ctx& ctx, House& house, const git::Push& push, const git::RefUpdate& update,
                        const git::Repository& repository) {
  if (update.after == git::zero_oid) return "";
  auto files = new_files(repository, update);
  if (!files) return files.error().what();
  std::string refusal;
  for (const auto& finding : house.scanner->scan_secrets(*files)) {
    if (!finding.fails) continue;
    refusal += fmt::format("\n  {}: {}: {}", finding.place.print(), finding.rule, finding.message);
  }
  if (refusal.empty()) return "";
  (void)announce(
      ctx, house,
      {.id = "secret-" + update.after,
       .event = "push.refused",
       .severity = path::Severity::critical,
       .title = fmt::format("a push of {} to {} was stopped: it holds a secret", push.pusher, push.repository),
       .text = refusal,
       .facts = {{"repository", push.repository}, {"author", push.pusher}}});
  return "the push holds a secret and was stopped:" + refusal +
         "\n  take it out of the commit (git commit --amend), and change the secret: it has left its place\n"
         "  a false alarm is allowed by a comment on its line: slipway:allow-secret";
}

bool starts_runs(const git::RefUpdate& update) {
  return update.after != git::zero_oid && (update.ref.starts_with(heads) || update.ref.starts_with("refs/tags/"));
}

PushNote note_of(const git::Push& push, const git::RefUpdate& update) {
  return {push.repository, update.ref, update.before, update.after, push.pusher};
}

std::vector<std::string> check(const Ctx& ctx, House& house, const git::Push& push, const git::Repository& repository) {
  std::vector<std::string> verdicts;
  for (const auto& update : push.updates) {
    auto refusal = branch_rule(ctx, house, push, update, repository);
    if (refusal.empty()) refusal = secret_rule(ctx, house, push, update, repository);
    if (refusal.empty() && starts_runs(update)) {
      auto noted = house.push_notes->write(note_of(push, update));
      if (!noted) refusal = noted.error().what();
    }
    verdicts.push_back(std::move(refusal));
  }
  return verdicts;
}

Result<> note_push(const Ctx& ctx, House& house, const git::Push& push, const git::RefUpdate& update) {
  TRY(auto repository, house.git->repository(push.repository));
  if (update.after == git::zero_oid)
    return tell_of_ref(ctx, house, push.repository, update.ref, update.before, update.after, push.pusher);
  TRY(auto change, intake::change_of_push(repository, push.repository, update, push.pusher));
  TRY_OK(record(ctx, *house.client, "Change", name_of(change), to_doc(change),
                {{"slipway.dev/repository", object_name(push.repository)}}));
  TRY_OK(tell_of_ref(ctx, house, push.repository, update.ref, update.before, update.after, push.pusher));
  house.push_notes->forget(note_of(push, update));
  return {};
}

// What a kill or a full disk kept from becoming a Change. A note whose ref never moved is of a push that was refused.
enum class When { start, running };  // running: a note without a moved ref may be of a push under way

Result<> take_up_notes(const Ctx& ctx, House& house, When when) {
  TRY(auto notes, house.push_notes->left());
  for (const auto& note : notes) {
    auto repository = house.git->repository(note.repository);
    auto tip = repository ? repository->resolve(note.ref) : Result<std::optional<git::Oid>>(std::optional<git::Oid>());
    bool moved = tip && *tip && (**tip == note.after || repository->is_ancestor(note.after, **tip).value_or(false));
    if (!moved) {
      if (when == When::start) house.push_notes->forget(note);
      continue;
    }
    LOG(info, "intake.recovered", {"repository", note.repository}, {"ref", note.ref}, {"commit", note.after});
    TRY_OK(
        note_push(ctx, house, {note.repository, note.pusher, {}, {}}, {note.ref, note.before, note.after, false, ""}));
  }
  return {};
}

// A commit to a configuration repository may change what an environment holds.
Result<> tell_pipelines(const Ctx& ctx, House& house, const std::string& repository, const git::Oid& commit) {
  TRY(auto known, all(ctx, *house.client, "Pipeline"));
  for (const auto& pipeline : known)
    if (pipeline["spec"]["repository"].text() == repository)
      TRY_OK(set_status(ctx, *house.client, "Pipeline", pipeline.name(), doc::Map{{"pushedCommit", commit}}));
  return {};
}

std::vector<std::string> accepted(const Ctx& ctx, House& house, const git::Push& push) {
  std::vector<std::string> said;
  for (const auto& update : push.updates) {
    if (update.ref.starts_with("refs/pull/") && update.ref.ends_with("/head")) {
      auto line = review_pushed(ctx, house, push, update);
      said.push_back(line ? *line : line.error().what());
      continue;
    }
    if (!update.ref.starts_with(heads) && !update.ref.starts_with("refs/tags/")) continue;
    if (auto noted = note_push(ctx, house, push, update); !noted) {
      // The ref has moved and stays: its note is taken up when the store can be written again.
      house.pushes_behind = true;
      LOG(error, "intake.change_failed", {"repository", push.repository}, {"ref", update.ref},
          {"error", noted.error().what()});
      said.push_back("the push is kept, its run starts when this is mended: " + noted.error().what());
    }
    repository_changed(house, repository_url(push.repository));
    if (auto told = tell_pipelines(ctx, house, push.repository, update.after); !told)
      LOG(warn, "promote.not_told", {"repository", push.repository}, {"error", told.error().what()});
  }
  return said;
}

}  // namespace

git::HostPolicy git_policy(House& house) {
  git::HostPolicy policy;
  policy.check = [&house](const Ctx& ctx, const git::Push& push, const git::Repository& repository) {
    return check(ctx, house, push, repository);
  };
  policy.accepted = [&house](const Ctx& ctx, const git::Push& push) { return accepted(ctx, house, push); };
  policy.review_ref = [&house](const Ctx& ctx, const git::Push& push, const git::RefUpdate& update,
                               const git::Repository& repository) {
    return review_ref(ctx, house, push, update, repository);
  };
  policy.authenticate = [&house](const Ctx&, const std::string& user, const std::string& secret,
                                 bool write) -> std::optional<std::string> {
    if (auto known = house.users->by_token(secret, user)) return known->name;
    if (!write && secret.empty()) return "anonymous";
    return std::nullopt;
  };
  return policy;
}

Result<> catch_up(const Ctx& ctx, House& house) {
  if (!house.pushes_behind.exchange(false)) return {};
  auto taken = take_up_notes(ctx, house, When::running);
  if (!taken) house.pushes_behind = true;
  return taken;
}

Result<> recover_changes(const Ctx& ctx, House& house) {
  TRY_OK(take_up_notes(ctx, house, When::start));
  TRY(auto names, house.git->list());
  for (const auto& name : names) {
    TRY(auto repository, house.git->repository(name));
    TRY(auto refs, repository.refs("refs/"));
    TRY(auto known, all(ctx, *house.client, "Change", "slipway.dev/repository=" + object_name(name)));
    std::set<std::string> commits;
    for (const auto& change : known) commits.insert(change["spec"]["after"].text());
    for (const auto& [ref, id] : refs) {
      if (!ref.starts_with(heads) || commits.contains(id)) continue;
      // A store that lost its past (disaster recovery) knows no Change at all: then nothing is run again.
      if (known.empty()) continue;
      git::Push push{name, "unknown", {}, {}};
      LOG(info, "intake.recovered", {"repository", name}, {"ref", ref}, {"commit", id});
      TRY_OK(note_push(ctx, house, push, {ref, std::string(git::zero_oid), id, false}));
    }
    for (const auto& [ref, id] : refs) {
      if (!ref.starts_with("refs/pull/") || !ref.ends_with("/head")) continue;
      auto number = to_int(split(ref, '/')[2]).value_or(0);
      TRY(auto request, find(ctx, *house.client, "PullRequest", pull_request_name(name, static_cast<int>(number))));
      if (request && (*request)["spec"]["head"].text() == id) continue;
      if (!request && known.empty()) continue;
      TRY_OK(review_pushed(ctx, house, {name, "unknown", {}, {}}, {ref, "", id, false}));
    }
  }
  return {};
}

}  // namespace slipway::engine
