#include "forge/open_requests.h"

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "forge/detail/catalog.h"

namespace slipway::forge {
namespace {

// Where a forge lists them, and how it says each.
struct Dialect {
  std::string list;
  net::Headers headers;
  Result<OpenRequest> (*read)(doc::View item);
};

Result<OpenRequest> request_from(doc::View number, doc::View branch, doc::View target, doc::View head) {
  OpenRequest request;
  request.number = number.num_or(0);
  if (request.number <= 0) return number.wrong("want a pull request's number");
  TRY(request.branch, said(branch));
  TRY(request.target_branch, said(target));
  TRY(request.head, said(head));
  return request;
}

// Strangers write them: what is odd in one must not keep the others from being seen.
std::string title_from(doc::View view) {
  auto text = cut_text(view.text(), 1024);
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

Result<std::vector<std::string>> label_names(doc::View labels) {
  std::vector<std::string> names;
  for (const auto& label : labels.items()) {
    TRY(auto name, said_or_none(label["name"]));
    names.push_back(std::move(name));
  }
  return names;
}

// GitHub's and Gitea's.
Result<OpenRequest> read_github(doc::View item) {
  TRY(auto request, request_from(item["number"], item["head"]["ref"], item["base"]["ref"], item["head"]["sha"]));
  request.title = title_from(item["title"]);
  TRY(request.author, said_or_none(item["user"]["login"]));
  TRY(request.labels, label_names(item["labels"]));
  return request;
}

Result<OpenRequest> read_gitlab(doc::View item) {
  TRY(auto request, request_from(item["iid"], item["source_branch"], item["target_branch"], item["sha"]));
  request.title = title_from(item["title"]);
  TRY(request.author, said_or_none(item["author"]["username"]));
  TRY(request.labels, labels_from(item["labels"]));
  return request;
}

Result<OpenRequest> read_bitbucket(doc::View item) {
  auto source = item["source"];
  TRY(auto request, request_from(item["id"], source["branch"]["name"], item["destination"]["branch"]["name"],
                                 source["commit"]["hash"]));
  request.title = title_from(item["title"]);
  TRY(request.author, said_or_none(item["author"]["nickname"]));
  return request;
}

Result<OpenRequest> read_bitbucket_server(doc::View item) {
  auto from = item["fromRef"];
  TRY(auto request, request_from(item["id"], from["displayId"], item["toRef"]["displayId"], from["latestCommit"]));
  request.title = title_from(item["title"]);
  TRY(request.author, said_or_none(item["author"]["user"]["name"]));
  return request;
}

Result<OpenRequest> read_azure(doc::View item) {
  TRY(auto request, request_from(item["pullRequestId"], item["sourceRefName"], item["targetRefName"],
                                 item["lastMergeSourceCommit"]["commitId"]));
  constexpr std::string_view heads = "refs/heads/";
  for (auto* name : {&request.branch, &request.target_branch})
    if (name->starts_with(heads)) name->erase(0, heads.size());
  request.title = title_from(item["title"]);
  TRY(auto author, said_or_none(item["createdBy"]["uniqueName"]));
  request.author = author.substr(0, author.find('@'));
  TRY(request.labels, label_names(item["labels"]));
  return request;
}

Result<Dialect> dialect_of(const RequestQuery& query) {
  auto access = rest_options(query.access);
  if (query.access.service == Service::gitlab) {
    if (query.repository.empty()) return fail(Kind::invalid, "want a project's path or number");
    std::string more;
    if (!query.state.empty()) more += "&state=" + percent_encode(query.state);
    // GitLab itself knows what the labels Any and None mean.
    if (!query.labels.empty()) more += "&labels=" + percent_encode(join(query.labels, ","));
    return Dialect{fmt::format("/projects/{}/merge_requests?per_page=100{}", percent_encode(query.repository), more),
                   gitlab_headers(access), read_gitlab};
  }
  TRY(auto owner, part(query.access.owner));
  TRY(auto name, part(query.repository));
  switch (query.access.service) {
    case Service::github:
      return Dialect{fmt::format("/repos/{}/{}/pulls?state=open&per_page=100", owner, name), github_headers(access),
                     read_github};
    case Service::gitea:
      return Dialect{fmt::format("/repos/{}/{}/pulls?state=open&limit=50", owner, name), gitea_headers(access),
                     read_github};
    case Service::bitbucket:
      return Dialect{fmt::format("/repositories/{}/{}/pullrequests?state=OPEN&pagelen=50", owner, name),
                     bitbucket_headers(access), read_bitbucket};
    case Service::bitbucket_server:
      return Dialect{fmt::format("/api/1.0/projects/{}/repos/{}/pull-requests?state=OPEN&limit=100", owner, name),
                     bitbucket_headers(access), read_bitbucket_server};
    default: {
      TRY(auto project, part(query.access.project));
      return Dialect{fmt::format("/{}/{}/_apis/git/repositories/{}/pullrequests?searchCriteria.status=active&{}", owner,
                                 project, name, azure_version),
                     azure_headers(access), read_azure};
    }
  }
}

// Azure DevOps counts them.
Result<> each_of_azure(const Ctx& ctx, const Rest& rest, const std::string& list,
                       const std::function<Result<>(doc::View)>& take) {
  constexpr int page = 100, most = 10'000;
  for (int skip = 0; skip < most; skip += page) {
    int found = 0;
    auto counted = [&](doc::View item) {
      ++found;
      return take(item);
    };
    auto done = rest.each(ctx, fmt::format("{}&$top={}&$skip={}", list, page, skip), counted);
    if (!done) {
      auto& error = done.error();
      bool gone = error.what().contains("GitRepositoryNotFoundException") || error.what().contains("does not exist");
      return Fail(gone ? Error(Kind::not_found, error.what()) : error);
    }
    if (found < page) return {};
  }
  return fail(Kind::invalid, "there are more than {}", most);
}

}  // namespace

Result<std::vector<OpenRequest>> list_requests(const Ctx& ctx, RequestQuery query) {
  TRY(query.access, checked(std::move(query.access)));
  TRY(auto dialect, dialect_of(query));
  Rest rest(rest_options(query.access), dialect.headers);
  bool filtered = query.access.service == Service::gitlab;
  std::vector<OpenRequest> all;
  auto take = [&](doc::View item) -> Result<> {
    TRY(auto request, dialect.read(item));
    bool wanted = filtered || std::all_of(query.labels.begin(), query.labels.end(), [&](const std::string& label) {
                    return std::find(request.labels.begin(), request.labels.end(), label) != request.labels.end();
                  });
    if (wanted) all.push_back(std::move(request));
    return {};
  };
  auto done = query.access.service == Service::azure_devops ? each_of_azure(ctx, rest, dialect.list, take)
                                                            : rest.each(ctx, dialect.list, take);
  if (!done) return Fail(std::move(done).error().in("pull requests of " + query.repository));
  return all;
}

}  // namespace slipway::forge
