// Contract tests: a small server that answers as the forges' published REST APIs say (status, comment and pull
// request calls of GitHub, Gitea, GitLab, Bitbucket Cloud and Data Center), with paging, refusals and rate limits.
#include "forge/forge.h"

#include "base/guarded.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "net/server.h"

namespace slipway::forge {
namespace {

struct Shape {
  const char* name;
  Provider provider;
  std::string prefix;          // of the API
  std::string authorization;   // header: value
  std::string statuses;        // POST here
  std::string comments, edit;  // GET and POST; PUT or PATCH edit + id
  std::string edit_method;
  std::string comment_path;  // where the text is in a comment: "body", "content.raw"
  bool values = false;       // lists in {"values": []}
  std::string status_state;  // how success is called there
};
const Shape shapes[] = {
    {"GitHub", Provider::github, "", "authorization: Bearer t0ken", "/repos/o/r/statuses/C",
     "/repos/o/r/issues/7/comments", "/repos/o/r/issues/comments/", "PATCH", "body", false, "success"},
    {"Gitea", Provider::gitea, "/api/v1", "authorization: token t0ken", "/repos/o/r/statuses/C",
     "/repos/o/r/issues/7/comments", "/repos/o/r/issues/comments/", "PATCH", "body", false, "success"},
    {"GitLab", Provider::gitlab, "/api/v4", "private-token: t0ken", "/projects/o%2Fr/statuses/C",
     "/projects/o%2Fr/merge_requests/7/notes", "/projects/o%2Fr/merge_requests/7/notes/", "PUT", "body", false,
     "success"},
    {"Bitbucket", Provider::bitbucket, "/2.0", "authorization: Bearer t0ken",
     "/repositories/o/r/commit/C/statuses/build", "/repositories/o/r/pullrequests/7/comments",
     "/repositories/o/r/pullrequests/7/comments/", "PUT", "content.raw", true, "SUCCESSFUL"},
    {"BitbucketServer", Provider::bitbucket_server, "/rest", "authorization: Bearer t0ken",
     "/build-status/1.0/commits/C", "/api/1.0/projects/o/repos/r/pull-requests/7/comments",
     "/api/1.0/projects/o/repos/r/pull-requests/7/comments/", "PUT", "text", true, "SUCCESSFUL"},
};
const std::string commit(40, 'c');

// Keeps comments as the forges do and notes every call.
struct Api {
  explicit Api(const Shape& s) : shape(s) {
    server =
        must(net::Server::start({}, [this](const Ctx& ctx, net::Request& request) { return serve(ctx, request); }));
  }
  net::Response serve(const Ctx& ctx, net::Request& request) {
    auto header = *cut(shape.authorization, ": ");
    if (request.headers.get_or(header.first, "") != header.second)
      return net::Response::json(401, R"({"message":"Bad credentials"})");
    if (auto planned = refusal.lock(); !planned->empty()) {
      auto response = std::move(planned->front());
      planned->erase(planned->begin());
      return response;
    }
    auto path = request.raw_path.substr(0, request.raw_path.find('?')).substr(shape.prefix.size());
    auto body = must(doc::parse_json([&] {
      auto b = must(request.read_body(ctx));
      return b.empty() ? "null" : b;
    }()));
    auto known = state.lock();
    if (request.method != "GET") known->calls.push_back(request.method + " " + path + " " + doc::print_json(body));
    if (path == replace_all(shape.statuses, "C", commit)) return net::Response::json(201, "{}");
    bool activities = path.ends_with("/activities");
    if ((path == shape.comments || activities) && request.method == "GET") return list(*known, request, activities);
    if (path == shape.comments && request.method == "POST") {
      known->comments.push_back(body);
      known->comments.back()["id"] = known->comments.size();
      known->comments.back()["version"] = 3;
      return net::Response::json(201, doc::print_json(known->comments.back()));
    }
    if (path.starts_with(shape.edit) && request.method == shape.edit_method) {
      auto id = static_cast<std::size_t>(to_int(path.substr(shape.edit.size())).value_or(0));
      if (id == 0 || id > known->comments.size()) return net::Response::json(404, "{}");
      for (const auto& [key, value] : *body.if_map()) known->comments[id - 1][key] = value;
      return net::Response::json(200, doc::print_json(known->comments[id - 1]));
    }
    if (path.ends_with("pulls") || path.ends_with("merge_requests") || path.ends_with("pullrequests") ||
        path.ends_with("pull-requests")) {
      if (request.method == "GET")
        return net::Response::json(200, shape.values ? R"({"values":[],"isLastPage":true})" : "[]");
      return net::Response::json(
          201,
          R"({"number":9,"iid":9,"id":9,"html_url":"u","web_url":"u","links":{"html":{"href":"u"},"self":[{"href":"u"}]}})");
    }
    return net::Response::json(404, R"({"message":"Not Found"})");
  }
  struct State {
    std::vector<std::string> calls;
    std::vector<doc::Value> comments;
  };
  // Two a page, so that paging is walked.
  net::Response list(const State& known, const net::Request& request, bool activities) {
    auto page =
        static_cast<std::size_t>(to_int(request.query_of(activities ? "start" : "page")).value_or(activities ? 0 : 1));
    auto begin = activities ? page : (page - 1) * 2;
    doc::List items;
    for (auto i = begin; i < std::min(begin + 2, known.comments.size()); ++i)
      items.push_back(activities ? doc::Value(doc::Map{{"action", "COMMENTED"}, {"comment", known.comments[i]}})
                                 : known.comments[i]);
    bool more = begin + 2 < known.comments.size();
    auto next = fmt::format("http://{}{}{}?page={}", server->address(), shape.prefix, shape.comments, page + 1);
    doc::Value body = doc::Value(items);
    if (shape.values) {
      doc::Map wrapped{{"values", items}, {"isLastPage", !more}, {"nextPageStart", begin + 2}};
      if (more && !activities) wrapped.set("next", next);
      body = wrapped;
    }
    auto response = net::Response::json(200, doc::print_json(body));
    if (more && !shape.values) response.headers.set("Link", fmt::format("<{}>; rel=\"next\", <x>; rel=\"last\"", next));
    return response;
  }
  std::string text(std::size_t i) {
    auto known = state.lock();
    const doc::Value* at = &known->comments.at(i);
    for (auto key : split(shape.comment_path, '.')) at = at->find(key);
    return *at->if_string();
  }
  std::unique_ptr<Forge> connect(const std::string& token = "t0ken") {
    return must(forge::connect(
        {.provider = shape.provider, .api = "http://" + server->address() + shape.prefix, .token = token}));
  }

  const Shape& shape;
  Guarded<State> state;
  Guarded<std::vector<net::Response>> refusal;
  std::unique_ptr<net::Server> server;
};

class ForgeContract : public testing::TestWithParam<Shape> {
 protected:
  Api api{GetParam()};
  Ctx ctx;
};

TEST_P(ForgeContract, SetsStatuses) {
  auto forge = api.connect();
  ASSERT_TRUE(forge->set_status(ctx, {"o/r", commit, "slipway/ci / test", State::success,
                                      std::string(200, 'x') + "ü" + std::string(300, 'y'), "http://run"}));
  auto calls = api.state.lock();
  ASSERT_EQ(calls->calls.size(), 1u);
  EXPECT_TRUE(calls->calls[0].contains("\"state\":\"" + GetParam().status_state + "\"")) << calls->calls[0];
  EXPECT_TRUE(calls->calls[0].contains("slipway/ci / test"));
  EXPECT_TRUE(calls->calls[0].contains("http://run"));
}

TEST_P(ForgeContract, UpdatesOneComment) {
  auto forge = api.connect();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(forge->upsert_comment(ctx, {"o/r", 7, fmt::format("other{}", i), "theirs"}));
  ASSERT_TRUE(forge->upsert_comment(ctx, {"o/r", 7, "preview", "first"}));
  ASSERT_TRUE(forge->upsert_comment(ctx, {"o/r", 7, "preview", "second"}));
  auto calls = api.state.lock()->calls.size();
  ASSERT_TRUE(forge->upsert_comment(ctx, {"o/r", 7, "preview", "second"}));
  EXPECT_EQ(api.state.lock()->calls.size(), calls);
  EXPECT_EQ(api.state.lock()->comments.size(), 6u);
  EXPECT_TRUE(api.text(5).starts_with("second\n")) << api.text(5);
  EXPECT_TRUE(api.text(0).starts_with("theirs\n"));
}

TEST_P(ForgeContract, OpensPullRequests) {
  auto link = must(api.connect()->open_pull_request(ctx, {"o/r", "slipway/prod-web", "main", "Promote web", "why"}));
  EXPECT_EQ(link.number, 9);
  EXPECT_EQ(link.url, "u");
}

TEST_P(ForgeContract, TellsWhatWentWrong) {
  CommitStatus status{"o/r", commit, "ci", State::pending, "", ""};
  auto denied = api.connect("wrong")->set_status(ctx, status);
  EXPECT_EQ(denied.error().kind(), Kind::denied);
  EXPECT_TRUE(denied.error().what().contains("401 Unauthorized: Bad credentials")) << denied.error().what();
  EXPECT_FALSE(denied.error().print().contains("wrong\n"));
  auto forge = api.connect();
  if (GetParam().provider != Provider::bitbucket_server) {  // statuses there know no repository
    status.repository = "o/none";
    EXPECT_EQ(forge->set_status(ctx, status).error().kind(), Kind::not_found);
    status.repository = "o/..";
    EXPECT_EQ(forge->set_status(ctx, status).error().kind(), Kind::invalid);
  }
  status.repository = "o/r";
  auto limited = net::Response::json(429, R"({"message":"slow down"})");
  limited.headers.set("Retry-After", "17");
  api.refusal.lock()->push_back(std::move(limited));
  auto later = forge->set_status(ctx, status);
  EXPECT_TRUE(later.error().retryable());
  EXPECT_EQ(later.error().retry_after(), Millis(17'000));
  api.refusal.lock()->push_back(
      net::Response::json(422, R"({"message":"Validation Failed","errors":[{"field":"sha","code":"missing"}]})"));
  auto invalid = forge->set_status(ctx, status);
  EXPECT_EQ(invalid.error().kind(), Kind::invalid);
  EXPECT_TRUE(invalid.error().what().contains("Validation Failed: sha missing")) << invalid.error().what();
  api.refusal.lock()->push_back(net::Response::text(502, "<html>"));
  EXPECT_TRUE(forge->set_status(ctx, status).error().retryable());
  api.refusal.lock()->push_back(net::Response::text(200, "<html>"));
  EXPECT_EQ(forge->set_status(ctx, status).error().kind(), Kind::invalid);
}
INSTANTIATE_TEST_SUITE_P(Forges, ForgeContract, testing::ValuesIn(shapes),
                         [](const auto& i) { return std::string(i.param.name); });

TEST(Forge, ADoneStateAtGitLabIsNoError) {
  Api api(shapes[2]);
  api.refusal.lock()->push_back(net::Response::json(
      400, R"x({"message":"Cannot transition status via :run from :running (Reason(s): Status cannot transition)"})x"));
  EXPECT_TRUE(api.connect()->set_status(Ctx{}, {"o/r", commit, "ci", State::pending, "", ""}));
}

TEST(Forge, DoesNotFollowAPageElsewhere) {
  Api api(shapes[0]);
  auto reply = net::Response::json(200, "[]");
  reply.headers.set("Link", "<http://127.0.0.1:1/steal>; rel=\"next\"");
  api.refusal.lock()->push_back(std::move(reply));
  EXPECT_EQ(api.connect()->upsert_comment(Ctx{}, {"o/r", 7, "m", "b"}).error().kind(), Kind::denied);
}

TEST(Forge, WantsAddressAndToken) {
  EXPECT_EQ(connect({.provider = Provider::gitea, .token = "x"}).error().what(),
            "gitea: has no public service, want its API's address");
  EXPECT_EQ(connect({.provider = Provider::github}).error().what(), "github: no token is set");
  EXPECT_FALSE(connect({.provider = Provider::github, .api = "ftp://x", .token = "x"}));
}

}  // namespace
}  // namespace slipway::forge
