// Contract tests: a small server that answers as the forges' published REST APIs say (lists of repositories and
// branches, contents), two pages a list.
#include "forge/catalog.h"

#include "base/encode.h"
#include "base/guarded.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/view.h"
#include "net/server.h"

namespace slipway::forge {
namespace {

const std::string one(40, 'a'), two(40, 'b');

struct Route {
  std::string target;  // with its query, as it is asked
  int status = 200;
  std::string body;  // HOST is the server's address
  std::string next;  // of the Link header
};
struct Shape {
  const char* name;
  Service service;
  std::string prefix;
  std::string authorization;
  std::vector<Route> routes;
  std::string repositories;  // what is made of them
};

std::string with_commits(std::string_view text) {
  return replace_all(replace_all(std::string(text), "ONE", one), "TWO", two);
}

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  all.push_back(
      {"GitHub",
       Service::github,
       "/api/v3",
       "authorization: Bearer t0ken",
       {{"/orgs/acme/repos?per_page=100&limit=50", 200,
         R"([{"id":7,"name":"web","owner":{"login":"Acme"},"ssh_url":"git@h:acme/web.git","clone_url":"https://h/acme/web.git",
            "default_branch":"main","topics":["prod","go"],"archived":false},
            {"id":8,"name":"old","owner":{"login":"Acme"},"default_branch":"main","archived":true}])",
         "/orgs/acme/repos?page=2"},
        {"/orgs/acme/repos?page=2", 200,
         R"([{"id":9,"name":"empty","owner":{"login":"Acme"},"ssh_url":"git@h:acme/empty.git","clone_url":"https://h/acme/empty.git",
            "default_branch":"main"}])"},
        {"/repos/Acme/web/branches/main", 200, R"({"name":"main","commit":{"sha":"ONE"}})"},
        {"/repos/Acme/web/branches?per_page=100&limit=50", 200, R"([{"name":"main","commit":{"sha":"ONE"}}])",
         "/repos/Acme/web/branches?page=2"},
        {"/repos/Acme/web/branches?page=2", 200, R"([{"name":"feature/a","commit":{"sha":"TWO"}}])"},
        {"/repos/Acme/empty/branches?per_page=100&limit=50", 200, "[]"},
        {"/repos/Acme/web/contents/k8s/app.yaml?ref=main", 200, R"({"type":"file"})"},
        {"/repos/Acme/web/contents/k8s?ref=main", 200, R"([{"type":"file"}])"}},
       "Acme/web git@h:acme/web.git https://h/acme/web.git main prod,go 7; Acme/empty git@h:acme/empty.git "
       "https://h/acme/empty.git main  9"});
  all.push_back(
      {"Gitea",
       Service::gitea,
       "/api/v1",
       "authorization: token t0ken",
       {{"/orgs/acme/repos?per_page=100&limit=50", 200,
         R"([{"id":7,"name":"web","ssh_url":"git@h:acme/web.git","html_url":"https://h/acme/web","default_branch":"main","empty":false},
            {"id":8,"name":"old","default_branch":"main","archived":true}])",
         "/orgs/acme/repos?page=2"},
        {"/orgs/acme/repos?page=2", 200, R"([{"id":9,"name":"empty","default_branch":"main","empty":true}])"},
        {"/repos/acme/web/labels?limit=50", 200, R"([{"name":"prod"},{"name":"go"}])"},
        {"/repos/acme/web/branches/main", 200, R"({"name":"main","commit":{"id":"ONE"}})"},
        {"/repos/acme/web/branches?per_page=100&limit=50", 200, R"([{"name":"main","commit":{"id":"ONE"}}])",
         "/repos/acme/web/branches?page=2"},
        {"/repos/acme/web/branches?page=2", 200, R"([{"name":"feature/a","commit":{"id":"TWO"}}])"},
        {"/repos/acme/web/contents/k8s/app.yaml?ref=main", 200, R"({"type":"file"})"},
        {"/repos/acme/web/contents/k8s?ref=main", 200, R"([{"type":"file"}])"}},
       "acme/web git@h:acme/web.git https://h/acme/web main prod,go 7"});
  all.push_back(
      {"GitLab",
       Service::gitlab,
       "/api/v4",
       "private-token: t0ken",
       {{"/groups/acme/projects?per_page=100&include_subgroups=true&with_shared=false&topic=prod", 200,
         R"([{"id":7,"path":"web","namespace":{"full_path":"acme/team"},"ssh_url_to_repo":"git@h:acme/team/web.git",
            "http_url_to_repo":"https://h/acme/team/web.git","default_branch":"main","topics":["prod","go"]}])",
         "/groups/acme/projects?page=2"},
        {"/groups/acme/projects?page=2", 200,
         R"([{"id":9,"path":"empty","namespace":{"full_path":"acme"},"default_branch":null},
            {"id":10,"path":"aged","namespace":{"full_path":"acme"},"ssh_url_to_repo":"s","http_url_to_repo":"h",
             "default_branch":"main","topics":[],"tag_list":["old"]}])"},
        {"/projects/7/repository/branches/main", 200, R"({"name":"main","commit":{"id":"ONE"}})"},
        {"/projects/7/repository/branches?per_page=100", 200, R"([{"name":"main","commit":{"id":"ONE"}}])",
         "/projects/7/repository/branches?page=2"},
        {"/projects/7/repository/branches?page=2", 200, R"([{"name":"feature/a","commit":{"id":"TWO"}}])"},
        {"/projects/7/repository/files/k8s%2Fapp.yaml?ref=main", 200, "{}"},
        {"/projects/7/repository/tree?path=k8s&ref=main&per_page=1", 200, R"([{"name":"app.yaml"}])"},
        {"/projects/7/repository/tree?path=none&ref=main&per_page=1", 200, "[]"}},
       "acme/team/web git@h:acme/team/web.git https://h/acme/team/web.git main prod,go 7; acme/aged s h main old 10"});
  all.push_back(
      {"Bitbucket",
       Service::bitbucket,
       "/2.0",
       "authorization: Basic " + to_base64("ada:t0ken"),
       {{"/repositories/acme?role=member&pagelen=100", 200,
         R"({"values":[{"uuid":"{7}","slug":"web","mainbranch":{"name":"main"},"links":{"clone":[
            {"name":"https","href":"https://h/acme/web.git"},{"name":"ssh","href":"git@h:acme/web.git"}]}}],
            "next":"http://HOST/2.0/repositories/acme?page=2"})"},
        {"/repositories/acme?page=2", 200, R"({"values":[{"uuid":"{9}","slug":"empty","mainbranch":null}]})"},
        {"/repositories/acme/web/refs/branches/main", 200, R"({"name":"main","target":{"hash":"ONE"}})"},
        {"/repositories/acme/web/refs/branches?pagelen=100", 200,
         R"({"values":[{"name":"main","target":{"hash":"ONE"}}],"next":"http://HOST/2.0/repositories/acme/web/refs/branches?page=2"})"},
        {"/repositories/acme/web/refs/branches?page=2", 200,
         R"({"values":[{"name":"feature/a","target":{"hash":"TWO"}}]})"},
        {"/repositories/acme/web/src/ONE/k8s/app.yaml?format=meta", 200, "{}"},
        {"/repositories/acme/web/src/ONE/k8s?format=meta", 200, "{}"}},
       "acme/web git@h:acme/web.git https://h/acme/web.git main  {7}"});
  all.push_back(
      {"BitbucketServer",
       Service::bitbucket_server,
       "/rest",
       "authorization: Basic " + to_base64("ada:t0ken"),
       {{"/api/1.0/projects/acme/repos?limit=100", 200,
         R"({"values":[{"id":7,"slug":"web","name":"web","project":{"key":"ACME"},"links":{"clone":[
            {"name":"http","href":"https://h/scm/acme/web.git"},{"name":"ssh","href":"ssh://git@h/acme/web.git"}]}}],
            "isLastPage":false,"nextPageStart":1})"},
        {"/api/1.0/projects/acme/repos?limit=100&start=1", 200,
         R"({"values":[{"id":9,"slug":"em-pty","name":"em pty","project":{"key":"ACME"},"links":{"clone":[]}}],"isLastPage":true})"},
        {"/api/1.0/projects/ACME/repos/web/branches/default", 200, R"({"displayId":"main","latestCommit":"ONE"})"},
        {"/api/1.0/projects/ACME/repos/em-pty/branches/default", 204, ""},
        {"/api/1.0/projects/ACME/repos/web/branches?limit=100", 200,
         R"({"values":[{"displayId":"main","latestCommit":"ONE"}],"isLastPage":false,"nextPageStart":1})"},
        {"/api/1.0/projects/ACME/repos/web/branches?limit=100&start=1", 200,
         R"({"values":[{"displayId":"feature/a","latestCommit":"TWO"}],"isLastPage":true})"},
        {"/api/1.0/projects/ACME/repos/web/browse/k8s/app.yaml?limit=1&type=true&at=main", 200, R"({"type":"FILE"})"},
        {"/api/1.0/projects/ACME/repos/web/browse/k8s?limit=1&type=true&at=main", 200, R"({"type":"DIRECTORY"})"}},
       "ACME/web ssh://git@h/acme/web.git https://h/scm/acme/web.git   7; ACME/em pty     9"});
  all.push_back(
      {"AzureDevOps",
       Service::azure_devops,
       "",
       "authorization: Basic " + to_base64(":t0ken"),
       {{"/acme/my%20team/_apis/git/repositories?api-version=7.0", 200,
         R"({"count":2,"value":[{"id":"u7","name":"web","remoteUrl":"https://h/acme/team/_git/web","defaultBranch":"refs/heads/main"},
            {"id":"u9","name":"empty","remoteUrl":"https://h/acme/team/_git/empty"}]})"},
        {"/acme/my%20team/_apis/git/repositories/u7/stats/branches?api-version=7.0&name=main", 200,
         R"({"name":"main","commit":{"commitId":"ONE"}})"},
        {"/acme/my%20team/_apis/git/repositories/u7/stats/branches?api-version=7.0", 200,
         R"({"value":[{"name":"main","commit":{"commitId":"ONE"}},{"name":"feature/a","commit":{"commitId":"TWO"}}]})"},
        {"/acme/my%20team/_apis/git/repositories/u7/"
         "items?api-version=7.0&$format=json&path=k8s%2Fapp.yaml&versionDescriptor.version=main",
         200, "{}"},
        {"/acme/my%20team/_apis/git/repositories/u7/"
         "items?api-version=7.0&$format=json&path=k8s&versionDescriptor.version=main",
         200, "{}"},
        {"/acme/my%20team/_apis/git/repositories/u7/"
         "items?api-version=7.0&$format=json&path=none&versionDescriptor.version=main",
         404, R"({"message":"TF401174: not there","typeKey":"GitItemNotFoundException"})"}},
       "acme/web https://h/acme/team/_git/web https://h/acme/team/_git/web main  u7"});
  return all;
}

struct Api {
  explicit Api(const Shape& s) : shape(s) {
    server = must(net::Server::start({}, [this](const Ctx&, net::Request& request) { return serve(request); }));
  }
  net::Response serve(const net::Request& request) {
    auto header = *cut(shape.authorization, ": ");
    if (request.headers.get_or(header.first, "") != header.second)
      return net::Response::json(401, R"({"message":"Bad credentials"})");
    if (auto instead = answer.lock(); !instead->empty()) return net::Response::json(200, *instead);
    for (const auto& route : shape.routes) {
      if (shape.prefix + with_commits(route.target) != request.target) continue;
      auto response =
          net::Response::json(route.status, replace_all(with_commits(route.body), "HOST", server->address()));
      if (!route.next.empty())
        response.headers.set("Link",
                             fmt::format("<http://{}{}{}>; rel=\"next\"", server->address(), shape.prefix, route.next));
      return response;
    }
    return net::Response::json(404, R"({"message":"Not Found"})");
  }
  std::unique_ptr<Catalog> open(const std::string& token = "t0ken") {
    CatalogOptions options;
    options.service = shape.service;
    options.api = "http://" + server->address() + shape.prefix + "/";
    options.owner = "acme", options.project = "my team", options.token = token;
    if (shape.authorization.contains(to_base64("ada:t0ken"))) options.user = "ada";
    options.without_archived = true;
    options.subgroups = true, options.shared = false, options.topic = "prod";
    return must(open_catalog(options));
  }
  const Shape& shape;
  Guarded<std::string> answer;  // to everything, "" for what the shape says
  std::unique_ptr<net::Server> server;
};

class CatalogContract : public testing::TestWithParam<Shape> {
 protected:
  Api api{GetParam()};
  Ctx ctx;
};

TEST_P(CatalogContract, ListsRepositoriesOverAllPages) {
  std::vector<std::string> all;
  for (const auto& r : must(api.open()->repositories(ctx)))
    all.push_back(fmt::format("{}/{} {} {} {} {} {}", r.organization, r.name, r.ssh_url, r.http_url, r.default_branch,
                              join(r.labels, ","), doc::View(r.id).text()));
  EXPECT_EQ(join(all, "; "), GetParam().repositories);
}

TEST_P(CatalogContract, ListsBranches) {
  auto catalog = api.open();
  auto repositories = must(catalog->repositories(ctx));
  auto shown = [&](const CatalogRepository& repository, bool whole) {
    std::string out;
    for (const auto& b : must(catalog->branches(ctx, repository, whole)))
      out += fmt::format("{}:{} ", b.name, b.commit.substr(0, 2));
    return out;
  };
  EXPECT_EQ(shown(repositories[0], false), "main:aa ");
  EXPECT_EQ(shown(repositories[0], true), "main:aa feature/a:bb ");
  // What nothing was pushed to has none.
  if (repositories.size() > 1 && repositories[1].name.starts_with("em")) {
    EXPECT_EQ(shown(repositories[1], false), "");
    EXPECT_EQ(shown(repositories[1], true), "");
  }
}

TEST_P(CatalogContract, LooksForPaths) {
  auto catalog = api.open();
  auto repository = must(catalog->repositories(ctx))[0];
  CatalogBranch branch{"main", one};
  EXPECT_TRUE(must(catalog->has_path(ctx, repository, branch, "k8s/app.yaml")));
  EXPECT_TRUE(must(catalog->has_path(ctx, repository, branch, "k8s")));
  EXPECT_FALSE(must(catalog->has_path(ctx, repository, branch, "none")));
  EXPECT_EQ(catalog->has_path(ctx, repository, branch, "../x").error().kind(), Kind::invalid);
}

// Nobody may take for an empty organisation what is none.
TEST_P(CatalogContract, DoesNotBelieveBrokenAnswers) {
  EXPECT_EQ(api.open("wrong")->repositories(ctx).error().kind(), Kind::denied);
  for (auto answer : {"{}", "null", R"({"message":"hello"})", "[", "7"}) {
    *api.answer.lock() = answer;
    EXPECT_EQ(api.open()->repositories(ctx).error().kind(), Kind::invalid) << answer;
  }
  *api.answer.lock() = "";
  auto repository = must(api.open()->repositories(ctx))[0];
  for (auto answer : {"{}", R"({"name":"main","displayId":"main","commit":{"id":"x","sha":"x","commitId":"x"}})"}) {
    *api.answer.lock() = answer;
    EXPECT_FALSE(api.open()->branches(ctx, repository, false)) << answer;
    EXPECT_FALSE(api.open()->branches(ctx, repository, true)) << answer;
  }
}
INSTANTIATE_TEST_SUITE_P(Forges, CatalogContract, testing::ValuesIn(shapes()),
                         [](const auto& i) { return std::string(i.param.name); });

TEST(Catalog, EndlessListsAreNoLists) {
  auto all = shapes();
  Shape shape = all[0];
  shape.routes = {{"/orgs/acme/repos?per_page=100&limit=50", 200, "[]", "/orgs/acme/repos?per_page=100&limit=50"}};
  Api api(shape);
  auto got = api.open()->repositories(Ctx{});
  EXPECT_TRUE(got.error().what().contains("goes on after 100 pages")) << got.error().what();
}

TEST(Catalog, NamesAreOnlyNames) {
  auto all = shapes();
  Api api(all[0]);
  for (auto name : {"..", "a\\nb", "", "a\\u007fb"}) {
    *api.answer.lock() =
        fmt::format(R"([{{"id":1,"name":"{}","owner":{{"login":"acme"}},"default_branch":"main"}}])", name);
    EXPECT_EQ(api.open()->repositories(Ctx{}).error().kind(), Kind::invalid) << name;
  }
}

TEST(Catalog, WantsAnAddress) {
  EXPECT_EQ(open_catalog({.service = Service::gitea}).error().what(),
            "Gitea: has no public service, want its API's address");
  EXPECT_FALSE(open_catalog({.api = "ftp://x"}));
  EXPECT_TRUE(open_catalog({}));
}

}  // namespace
}  // namespace slipway::forge
