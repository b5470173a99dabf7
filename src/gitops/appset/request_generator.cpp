// Open pull requests, of forges and of the embedded host. Rules: Argo CD's pull request generator.
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "forge/open_requests.h"
#include "gitops/appset/forge_access.h"

namespace slipway::gitops::appset::detail {
namespace {

using Requests = std::vector<forge::OpenRequest>;

struct Provider {
  std::string_view field;
  forge::Service service;
  std::string_view owner, repository, project;  // the fields that say them
};
constexpr std::array providers{
    Provider{"github", forge::Service::github, "owner", "repo", ""},
    Provider{"gitlab", forge::Service::gitlab, "", "project", ""},
    Provider{"gitea", forge::Service::gitea, "owner", "repo", ""},
    Provider{"bitbucketServer", forge::Service::bitbucket_server, "project", "repo", ""},
    Provider{"bitbucket", forge::Service::bitbucket, "owner", "repo", ""},
    Provider{"azuredevops", forge::Service::azure_devops, "organization", "repo", "project"},
};

Result<Requests> ask_forge(const Call& call, doc::View view, const Provider& provider) {
  forge::RequestQuery query;
  query.access.service = provider.service;
  for (auto [field, to] : {std::pair{provider.owner, &query.access.owner},
                           {provider.project, &query.access.project},
                           {provider.repository, &query.repository}}) {
    if (field.empty()) continue;
    *to = view[field].text();
    if (to->empty()) return view[field].wrong("is missing");
  }
  TRY(auto access, forge_access(call, provider.service, view, query.access.owner));
  query.access.api = access.api, query.access.user = access.user, query.access.token = access.token;
  query.access.ca_pem = access.ca_pem, query.access.verify = access.verify;
  for (const auto& label : view["labels"].items()) query.labels.push_back(label.text());
  query.state = view["pullRequestState"].text();
  return forge::list_requests(call.ctx, std::move(query));
}

// The embedded host's: slipway: {repo: NAME}. A request there is a ref, not a branch.
Result<Requests> ask_host(const Call& call, doc::View view) {
  TRY(auto repository, view["repo"].str());
  TRY(auto objects, call.world.client.list(call.ctx, {"slipway.dev/v1", "PullRequest"}, {}));
  Requests out;
  for (const auto& object : objects.items) {
    auto spec = object["spec"];
    if (spec["repository"].text() != repository || object["status"]["state"].str_or("open") != "open") continue;
    forge::OpenRequest request;
    request.number = spec["number"].num_or(0);
    request.title = spec["title"].text(), request.author = spec["author"].text();
    request.branch = fmt::format("pull-{}", request.number), request.target_branch = spec["base"].text();
    request.head = spec["head"].text();
    out.push_back(std::move(request));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return out;
}

Result<Requests> ask(const Call& call, doc::View view) {
  for (const auto& provider : providers)
    if (auto of = view[provider.field]; of.present()) return ask_forge(call, of, provider);
  if (auto own = view["slipway"]; own.present()) return ask_host(call, own);
  return view.wrong(
      "want one of github, gitlab, gitea, bitbucketServer, bitbucket, azuredevops, slipway (the embedded host)");
}

// One of `filters` must hold, each in all it says.
Result<bool> passes(doc::View filters, const forge::OpenRequest& request) {
  auto list = filters.items();
  if (list.empty()) return true;
  bool any = false;
  for (const auto& filter : list) {
    bool all = true;
    for (auto [key, text] : {std::pair<std::string_view, const std::string*>{"branchMatch", &request.branch},
                             {"targetBranchMatch", &request.target_branch},
                             {"titleMatch", &request.title}}) {
      if (!filter[key].present()) continue;
      re2::RE2::Options quiet;
      quiet.set_log_errors(false);
      re2::RE2 regex(filter[key].text(), quiet);
      if (!regex.ok()) return filter[key].wrong(regex.error());
      all = all && re2::RE2::PartialMatch(*text, regex);
    }
    any = any || all;
  }
  return any;
}

}  // namespace

Result<Params> from_pull_requests(const Call& call, doc::View view) {
  auto requests = ask(call, view);
  if (!requests && requests.error().is(Kind::not_found) && view["continueOnRepoNotFoundError"].bool_or(false)) {
    LOG(warn, "appset.repository_not_found", {"generator", view.path()}, {"error", requests.error().what()});
    return Params();
  }
  if (!requests) return Fail(std::move(requests).error().in("pullRequest"));
  Params out;
  for (const auto& request : *requests) {
    TRY(auto wanted, passes(view["filters"], request));
    if (!wanted) continue;
    doc::Map params{{"number", std::to_string(request.number)},
                    {"title", request.title},
                    {"branch", request.branch},
                    {"branch_slug", slug(request.branch, 50, false)},
                    {"target_branch", request.target_branch},
                    {"target_branch_slug", slug(request.target_branch, 50, false)},
                    {"head_sha", request.head},
                    {"head_short_sha", request.head.substr(0, 8)},
                    {"head_short_sha_7", request.head.substr(0, 7)},
                    {"author", request.author}};
    if (call.renderer.go()) params.set("labels", doc::List(request.labels.begin(), request.labels.end()));
    TRY_OK(add_values(call, view["values"], params));
    out.push_back(std::move(params));
  }
  return out;
}

}  // namespace slipway::gitops::appset::detail
