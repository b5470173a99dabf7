// GitHub (REST API 2022-11-28) and Gitea/Forgejo (API v1), which follows it but for the differences named here.
#include "base/encode.h"
#include "base/text.h"
#include "forge/detail/catalog.h"
#include "forge/detail/rest.h"

namespace slipway::forge {
namespace {

class Github : public Forge {
 public:
  Github(const ForgeOptions& options, net::Headers headers) : rest_(options, std::move(headers)) {}

  Result<> set_status(const Ctx& ctx, const CommitStatus& status) override {
    TRY(auto repository, repository_path(status.repository));
    doc::Map body{{"state", to_string(status.state)},
                  {"context", status.context},
                  {"description", cut_text(status.description, 140)}};
    if (!status.url.empty()) body.set("target_url", status.url);
    TRY_OK_IN("commit status",
              rest_.post(ctx, fmt::format("/repos/{}/statuses/{}", repository, percent_encode(status.commit)), body));
    return {};
  }

  Result<> upsert_comment(const Ctx& ctx, const Comment& comment) override {
    TRY(auto repository, repository_path(comment.repository));
    auto marker = html_marker(comment.marker);
    auto text = cut_text(comment.body, 65'000) + "\n" + marker;
    auto list = fmt::format("/repos/{}/issues/{}/comments", repository, comment.pull_request);
    TRY_IN(auto old, "comment", rest_.find(ctx, list + "?per_page=100&limit=50", [&](doc::View c) {
      return c["body"].text().contains(marker);
    }));
    doc::Map body{{"body", text}};
    if (!old) {
      TRY_OK_IN("comment", rest_.post(ctx, list, body));
      return {};
    }
    doc::View view(*old, "forge");
    if (replace_all(view["body"].text(), "\r\n", "\n") == text) return {};
    TRY_OK_IN("comment",
              rest_.patch(ctx, fmt::format("/repos/{}/issues/comments/{}", repository, view["id"].text()), body));
    return {};
  }

  Result<PullRequestLink> open_pull_request(const Ctx& ctx, const PullRequestDraft& draft) override {
    TRY(auto repository, repository_path(draft.repository));
    auto list = fmt::format("/repos/{}/pulls", repository);
    auto owner = draft.repository.substr(0, draft.repository.find('/'));
    // GitHub filters by head; Gitea ignores that and the check below does it.
    auto query = fmt::format("{}?state=open&per_page=100&limit=50&base={}&head={}", list, percent_encode(draft.base),
                             percent_encode(owner + ":" + draft.head));
    TRY_IN(auto old, "pull request", rest_.find(ctx, query, [&](doc::View p) {
      return p["head"]["ref"].text() == draft.head && p["base"]["ref"].text() == draft.base;
    }));
    doc::Map body{{"title", draft.title}, {"body", draft.body}};
    Reply reply;
    if (old) {
      doc::View view(*old, "forge");
      TRY_IN(reply, "pull request", rest_.patch(ctx, fmt::format("{}/{}", list, view["number"].text()), body));
    } else {
      body.set("head", draft.head);
      body.set("base", draft.base);
      TRY_IN(reply, "pull request", rest_.post(ctx, list, body));
    }
    auto view = reply.view();
    return PullRequestLink{static_cast<int>(view["number"].num_or(0)), view["html_url"].text()};
  }

 protected:
  Rest rest_;
};

// Deployments are GitHub's own: a deployment of the commit to the environment, and a status of it.
class GithubItself final : public Github {
 public:
  using Github::Github;
  Result<> set_deployment(const Ctx& ctx, const Deployment& deployment) override {
    TRY(auto repository, repository_path(deployment.repository));
    auto list = fmt::format("/repos/{}/deployments", repository);
    auto query = fmt::format("{}?sha={}&environment={}", list, percent_encode(deployment.commit),
                             percent_encode(deployment.environment));
    TRY_IN(auto old, "deployment", rest_.find(ctx, query, [](doc::View) { return true; }));
    std::string id;
    if (old) {
      id = doc::View(*old, "forge")["id"].text();
    } else {
      doc::Map body{{"ref", deployment.commit},
                    {"environment", deployment.environment},
                    {"auto_merge", false},
                    {"required_contexts", doc::List{}},
                    {"production_environment", deployment.production},
                    {"description", cut_text(deployment.description, 140)}};
      TRY_IN(auto made, "deployment", rest_.post(ctx, list, body));
      id = made.view()["id"].text();
    }
    auto state = deployment.state == State::pending ? std::string_view("in_progress") : to_string(deployment.state);
    doc::Map body{{"state", state}, {"description", cut_text(deployment.description, 140)}};
    if (!deployment.url.empty()) body.set("log_url", deployment.url);
    TRY_OK_IN("deployment", rest_.post(ctx, fmt::format("{}/{}/statuses", list, id), body));
    return {};
  }
};

}  // namespace

net::Headers github_headers(const ForgeOptions& options) {
  net::Headers headers{{"Accept", "application/vnd.github+json"}, {"X-GitHub-Api-Version", "2022-11-28"}};
  if (!options.token.empty()) headers.set("Authorization", "Bearer " + options.token);
  return headers;
}

net::Headers gitea_headers(const ForgeOptions& options) {
  net::Headers headers{{"Accept", "application/json"}};
  if (!options.token.empty()) headers.set("Authorization", "token " + options.token);
  return headers;
}

std::unique_ptr<Forge> make_github(const ForgeOptions& options) {
  return std::make_unique<GithubItself>(options, github_headers(options));
}

std::unique_ptr<Forge> make_gitea(const ForgeOptions& options) {
  return std::make_unique<Github>(options, gitea_headers(options));
}

}  // namespace slipway::forge
