// GitLab, API v4: projects by their encoded path, comments are notes, pull requests are merge requests.
#include "base/encode.h"
#include "base/text.h"
#include "forge/detail/catalog.h"
#include "forge/detail/rest.h"

namespace slipway::forge {
namespace {

std::string_view state_of(State state) {
  switch (state) {
    case State::pending:
      return "running";
    case State::success:
      return "success";
    default:
      return "failed";
  }
}

class Gitlab final : public Forge {
 public:
  explicit Gitlab(const ForgeOptions& options) : rest_(options, gitlab_headers(options)) {}

  Result<> set_status(const Ctx& ctx, const CommitStatus& status) override {
    TRY(auto project, project_of(status.repository));
    doc::Map body{{"state", state_of(status.state)},
                  {"name", status.context},
                  {"description", cut_text(status.description, 255)}};
    if (!status.url.empty()) body.set("target_url", status.url);
    auto set = rest_.post(ctx, fmt::format("{}/statuses/{}", project, percent_encode(status.commit)), body);
    // GitLab refuses to set a state that is there already.
    if (!set && set.error().what().contains("Cannot transition status")) return {};
    if (!set) return Fail(std::move(set).error().in("commit status"));
    return {};
  }

  Result<> upsert_comment(const Ctx& ctx, const Comment& comment) override {
    TRY(auto project, project_of(comment.repository));
    auto marker = html_marker(comment.marker);
    auto text = cut_text(comment.body, 900'000) + "\n" + marker;
    auto list = fmt::format("{}/merge_requests/{}/notes", project, comment.pull_request);
    TRY_IN(auto old, "comment", rest_.find(ctx, list + "?per_page=100&sort=asc", [&](doc::View n) {
      return n["body"].text().contains(marker);
    }));
    doc::Map body{{"body", text}};
    if (!old) {
      TRY_OK_IN("comment", rest_.post(ctx, list, body));
      return {};
    }
    doc::View view(*old, "forge");
    if (view["body"].text() == text) return {};
    TRY_OK_IN("comment", rest_.put(ctx, fmt::format("{}/{}", list, view["id"].text()), body));
    return {};
  }

  Result<PullRequestLink> open_pull_request(const Ctx& ctx, const PullRequestDraft& draft) override {
    TRY(auto project, project_of(draft.repository));
    auto list = project + "/merge_requests";
    auto query = fmt::format("{}?state=opened&source_branch={}&target_branch={}", list, percent_encode(draft.head),
                             percent_encode(draft.base));
    TRY_IN(auto old, "merge request", rest_.find(ctx, query, [](doc::View) { return true; }));
    doc::Map body{{"title", draft.title}, {"description", draft.body}};
    Reply reply;
    if (old) {
      doc::View view(*old, "forge");
      TRY_IN(reply, "merge request", rest_.put(ctx, fmt::format("{}/{}", list, view["iid"].text()), body));
    } else {
      body.set("source_branch", draft.head);
      body.set("target_branch", draft.base);
      body.set("remove_source_branch", true);
      TRY_IN(reply, "merge request", rest_.post(ctx, list, body));
    }
    auto view = reply.view();
    return PullRequestLink{static_cast<int>(view["iid"].num_or(0)), view["web_url"].text()};
  }

 private:
  static Result<std::string> project_of(const std::string& repository) {
    TRY_OK(repository_path(repository));
    return "/projects/" + percent_encode(repository);
  }
  Rest rest_;
};

}  // namespace

net::Headers gitlab_headers(const ForgeOptions& options) {
  net::Headers headers{{"Accept", "application/json"}};
  if (!options.token.empty()) headers.set("PRIVATE-TOKEN", options.token);
  return headers;
}

std::unique_ptr<Forge> make_gitlab(const ForgeOptions& options) { return std::make_unique<Gitlab>(options); }

}  // namespace slipway::forge
