// Open pull requests, of forges and of the embedded host. Rules: Argo CD's pull request generator.
#include <re2/re2.h>

#include <algorithm>

#include "forge/forge.h"
#include "gitops/appset/forge_access.h"

namespace slipway::gitops::appset::detail {
namespace {

using Requests = std::vector<forge::OpenPullRequest>;

struct Place {
  forge::Provider provider;
  forge::Service service;
  std::string repository;
};

Result<Requests> ask_forge(const Call& call, doc::View view, const Place& place) {
  TRY(auto access, forge_access(call, place.service, view, view["owner"].text()));
  forge::ForgeOptions options;
  options.provider = place.provider;
  options.api = access.api, options.token = access.token;
  options.ca_pem = access.ca_pem, options.verify = access.verify;
  options.read_only = true;
  TRY_IN(auto client, "pullRequest", forge::connect(std::move(options)));
  TRY(auto requests, client->open_pull_requests(call.ctx, place.repository));
  std::vector<std::string> wanted;
  for (const auto& label : view["labels"].items()) wanted.push_back(label.text());
  std::erase_if(requests, [&](const forge::OpenPullRequest& r) {
    return !std::all_of(wanted.begin(), wanted.end(), [&](const std::string& label) {
      return std::find(r.labels.begin(), r.labels.end(), label) != r.labels.end();
    });
  });
  return requests;
}

// The embedded host's: slipway: {repo: NAME}. A request there is a ref, not a branch.
Result<Requests> ask_host(const Call& call, doc::View view) {
  TRY(auto repository, view["repo"].str());
  TRY(auto objects, call.world.client.list(call.ctx, {"slipway.dev/v1", "PullRequest"}, {}));
  Requests out;
  for (const auto& object : objects.items) {
    auto spec = object["spec"];
    if (spec["repository"].text() != repository || object["status"]["state"].str_or("open") != "open") continue;
    forge::OpenPullRequest request;
    request.number = static_cast<int>(spec["number"].num_or(0));
    request.title = spec["title"].text(), request.author = spec["author"].text();
    request.branch = fmt::format("pull-{}", request.number), request.target_branch = spec["base"].text();
    request.head = spec["head"].text();
    out.push_back(std::move(request));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return out;
}

Result<Requests> ask(const Call& call, doc::View view) {
  if (auto g = view["github"]; g.present())
    return ask_forge(call, g,
                     {forge::Provider::github, forge::Service::github, g["owner"].text() + "/" + g["repo"].text()});
  if (auto g = view["gitea"]; g.present())
    return ask_forge(call, g,
                     {forge::Provider::gitea, forge::Service::gitea, g["owner"].text() + "/" + g["repo"].text()});
  if (auto g = view["gitlab"]; g.present())
    return ask_forge(call, g, {forge::Provider::gitlab, forge::Service::gitlab, g["project"].text()});
  if (auto s = view["slipway"]; s.present()) return ask_host(call, s);
  return view.wrong("want github, gitlab, gitea or slipway (the embedded host); others are not supported");
}

// One of `filters` must hold, each in all it says.
Result<bool> passes(doc::View filters, const forge::OpenPullRequest& request) {
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
  TRY(auto requests, ask(call, view));
  Params out;
  for (const auto& request : requests) {
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
