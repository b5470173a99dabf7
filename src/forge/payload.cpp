#include "forge/detail/payload.h"
#include "base/text.h"

namespace slipway::forge {

std::string first_line(std::string_view message) {
  for (auto line : lines(message))
    if (auto text = trim(line); !text.empty()) return std::string(text);
  return {};
}

std::string commit_or_none(std::string id) {
  return id.find_first_not_of('0') == std::string::npos ? std::string() : std::move(id);
}

void add_paths(doc::View commits, Hook& hook) {
  std::set<std::string> paths;
  for (const auto& commit : commits.items())
    for (auto list : {"added", "modified", "removed"})
      for (const auto& path : commit[list].items()) paths.insert(path.text());
  hook.paths.assign(paths.begin(), paths.end());
}

Result<> check_fields(const Hook& hook) {
  auto is_id = [](const std::string& id) {
    return id.empty() ||
           ((id.size() == 40 || id.size() == 64) && id.find_first_not_of("0123456789abcdef") == std::string::npos);
  };
  for (const auto& id : {hook.before, hook.after, hook.base})
    if (!is_id(id)) return fail(Kind::invalid, "webhook: \"{}\": want a commit id", id.substr(0, 80));
  for (const auto& ref : {hook.ref, hook.base_ref}) {
    if (ref.empty()) continue;
    if (!ref.starts_with("refs/") || ref.contains("..") || ref.find_first_of(" ~^:?*[\\\n\r\t") != std::string::npos)
      return fail(Kind::invalid, "webhook: \"{}\": want a ref", ref.substr(0, 80));
  }
  if (hook.repository.empty()) return fail(Kind::invalid, "webhook: names no repository");
  return {};
}

Hook read_push(doc::View payload) {
  Hook hook;
  hook.ref = payload["ref"].text();
  hook.type = hook.ref.starts_with("refs/tags/") ? Hook::Type::tag : Hook::Type::push;
  hook.before = commit_or_none(payload["before"].text());
  hook.after = commit_or_none(payload["after"].text());
  hook.forced = payload["forced"].bool_or(false);
  auto head = payload["head_commit"];
  if (!head.present() && !payload["commits"].items().empty())
    head = payload["commits"].items().front();  // newest first
  hook.subject = first_line(head["message"].text());
  hook.author = payload["pusher"]["name"].str_or(payload["pusher"]["login"].str_or(payload["sender"]["login"].text()));
  add_paths(payload["commits"], hook);
  return hook;
}

namespace {

void read_repository(doc::View payload, Hook& hook) {
  auto repository = payload["repository"];
  hook.repository = repository["full_name"].text();
  hook.clone_url = repository["clone_url"].text();
  hook.link = repository["html_url"].text();
}

// By the repositories' ids, else names. A head whose repository is gone was a fork's.
bool is_from_fork(doc::View head, doc::View base) {
  auto id_of = [](doc::View side) {
    return side["repo"]["id"].present() ? side["repo"]["id"].text() : side["repo_id"].text();
  };
  if (!id_of(head).empty()) return id_of(head) != id_of(base);
  auto name = head["repo"]["full_name"].text();
  return name.empty() || name != base["repo"]["full_name"].text();
}

// GitHub and Gitea alike.
Hook read_pull_request(doc::View payload, bool acts) {
  Hook hook;
  hook.action = payload["action"].text();
  auto request = payload["pull_request"];
  bool closed = hook.action == "closed";
  hook.type = closed ? Hook::Type::pull_request_closed : acts ? Hook::Type::pull_request : Hook::Type::other;
  hook.pull_request = static_cast<int>(request["number"].num_or(payload["number"].num_or(0)));
  hook.merged = request["merged"].bool_or(false) || request["merged_at"].present();
  hook.draft = request["draft"].bool_or(false);
  hook.ref = fmt::format("refs/pull/{}/head", hook.pull_request);
  hook.after = request["head"]["sha"].text();
  hook.before = commit_or_none(payload["before"].text());
  hook.base_ref = "refs/heads/" + request["base"]["ref"].text();
  hook.base = request["base"]["sha"].text();
  hook.head_ref = "refs/heads/" + request["head"]["ref"].text();
  hook.head_repository = request["head"]["repo"]["full_name"].text();
  hook.from_fork = is_from_fork(request["head"], request["base"]);
  hook.author = request["user"]["login"].text();
  hook.subject = request["title"].text();
  return hook;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Hooks one(Hook hook, Provider provider, std::string_view event) {
  hook.provider = provider;
  hook.event = event;
  return std::vector<Hook>{std::move(hook)};
}

}  // namespace

Hooks read_github(std::string_view event, doc::View payload) {
  if (event.empty())
    event = payload["zen"].present()                                           ? "ping"
            : payload["pull_request"].present() && payload["number"].present() ? "pull_request"
            : payload["ref"].present() && payload["commits"].exists()          ? "push"
                                                                               : "other";
  Hook hook;
  if (event == "push") {
    hook = read_push(payload);
    hook.paths_complete = !hook.before.empty() && !hook.forced && payload["commits"].items().size() < 1000;
  } else if (event == "pull_request" || event == "pull_request_target") {
    auto action = payload["action"].text();
    bool rebased = action == "edited" && payload["changes"]["base"].present();
    hook = read_pull_request(payload,
                             rebased || is_one_of(action, {"opened", "synchronize", "reopened", "ready_for_review"}));
  } else if (event == "ping") {
    hook.type = Hook::Type::ping;
  } else {
    hook.action = payload["action"].text();
  }
  read_repository(payload, hook);
  return one(std::move(hook), Provider::github, event);
}

Hooks read_gitea(std::string_view event, doc::View payload) {
  if (event.empty())
    event = payload["pull_request"].present() ? "pull_request" : payload["commits"].exists() ? "push" : "other";
  Hook hook;
  if (event == "push") {
    hook = read_push(payload);
    auto listed = payload["commits"].items().size();
    hook.paths_complete =
        !hook.before.empty() &&
        payload["total_commits"].num_or(static_cast<std::int64_t>(listed)) == static_cast<std::int64_t>(listed) &&
        listed < 20;
  } else if (event.starts_with("pull_request")) {
    auto action = payload["action"].text();
    bool rebased = action == "edited" && payload["changes"]["ref"].present();
    hook = read_pull_request(payload, rebased || is_one_of(action, {"opened", "synchronized", "reopened"}));
  } else {
    hook.action = payload["action"].text();
  }
  read_repository(payload, hook);
  return one(std::move(hook), Provider::gitea, event);
}

Hooks read_gitlab(std::string_view, doc::View payload) {
  auto kind = payload["object_kind"].text();
  Hook hook;
  auto project = payload["project"];
  hook.repository = project["path_with_namespace"].text();
  hook.clone_url = project["git_http_url"].text();
  hook.link = project["web_url"].text();
  if (kind == "push" || kind == "tag_push") {
    auto repository = hook.repository, clone = hook.clone_url, link = hook.link;
    hook = read_push(payload);
    hook.repository = repository, hook.clone_url = clone, hook.link = link;
    // A tag's own object is not what is built.
    if (hook.type == Hook::Type::tag && !hook.after.empty()) hook.after = payload["checkout_sha"].str_or(hook.after);
    hook.author = payload["user_username"].str_or(payload["user_name"].text());
    auto commits = payload["commits"].items();
    for (const auto& commit : commits)
      if (commit["id"].text() == hook.after) hook.subject = first_line(commit["message"].text());
    hook.paths_complete =
        !hook.before.empty() && payload["total_commits_count"].num_or(-1) == static_cast<std::int64_t>(commits.size());
  } else if (kind == "merge_request") {
    auto request = payload["object_attributes"];
    hook.action = request["action"].text();
    bool acts =
        is_one_of(hook.action, {"open", "reopen"}) ||
        (hook.action == "update" && (request["oldrev"].present() || payload["changes"]["target_branch"].present() ||
                                     payload["changes"]["draft"].present()));
    bool closed = is_one_of(hook.action, {"close", "merge"});
    hook.type = closed ? Hook::Type::pull_request_closed : acts ? Hook::Type::pull_request : Hook::Type::other;
    hook.merged = hook.action == "merge";
    hook.draft = request["draft"].bool_or(request["work_in_progress"].bool_or(false));
    hook.pull_request = static_cast<int>(request["iid"].num_or(0));
    hook.ref = fmt::format("refs/merge-requests/{}/head", hook.pull_request);
    hook.after = request["last_commit"]["id"].text();
    hook.before = request["oldrev"].text();
    hook.base_ref = "refs/heads/" + request["target_branch"].text();
    hook.head_ref = "refs/heads/" + request["source_branch"].text();
    hook.head_repository = request["source"]["path_with_namespace"].text();
    hook.from_fork = request["source_project_id"].text() != request["target_project_id"].text();
    hook.author = payload["user"]["username"].text();
    hook.subject = request["title"].text();
    hook.link = request["url"].str_or(hook.link);
  }
  return one(std::move(hook), Provider::gitlab, kind);
}

namespace {
std::string person_of(doc::View person) {
  for (auto key : {"nickname", "username", "display_name"})
    if (auto name = person[key].text(); !name.empty()) return name;
  return {};
}
}  // namespace

Hooks read_bitbucket(std::string_view event, doc::View payload) {
  std::vector<Hook> hooks;
  Hook common;
  common.provider = Provider::bitbucket;
  common.event = event;
  common.repository = payload["repository"]["full_name"].text();
  common.link = payload["repository"]["links"]["html"]["href"].text();
  common.clone_url = common.link;
  common.author = person_of(payload["actor"]);
  if (payload["push"].present()) {
    for (const auto& change : payload["push"]["changes"].items()) {
      Hook hook = common;
      auto named = change["new"].present() ? change["new"] : change["old"];
      bool tag = named["type"].text() == "tag";
      hook.type = tag ? Hook::Type::tag : Hook::Type::push;
      hook.ref = (tag ? "refs/tags/" : "refs/heads/") + named["name"].text();
      hook.before = change["old"]["target"]["hash"].text();
      hook.after = change["new"]["target"]["hash"].text();
      hook.forced = change["forced"].bool_or(false);
      hook.subject = first_line(change["new"]["target"]["message"].text());
      hooks.push_back(std::move(hook));
    }
    return hooks;
  }
  auto request = payload["pullrequest"];
  if (!request.present()) return std::vector{common};
  if (event.empty()) {
    auto state = request["state"].text();
    event = state == "MERGED"                              ? "pullrequest:fulfilled"
            : state == "DECLINED" || state == "SUPERSEDED" ? "pullrequest:rejected"
                                                           : "pullrequest:created";
  }
  Hook hook = common;
  hook.event = event;
  hook.action = event.substr(event.find(':') + 1);
  bool closed = is_one_of(hook.action, {"fulfilled", "rejected"});
  hook.type = closed                                           ? Hook::Type::pull_request_closed
              : is_one_of(hook.action, {"created", "updated"}) ? Hook::Type::pull_request
                                                               : Hook::Type::other;
  hook.merged = hook.action == "fulfilled";
  hook.draft = request["draft"].bool_or(false);
  hook.pull_request = static_cast<int>(request["id"].num_or(0));
  // Bitbucket shows no ref for a request: its source branch is what is fetched.
  hook.ref = "refs/heads/" + request["source"]["branch"]["name"].text();
  hook.head_ref = hook.ref;
  hook.after = request["source"]["commit"]["hash"].text();  // 12 digits: made whole from the repository
  hook.base_ref = "refs/heads/" + request["destination"]["branch"]["name"].text();
  hook.base = request["destination"]["commit"]["hash"].text();
  hook.head_repository = request["source"]["repository"]["full_name"].text();
  hook.from_fork = hook.head_repository != request["destination"]["repository"]["full_name"].text();
  if (auto author = person_of(request["author"]); !author.empty()) hook.author = author;
  hook.subject = request["title"].text();
  hook.link = request["links"]["html"]["href"].str_or(hook.link);
  return std::vector{std::move(hook)};
}

namespace {
std::string server_repository(doc::View repository) {
  return repository["project"]["key"].text() + "/" + repository["slug"].text();
}
}  // namespace

Hooks read_bitbucket_server(std::string_view event, doc::View payload) {
  auto key = event.empty() ? payload["eventKey"].text() : std::string(event);
  Hook common;
  common.provider = Provider::bitbucket_server;
  common.event = key;
  common.author = payload["actor"]["name"].text();
  if (key == "diagnostics:ping" || payload["test"].present()) {
    common.type = Hook::Type::ping;
    return std::vector{common};
  }
  if (key == "repo:refs_changed") {
    std::vector<Hook> hooks;
    for (const auto& change : payload["changes"].items()) {
      Hook hook = common;
      hook.repository = server_repository(payload["repository"]);
      hook.ref = change["ref"]["id"].str_or(change["refId"].text());
      hook.type = hook.ref.starts_with("refs/tags/") ? Hook::Type::tag : Hook::Type::push;
      hook.before = commit_or_none(change["fromHash"].text());
      hook.after = commit_or_none(change["toHash"].text());
      if (payload["toCommit"]["id"].text() == hook.after)
        hook.subject = first_line(payload["toCommit"]["message"].text());
      for (const auto& link : payload["repository"]["links"]["clone"].items())
        if (link["name"].text() == "http") hook.clone_url = link["href"].text();
      hooks.push_back(std::move(hook));
    }
    return hooks;
  }
  auto request = payload["pullRequest"];
  Hook hook = common;
  hook.action = key.substr(key.find(':') + 1);
  if (!request.present()) return std::vector{hook};
  bool closed = is_one_of(hook.action, {"merged", "declined", "deleted"});
  bool acts = is_one_of(hook.action, {"opened", "from_ref_updated"}) ||
              (hook.action == "modified" && payload["previousTarget"].present());
  hook.type = closed ? Hook::Type::pull_request_closed : acts ? Hook::Type::pull_request : Hook::Type::other;
  hook.merged = hook.action == "merged";
  hook.draft = request["draft"].bool_or(false);
  hook.pull_request = static_cast<int>(request["id"].num_or(0));
  hook.ref = fmt::format("refs/pull-requests/{}/from", hook.pull_request);
  hook.repository = server_repository(request["toRef"]["repository"]);
  hook.head_repository = server_repository(request["fromRef"]["repository"]);
  hook.from_fork = hook.repository != hook.head_repository;
  hook.after = request["fromRef"]["latestCommit"].text();
  hook.before = payload["previousFromHash"].text();
  hook.base_ref = request["toRef"]["id"].text();
  hook.base = request["toRef"]["latestCommit"].text();
  hook.head_ref = request["fromRef"]["id"].text();
  hook.author = request["author"]["user"]["name"].str_or(common.author);
  hook.subject = request["title"].text();
  return std::vector{std::move(hook)};
}

}  // namespace slipway::forge
