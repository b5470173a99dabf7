#include "engine/pull_requests.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "engine/house.h"
#include "engine/notices.h"
#include "engine/proposals.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/report.h"

namespace slipway::engine {
namespace {

struct Request {
  std::string name, repository, base, head, title, author;
  int number = 0;
  bool open = true;
};

Request request_from(const kube::Object& object) {
  auto spec = object["spec"];
  return {object.name(),
          spec["repository"].text(),
          spec["base"].text(),
          spec["head"].text(),
          spec["title"].text(),
          spec["author"].text(),
          static_cast<int>(spec["number"].num_or(0)),
          object["status"]["state"].str_or("open") == "open"};
}

std::string label_of(const std::string& repository) { return "slipway.dev/repository=" + object_name(repository); }

Result<std::vector<Request>> requests_of(const Ctx& ctx, House& house, const std::string& repository) {
  TRY(auto objects, all(ctx, *house.client, "PullRequest", label_of(repository)));
  std::vector<Request> requests;
  for (const auto& object : objects) requests.push_back(request_from(object));
  return requests;
}

// The open request that a pushed commit continues: its head is an ancestor, or its tip was amended (same subject on
// the same parent).
bool continues(const git::Repository& repository, const Request& request, const std::string& commit) {
  if (request.head == commit) return true;
  auto ancestor = repository.is_ancestor(request.head, commit);
  if (ancestor && *ancestor) return true;
  auto mine = repository.commit(commit), theirs = repository.commit(request.head);
  return mine && theirs && mine->subject() == theirs->subject() && mine->parents == theirs->parents;
}

std::optional<int> asked_number(const git::Push& push) {
  for (const auto& option : push.options)
    if (option.starts_with("pr="))
      if (auto n = to_int(std::string_view(option).substr(3))) return static_cast<int>(*n);
  return std::nullopt;
}

std::string branch_of(std::string_view ref) { return std::string(ref.substr(std::string_view("refs/for/").size())); }

int number_of(std::string_view ref) {  // refs/pull/7/head
  auto words = split(ref, '/');
  return words.size() == 4 ? static_cast<int>(to_int(words[2]).value_or(0)) : 0;
}

}  // namespace

std::string pull_request_name(const std::string& repository, int number) {
  return object_name(fmt::format("{}-{}", repository, number));
}

Result<std::string> review_ref(const Ctx& ctx, House& house, const git::Push& push, const git::RefUpdate& update,
                               const git::Repository& repository) {
  auto base = branch_of(update.ref);
  TRY(auto tip, repository.resolve("refs/heads/" + base));
  if (!tip) return fail(Kind::invalid, "{}: there is no branch {} to ask for", update.ref, base);
  TRY(auto requests, requests_of(ctx, house, push.repository));
  auto asked = asked_number(push);
  int highest = 0;
  for (const auto& request : requests) {
    highest = std::max(highest, request.number);
    if (asked && *asked == request.number && !request.open)
      return fail(Kind::conflict, "pull request {} is closed", *asked);
    bool same =
        asked ? *asked == request.number : request.open && request.base == base && request.author == push.pusher;
    if (same && (asked || continues(repository, request, update.after)))
      return fmt::format("refs/pull/{}/head", request.number);
  }
  if (asked) return fail(Kind::not_found, "there is no pull request {} in {}", *asked, push.repository);
  TRY(auto refs, repository.refs("refs/pull/"));  // also one whose object was not written before a kill
  for (const auto& [ref, id] : refs) highest = std::max(highest, number_of(ref));
  return fmt::format("refs/pull/{}/head", highest + 1);
}

Result<std::string> review_pushed(const Ctx& ctx, House& house, const git::Push& push, const git::RefUpdate& update) {
  auto number = number_of(update.ref);
  TRY(auto repository, house.git->repository(push.repository));
  TRY(auto commit, repository.commit(update.after));
  auto name = pull_request_name(push.repository, number);
  auto base = update.asked.empty() ? default_branch(repository) : branch_of(update.asked);
  doc::Map spec{{"number", number},     {"repository", push.repository}, {"base", base},
                {"head", update.after}, {"title", commit.subject()},     {"author", push.pusher}};
  auto link = fmt::format("{}/#/pr/{}/{}", house.url(), push.repository, number);
  TRY(auto recorded, record(ctx, *house.client, "PullRequest", name, spec,
                            {{"slipway.dev/repository", object_name(push.repository)}}));
  if (recorded.fresh) return fmt::format("pull request {} opened: {}", number, link);
  TRY_OK(
      kube::modify(ctx, *house.client, kind("PullRequest"), {home, name}, {}, [&](doc::Value& object) -> Result<bool> {
        object["spec"]["head"] = update.after;
        object["spec"]["title"] = commit.subject();
        return true;
      }));
  return fmt::format("pull request {} updated: {}", number, link);
}

namespace {

struct Merge {
  std::string commit, tree;
  std::vector<std::string> conflicts;
};

// The commit that merging would make, the same for the same head and base: what is tested is what lands.
Result<Merge> prepare_merge(git::Repository& repository, const Request& request, const std::string& base_tip) {
  Merge merge;
  TRY(auto merged, repository.merge(base_tip, request.head));
  if (!merged.conflicts.empty()) {
    merge.conflicts = std::move(merged.conflicts);
    return merge;
  }
  TRY(auto head, repository.commit(request.head));
  merge.tree = merged.tree;
  auto author = head.author;
  author.when = head.committer.when;
  auto message = fmt::format("Merge pull request #{}: {}\n\nPull-Request: {}#{}\n", request.number, request.title,
                             request.repository, request.number);
  TRY(merge.commit, repository.write_commit(merged.tree, {base_tip, request.head}, author, message));
  return merge;
}

Result<path::Change> change_of(const git::Repository& repository, const Request& request, const Merge& merge,
                               const std::string& base_tip) {
  path::Change change;
  change.event = path::Change::Event::pull_request;
  change.repository = request.repository;
  change.ref = fmt::format("refs/pull/{}/merge", request.number);
  change.before = base_tip;
  change.after = merge.commit;
  change.tree = merge.tree;
  change.pull_request = request.number;
  change.base_ref = "refs/heads/" + request.base;
  change.base = base_tip;
  change.author = request.author;
  change.subject = request.title;
  TRY(auto files, repository.diff(base_tip, merge.commit));
  for (const auto& file : files) change.paths.push_back(file.path);
  return change;
}

struct Checks {
  doc::List list;
  bool finished = true, good = true, any = false;
};

Result<Checks> checks_of(const Ctx& ctx, House& house, const std::string& change_name) {
  Checks checks;
  TRY(auto runs, all(ctx, *house.client, "WorkflowRun", "slipway.dev/change=" + change_name));
  for (const auto& run : runs) {
    auto phase = phase_of(run);
    checks.any = true;
    checks.finished = checks.finished && is_final(phase);
    if (is_final(phase) && phase != path::Phase::succeeded && phase != path::Phase::skipped) checks.good = false;
    auto workflow = run["spec"]["name"].text();
    for (const auto& job : run["status"]["jobs"].items())
      checks.list.emplace_back(doc::Map{{"context", fmt::format("{} / {}", workflow, job["name"].text())},
                                        {"state", job["phase"].text()},
                                        {"message", job["message"].text()},
                                        {"run", run.name()}});
    checks.list.emplace_back(doc::Map{{"context", workflow},
                                      {"state", to_string(phase)},
                                      {"message", run["status"]["message"].text()},
                                      {"run", run.name()}});
  }
  return checks;
}

Result<> land(const Ctx& ctx, House& house, const Request& request, const Merge& merge, const std::string& base_tip,
              const std::string& who) {
  git::RefUpdate update{"refs/heads/" + request.base, base_tip, merge.commit, false};
  auto moved = house.git->update(ctx, request.repository, update, who);
  if (!moved) return moved;
  TRY_OK(set_status(ctx, *house.client, "PullRequest", request.name,
                    doc::Map{{"state", "merged"},
                             {"mergeCommit", merge.commit},
                             {"mergedBy", who},
                             {"mergedAt", rfc3339(ctx.clock->wall())}}));
  LOG(info, "pr.merged", {"repository", request.repository}, {"number", request.number}, {"commit", merge.commit});
  return announce(ctx, house,
                  {.id = "merged-" + request.name + "-" + merge.commit.substr(0, 12),
                   .event = "pr.merged",
                   .title = fmt::format("{}#{} merged: {}", request.repository, request.number, request.title),
                   .text = fmt::format("by {}", who),
                   .link = fmt::format("{}/#/pr/{}/{}", house.url(), request.repository, request.number),
                   .facts = {{"repository", request.repository}, {"commit", merge.commit}}});
}

}  // namespace

Result<> close_pull_request(const Ctx& ctx, House& house, const std::string& name, const std::string& why) {
  TRY(auto object, find(ctx, *house.client, "PullRequest", name));
  if (!object) return {};
  auto request = request_from(*object);
  if (!request.open) return {};
  TRY(auto repository, house.git->repository(request.repository));
  TRY(auto tip, repository.resolve("refs/heads/" + request.base));
  TRY(bool merged, tip ? repository.is_ancestor(request.head, *tip) : Result<bool>(false));
  if (merged) return {};  // for look_at_pull_request() to say
  auto comment = (*object)["status"]["comment"].text();
  // First, so that a kill in between leaves a request that is closed once more.
  TRY(auto refs, repository.refs(fmt::format("refs/pull/{}/", request.number)));
  for (const auto& [ref, id] : refs)
    TRY_OK(repository.update_ref(ref, std::string(git::zero_oid), std::nullopt, "closed"));
  TRY_OK(set_status(ctx, *house.client, "PullRequest", name,
                    doc::Map{{"state", "closed"},
                             {"message", why},
                             {"comment", fmt::format("Closed: {}.{}{}", why, comment.empty() ? "" : "\n\n", comment)},
                             {"closedAt", rfc3339(ctx.clock->wall())}}));
  LOG(info, "pr.closed", {"repository", request.repository}, {"number", request.number}, {"why", why});
  return {};
}

Result<std::optional<Millis>> look_at_pull_request(const Ctx& ctx, House& house, const std::string& name) {
  std::optional<Millis> later;
  TRY(auto object, find(ctx, *house.client, "PullRequest", name));
  if (!object) return later;
  auto request = request_from(*object);
  if (!request.open) return later;
  if (auto by = (*object)["spec"]["close"]["by"].text(); !by.empty()) {
    TRY_OK(close_pull_request(ctx, house, name, "by " + by));
    return later;
  }
  TRY(auto repository, house.git->repository(request.repository));
  TRY(auto tip, repository.resolve("refs/heads/" + request.base));
  if (!tip) return later;
  TRY(auto already, repository.is_ancestor(request.head, *tip));
  if (already) {  // pushed to the branch by another way
    TRY_OK(set_status(ctx, *house.client, "PullRequest", name, doc::Map{{"state", "merged"}, {"mergeCommit", *tip}}));
    return later;
  }
  TRY(auto merge, prepare_merge(repository, request, *tip));
  if (!merge.conflicts.empty()) {
    TRY_OK(set_status(ctx, *house.client, "PullRequest", name,
                      doc::Map{{"state", "open"},
                               {"mergeable", false},
                               {"message", "conflicts with " + request.base + ": " + join(merge.conflicts, ", ")}}));
    return later;
  }
  TRY_OK(repository.update_ref(fmt::format("refs/pull/{}/merge", request.number), merge.commit, std::nullopt,
                               "merge of a pull request"));
  TRY(auto change, change_of(repository, request, merge, *tip));
  auto change_name = name_of(change);
  TRY_OK(record(ctx, *house.client, "Change", change_name, to_doc(change),
                {{"slipway.dev/repository", object_name(request.repository)}, {"slipway.dev/pull-request", name}}));
  TRY(auto started, find(ctx, *house.client, "Change", change_name));
  bool runs_known = started && (*started)["status"]["phase"].text() == "Started";
  TRY(auto checks, checks_of(ctx, house, change_name));
  doc::Map status{{"state", "open"},       {"mergeable", true},           {"message", ""},
                  {"change", change_name}, {"mergeCommit", merge.commit}, {"checks", checks.list}};
  status.set("checksState", !runs_known || !checks.finished ? "Pending" : checks.good ? "Succeeded" : "Failed");
  if (runs_known && checks.finished) {
    // The comment says what merging changes; it is one text, updated.
    auto comment = pull_request_comment(ctx, house, change, change_name);
    if (comment)
      status.set("comment", *comment);
    else
      LOG(warn, "pr.comment_failed", {"pr", name}, {"error", comment.error().what()});
  }
  auto wish = (*object)["spec"]["merge"];
  bool wanted = !wish["by"].text().empty() && runs_known && checks.finished && checks.good;
  TRY(auto hold, wanted ? hold_on(ctx, house, request.repository, request.number) : Result<Hold>(Hold()));
  // Asked again here: what it promotes, or who may, can have changed since the wish was admitted.
  bool past = wish["overrideWindow"].bool_or(false) &&
              std::ranges::all_of(hold.environments, [&](const path::Environment& environment) {
                return promote::may_approve(environment, wish["by"].text());
              });
  if (!hold.why.empty())
    status.set("message", past ? fmt::format("put past a window by {}: {}", wish["by"].text(), hold.why)
                               : std::string(promote::held_mark) + hold.why);
  TRY_OK(set_status(ctx, *house.client, "PullRequest", name, status));
  if (!wanted) return later;
  if (!hold.why.empty() && !past)
    return std::chrono::duration_cast<Millis>(hold.until - ctx.clock->wall()) + Millis(10);
  if (!hold.why.empty()) LOG(warn, "pr.past_window", {"pr", name}, {"by", wish["by"].text()}, {"window", hold.why});
  auto landed = land(ctx, house, request, merge, *tip, wish["by"].text());
  if (!landed && landed.error().is(Kind::conflict))
    return std::optional(Millis(10));  // the branch moved: again on its new tip
  if (!landed) return Fail(std::move(landed).error());
  return later;
}

}  // namespace slipway::engine
