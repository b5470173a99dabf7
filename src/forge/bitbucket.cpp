// Bitbucket Cloud (API 2.0) and Bitbucket Data Center (REST 1.0, base URL ending in /rest).
#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "forge/detail/catalog.h"
#include "forge/detail/rest.h"

namespace slipway::forge {
namespace {

std::string authorization_of(const ForgeOptions& options) {
  return options.user.empty() ? "Bearer " + options.token : "Basic " + to_base64(options.user + ":" + options.token);
}
// Keys are at most 40 characters.
std::string key_of(const std::string& context) {
  return context.size() <= 40 ? context : context.substr(0, 27) + "-" + sha256_hex(context).substr(0, 12);
}
std::string_view state_of(State state) {
  switch (state) {
    case State::pending:
      return "INPROGRESS";
    case State::success:
      return "SUCCESSFUL";
    default:
      return "FAILED";
  }
}
// Bitbucket shows HTML comments; a link definition that nothing uses is hidden.
std::string marker_of(const std::string& marker) { return fmt::format("[//]: # (slipway:{})", marker); }

net::Headers headers_of_server(const ForgeOptions& options) {
  auto headers = bitbucket_headers(options);
  headers.set("X-Atlassian-Token", "no-check");
  return headers;
}

class Cloud final : public Forge {
 public:
  explicit Cloud(const ForgeOptions& options) : rest_(options, bitbucket_headers(options)) {}

  Result<> set_status(const Ctx& ctx, const CommitStatus& status) override {
    TRY(auto repository, repository_path(status.repository));
    // The URL is required; without one of ours the commit's own page is the honest link.
    auto url =
        status.url.empty() ? fmt::format("https://bitbucket.org/{}/commits/{}", repository, status.commit) : status.url;
    doc::Map body{{"state", state_of(status.state)},
                  {"key", key_of(status.context)},
                  {"name", status.context},
                  {"url", url},
                  {"description", cut_text(status.description, 255)}};
    TRY_OK_IN("commit status", rest_.post(ctx,
                                          fmt::format("/repositories/{}/commit/{}/statuses/build", repository,
                                                      percent_encode(status.commit)),
                                          body));
    return {};
  }

  Result<> upsert_comment(const Ctx& ctx, const Comment& comment) override {
    TRY(auto repository, repository_path(comment.repository));
    auto marker = marker_of(comment.marker);
    auto text = cut_text(comment.body, 32'000) + "\n\n" + marker;
    auto list = fmt::format("/repositories/{}/pullrequests/{}/comments", repository, comment.pull_request);
    TRY_IN(auto old, "comment", rest_.find(ctx, list + "?pagelen=100", [&](doc::View c) {
      return !c["deleted"].bool_or(false) && c["content"]["raw"].text().contains(marker);
    }));
    doc::Map body{{"content", doc::Map{{"raw", text}}}};
    if (!old) {
      TRY_OK_IN("comment", rest_.post(ctx, list, body));
      return {};
    }
    doc::View view(*old, "forge");
    if (view["content"]["raw"].text() == text) return {};
    TRY_OK_IN("comment", rest_.put(ctx, fmt::format("{}/{}", list, view["id"].text()), body));
    return {};
  }

  Result<PullRequestLink> open_pull_request(const Ctx& ctx, const PullRequestDraft& draft) override {
    TRY(auto repository, repository_path(draft.repository));
    auto list = fmt::format("/repositories/{}/pullrequests", repository);
    TRY_IN(auto old, "pull request", rest_.find(ctx, list + "?state=OPEN&pagelen=50", [&](doc::View p) {
      return p["source"]["branch"]["name"].text() == draft.head &&
             p["destination"]["branch"]["name"].text() == draft.base;
    }));
    doc::Map body{{"title", draft.title}, {"description", draft.body}};
    Reply reply;
    if (old) {
      doc::View view(*old, "forge");
      TRY_IN(reply, "pull request", rest_.put(ctx, fmt::format("{}/{}", list, view["id"].text()), body));
    } else {
      body.set("source", doc::Map{{"branch", doc::Map{{"name", draft.head}}}});
      body.set("destination", doc::Map{{"branch", doc::Map{{"name", draft.base}}}});
      body.set("close_source_branch", true);
      TRY_IN(reply, "pull request", rest_.post(ctx, list, body));
    }
    auto view = reply.view();
    return PullRequestLink{static_cast<int>(view["id"].num_or(0)), view["links"]["html"]["href"].text()};
  }

 private:
  Rest rest_;
};

class Server final : public Forge {
 public:
  explicit Server(const ForgeOptions& options)
      : rest_(options, headers_of_server(options)), web_(options.api.substr(0, options.api.rfind("/rest"))) {}

  Result<> set_status(const Ctx& ctx, const CommitStatus& status) override {
    doc::Map body{{"state", state_of(status.state)},
                  {"key", key_of(status.context)},
                  {"name", status.context},
                  {"url", status.url.empty() ? web_ : status.url},
                  {"description", cut_text(status.description, 255)}};
    TRY_OK_IN("commit status", rest_.post(ctx, "/build-status/1.0/commits/" + percent_encode(status.commit), body));
    return {};
  }

  Result<> upsert_comment(const Ctx& ctx, const Comment& comment) override {
    TRY(auto base, base_of(comment.repository));
    auto marker = marker_of(comment.marker);
    auto text = cut_text(comment.body, 32'000) + "\n\n" + marker;
    auto request = fmt::format("{}/pull-requests/{}", base, comment.pull_request);
    // Comments are found among the request's activities, newest first, by offset.
    std::optional<doc::Value> old;
    TRY_OK_IN("comment", each(ctx, request + "/activities", [&](doc::View activity) {
                bool ours =
                    activity["action"].text() == "COMMENTED" && activity["comment"]["text"].text().contains(marker);
                if (ours) old = activity["comment"].value();
                return ours;
              }));
    doc::Map body{{"text", text}};
    if (!old) {
      TRY_OK_IN("comment", rest_.post(ctx, request + "/comments", body));
      return {};
    }
    doc::View view(*old, "forge");
    if (view["text"].text() == text) return {};
    body.set("version", view["version"].num_or(0));
    TRY_OK_IN("comment", rest_.put(ctx, fmt::format("{}/comments/{}", request, view["id"].text()), body));
    return {};
  }

  Result<PullRequestLink> open_pull_request(const Ctx& ctx, const PullRequestDraft& draft) override {
    TRY(auto base, base_of(draft.repository));
    auto list = base + "/pull-requests";
    auto ref = [](const std::string& branch) { return "refs/heads/" + branch; };
    std::optional<doc::Value> old;
    TRY_OK_IN("pull request",
              each(ctx, fmt::format("{}?state=OPEN&direction=OUTGOING&at={}", list, percent_encode(ref(draft.head))),
                   [&](doc::View p) {
                     bool same =
                         p["fromRef"]["id"].text() == ref(draft.head) && p["toRef"]["id"].text() == ref(draft.base);
                     if (same) old = p.value();
                     return same;
                   }));
    doc::Map body{{"title", draft.title}, {"description", draft.body}};
    Reply reply;
    if (old) {
      doc::View view(*old, "forge");
      body.set("version", view["version"].num_or(0));
      TRY_IN(reply, "pull request", rest_.put(ctx, fmt::format("{}/{}", list, view["id"].text()), body));
    } else {
      body.set("fromRef", doc::Map{{"id", ref(draft.head)}});
      body.set("toRef", doc::Map{{"id", ref(draft.base)}});
      TRY_IN(reply, "pull request", rest_.post(ctx, list, body));
    }
    auto view = reply.view();
    auto links = view["links"]["self"].items();
    return PullRequestLink{static_cast<int>(view["id"].num_or(0)), links.empty() ? "" : links[0]["href"].text()};
  }

 private:
  static Result<std::string> base_of(const std::string& repository) {
    TRY_OK(repository_path(repository));
    auto parts = cut(repository, "/");
    return fmt::format("/api/1.0/projects/{}/repos/{}", percent_encode(parts->first), percent_encode(parts->second));
  }
  // Over all pages until `stop`.
  Result<> each(const Ctx& ctx, const std::string& path, const std::function<bool(doc::View)>& stop) const {
    std::int64_t start = 0;
    for (int pages = 0; pages < 100; ++pages) {
      TRY(auto reply,
          rest_.get(ctx, fmt::format("{}{}limit=100&start={}", path, path.contains('?') ? '&' : '?', start)));
      auto view = reply.view();
      for (const auto& item : view["values"].items())
        if (stop(item)) return {};
      if (view["isLastPage"].bool_or(true)) return {};
      start = view["nextPageStart"].num_or(0);
    }
    return {};
  }
  Rest rest_;
  std::string web_;  // a status must link somewhere
};

}  // namespace

net::Headers bitbucket_headers(const ForgeOptions& options) {
  net::Headers headers{{"Accept", "application/json"}};
  if (!options.token.empty()) headers.set("Authorization", authorization_of(options));
  return headers;
}

std::unique_ptr<Forge> make_bitbucket(const ForgeOptions& options) { return std::make_unique<Cloud>(options); }
std::unique_ptr<Forge> make_bitbucket_server(const ForgeOptions& options) { return std::make_unique<Server>(options); }

}  // namespace slipway::forge
