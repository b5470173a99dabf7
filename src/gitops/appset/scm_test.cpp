// Generators that list repositories, against servers of the test that answer as the published APIs of the forges say.
#include <thread>

#include "doc/json.h"
#include "gitops/appset/controller.h"
#include "gitops/testing/fake_forge.h"
#include "gitops/testing/sets.h"
#include "net/jwt.h"
#include "net/server.h"

namespace slipway::gitops::appset {
namespace {

std::map<std::string, std::string> github() {
  auto repository = [](int id, std::string_view name, std::string_view topics, bool archived) {
    return fmt::format(
        R"({{"id":{0},"name":"{1}","owner":{{"login":"acme"}},"ssh_url":"git@h:acme/{1}.git","clone_url":"https://h/acme/{1}.git","default_branch":"main","topics":[{2}],"archived":{3}}})",
        id, name, topics, archived);
  };
  auto list = fmt::format("[{},{},{}]", repository(1, "web", R"("prod","go")", false),
                          repository(2, "api", R"("dev")", false), repository(3, "old", "", true));
  constexpr std::string_view main = R"({"name":"main","commit":{"sha":"SHA"}})";
  std::map<std::string, std::string> all{{"/api/v3/orgs/acme/repos", list},
                                         {"/api/v3/repos/acme/web/contents/k8s/app.yaml", "{}"},
                                         {"/api/v3/repos/acme/api/contents/k8s", "[{}]"}};
  for (auto name : {"web", "api", "old"}) {
    auto at = fmt::format("/api/v3/repos/acme/{}/branches", name);
    all[at + "/main"] = main;
    all[at] = fmt::format(R"([{},{{"name":"feature/Big_One","commit":{{"sha":"SHA"}}}}])", main);
  }
  return all;
}

struct Scm {
  const char* name;
  const char* head;      // of the spec
  const char* provider;  // API is the server's address
  const char* more;      // beside the provider
  const char* application;
  const char* want;  // names, or "error: part of the message"
};
class ScmProvider : public testing::TestWithParam<Scm> {};
TEST_P(ScmProvider, Table) {
  Sets s;
  FakeForge forge(github());
  s.apply("{apiVersion: v1, kind: Secret, metadata: {name: tok, namespace: argocd}, stringData: {t: t0ken}}");
  const auto& test = GetParam();
  auto provider = replace_all(test.provider, "API",
                              fmt::format("api: '{}', tokenRef: {{secretName: tok, key: t}}", forge.address()));
  s.set(
      fmt::format("{}generators: [{{scmProvider: {{{}{}}}}}]\ntemplate: {{metadata: {{name: '{}'}}, spec: {{project: "
                  "default, source: {{repoURL: http://git/c, path: x}}, destination: {{namespace: d}}}}}}",
                  test.head, provider, test.more, test.application));
  expect(s, test.want);
}
constexpr auto go = "goTemplate: true\ngoTemplateOptions: [missingkey=error]\n";
constexpr auto acme = "github: {organization: acme, API}";
INSTANTIATE_TEST_SUITE_P(
    Appset, ScmProvider,
    testing::ValuesIn(std::to_array<Scm>({
        {"DefaultBranches", "", acme, "",
         "{{organization}}-{{repository}}-{{branch}}-{{short_sha}}-{{short_sha_7}}-{{repository_id}}",
         "acme-api-main-aaaaaaaa-aaaaaaa-2 acme-old-main-aaaaaaaa-aaaaaaa-3 acme-web-main-aaaaaaaa-aaaaaaa-1"},
        {"AllBranches", go, "github: {organization: acme, allBranches: true, excludeArchivedRepos: true, API}", "",
         "{{.repository}}-{{.branchNormalized}}", "api-feature-big-one api-main web-feature-big-one web-main"},
        {"ArchivedLeftOut", "", "github: {organization: acme, excludeArchivedRepos: true, API}", "", "{{repository}}",
         "api web"},
        {"RepositoryMatch", "", acme, ", filters: [{repositoryMatch: ^w}]", "{{repository}}", "web"},
        {"FiltersOfOneSortAreEither", "", acme, ", filters: [{repositoryMatch: ^w}, {repositoryMatch: ^o}]",
         "{{repository}}", "old web"},
        {"FieldsOfOneAreAll", "", acme, ", filters: [{repositoryMatch: '^[wa]', labelMatch: ^dev$}]", "{{repository}}",
         "api"},
        {"LabelMatch", "", acme, ", filters: [{labelMatch: prod}]", "{{repository}}", "web"},
        {"BothSortsMustHold", "", "github: {organization: acme, allBranches: true, API}",
         ", filters: [{repositoryMatch: ^w}, {branchMatch: ^main$}]", "{{repository}}-{{branchNormalized}}",
         "web-main"},
        {"PathsExist", "", acme, ", filters: [{pathsExist: [k8s/app.yaml]}]", "{{repository}}", "web"},
        {"FolderExists", "", acme, ", filters: [{pathsExist: [k8s/]}]", "{{repository}}", "api"},
        {"PathsDoNotExist", "", acme, ", filters: [{pathsDoNotExist: [k8s, k8s/app.yaml]}]", "{{repository}}", "old"},
        {"EmptyFilterFiltersNothing", "", acme, ", filters: [{}]", "{{repository}}", "api old web"},
        {"BadRegex", "", acme, ", filters: [{repositoryMatch: '('}]", "{{repository}}", "error: missing ): ("},
        {"BadPath", "", acme, ", filters: [{pathsExist: [../x]}]", "{{repository}}",
         "error: is no path in a repository"},
        {"Labels", go, acme, ", filters: [{labelMatch: prod}]", "{{.labels | replace \",\" \"-\"}}", "prod-go"},
        {"Values", go, acme, ", filters: [{repositoryMatch: web}], values: {v: '{{.repository}}-{{.branch}}'}",
         "{{.values.v}}-x", "web-main-x"},
        {"ValuesFlat", "", acme, ", filters: [{repositoryMatch: web}], values: {v: '{{repository}}.{{branch}}'}",
         "{{values.v}}", "web.main"},
        {"Ssh", go, acme, ", filters: [{repositoryMatch: web}]",
         "{{.url | replace \"@\" \"-\" | replace \":\" \"-\" | replace \"/\" \"-\"}}", "git-h-acme-web.git"},
        {"Https", go, acme, ", filters: [{repositoryMatch: web}], cloneProtocol: https",
         "{{.url | trimPrefix \"https://\" | replace \"/\" \"-\"}}", "h-acme-web.git"},
        {"OtherProtocol", "", acme, ", cloneProtocol: gopher", "x", "error: unknown clone protocol for GitHub gopher"},
        {"NoOrganization", "", "github: {organization: nobody, API}", "", "x", "error: repositories of nobody: GET"},
        {"NoSecret", "", "github: {organization: a, tokenRef: {secretName: none, key: t}}", "", "x",
         "error: there is no Secret argocd/none"},
        {"NoKey", "", "github: {organization: a, tokenRef: {secretName: tok, key: none}}", "", "x",
         "error: Secret tok has no entry none"},
        {"NoProvider", "", "", "cloneProtocol: ssh", "x", "error: want one of github, gitlab"},
        {"CodeCommit", "", "awsCodeCommit: {region: us-east-1}", "", "x",
         "error: awsCodeCommit: this provider is not supported"},
        {"GiteaNeedsAnAddress", "", "gitea: {owner: a, api: ''}", "", "x", "error: Gitea: has no public service"},
        {"App", "", "github: {organization: a, appSecretName: tok}", "", "x",
         "error: Secret argocd/tok is no repo-creds with a GitHub App"},
    })),
    [](const auto& param) { return std::string(param.param.name); });

// The other forges by the same way, as far as this room goes: which fields go where.
TEST(ScmProviders, FieldsOfTheOthers) {
  struct Other {
    const char* provider;
    std::map<std::string, std::string> answers;
    const char* want;
  };
  for (
      const auto& [provider, answers, want] : std::vector<Other>{
          {"gitlab: {group: acme/team, includeSubgroups: true, API}",
           {{"/api/v4/groups/acme/team/projects",
             R"([{"id":7,"path":"web","namespace":{"full_path":"acme/team"},"ssh_url_to_repo":"s","http_url_to_repo":"h","default_branch":"main"}])"},
            {"/api/v4/projects/7/repository/branches/main", R"({"name":"main","commit":{"id":"SHA"}})"}},
           "web-main"},
          {"gitea: {owner: acme, API}",
           {{"/api/v1/orgs/acme/repos",
             R"([{"id":7,"name":"web","ssh_url":"s","html_url":"h","default_branch":"main"}])"},
            {"/api/v1/repos/acme/web/labels", "[]"},
            {"/api/v1/repos/acme/web/branches/main", R"({"name":"main","commit":{"id":"SHA"}})"}},
           "web-main"},
          {"bitbucketServer: {project: ACME, api: 'URL', bearerToken: {tokenRef: {secretName: tok, key: t}}}",
           {{"/rest/api/1.0/projects/ACME/repos",
             R"({"values":[{"id":7,"slug":"web","name":"web","project":{"key":"ACME"}}],"isLastPage":true})"},
            {"/rest/api/1.0/projects/ACME/repos/web/branches/default", R"({"displayId":"main","latestCommit":"SHA"})"}},
           "web-main"},
          {"azureDevOps: {organization: acme, teamProject: team, api: 'URL', accessTokenRef: {secretName: azure, key: "
           "t}}",
           {{"/acme/team/_apis/git/repositories",
             R"({"value":[{"id":"u7","name":"web","remoteUrl":"h","defaultBranch":"refs/heads/main"}]})"},
            {"/acme/team/_apis/git/repositories/u7/stats/branches", R"({"name":"main","commit":{"commitId":"SHA"}})"}},
           "web-main"}}) {
    Sets s;
    FakeForge forge(answers);
    if (std::string_view(provider).starts_with("azure")) *forge.token.lock() = "OnQwa2Vu";  // :t0ken
    s.apply("{apiVersion: v1, kind: Secret, metadata: {name: tok, namespace: argocd}, stringData: {t: t0ken}}");
    s.apply("{apiVersion: v1, kind: Secret, metadata: {name: azure, namespace: argocd}, stringData: {t: t0ken}}");
    auto written = replace_all(replace_all(provider, "API", "api: 'URL', tokenRef: {secretName: tok, key: t}"), "URL",
                               forge.address());
    s.set(fmt::format("generators: [{{scmProvider: {{{}}}}}]", written) + TEMPLATE("{{repository}}-{{branch}}"));
    auto set = s.look_once();
    EXPECT_EQ(s.names(), want) << provider << condition(set, "ErrorOccurred");
  }
}

// What the installation allows counts for both generators that ask forges.
TEST(ScmProviders, WhatTheInstallationAllows) {
  Sets s;
  FakeForge forge(github());
  s.apply("{apiVersion: v1, kind: Secret, metadata: {name: tok, namespace: argocd}, stringData: {t: t0ken}}");
  auto params = [&](std::string_view data) {
    s.apply(
        fmt::format("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: argocd-cmd-params-cm, namespace: argocd}}, "
                    "data: {{{}}}}}",
                    data));
  };
  auto look = [&](std::string_view kind) {
    s.set(fmt::format("generators: [{{{}: {{github: {{organization: acme, owner: acme, repo: web, api: '{}', tokenRef: "
                      "{{secretName: tok, key: t}}}}}}}}]",
                      kind, forge.address()) +
          TEMPLATE("{{repository}}"));
    return condition(s.look_once(), "ErrorOccurred");
  };
  for (auto kind : {"scmProvider", "pullRequest"}) {
    params("applicationsetcontroller.allowed.scm.providers: 'https://git.example.org/, https://other'");
    EXPECT_TRUE(
        look(kind).contains("not allowed, must use one of the following: https://git.example.org/, https://other"))
        << look(kind);
    params("applicationsetcontroller.enable.scm.providers: 'false'");
    EXPECT_TRUE(look(kind).contains("scm providers are disabled")) << look(kind);
    params("applicationsetcontroller.enable.tokenref.strict.mode: 'true'");
    EXPECT_TRUE(look(kind).contains("want its label argocd.argoproj.io/secret-type=scm-creds")) << look(kind);
  }
  EXPECT_EQ(forge.asked, 0) << "no token left";
  s.apply(
      "{apiVersion: v1, kind: Secret, metadata: {name: tok, namespace: argocd, labels: "
      "{argocd.argoproj.io/secret-type: scm-creds}}, stringData: {t: t0ken}}");
  look("scmProvider");
  EXPECT_EQ(s.names(), "api old web");
  params(fmt::format("applicationsetcontroller.allowed.scm.providers: '{}'", forge.address()));
  EXPECT_EQ(look("scmProvider").substr(0, 5), "False");
}

// A forge that is away, limits us or talks nonsense takes no Application away.
TEST(ScmProviders, WhatIsKnownStays) {
  Sets s;
  FakeForge forge(github());
  s.apply("{apiVersion: v1, kind: Secret, metadata: {name: tok, namespace: argocd}, stringData: {t: t0ken}}");
  s.set(fmt::format("generators: [{{scmProvider: {{github: {{organization: acme, api: '{}', tokenRef: {{secretName: "
                    "tok, key: t}}}}}}}}]",
                    forge.address()) +
        TEMPLATE("{{repository}}"));
  s.look_once();
  EXPECT_EQ(s.names(), "api old web");
  auto limited = net::Response::json(429, R"({"message":"slow down"})");
  limited.headers.set("Retry-After", "77");
  std::vector<std::pair<net::Response, std::string>> bad;
  bad.emplace_back(std::move(limited), "slow down");
  bad.emplace_back(net::Response::json(200, "[{"), "the answer is no JSON");
  bad.emplace_back(net::Response::json(200, R"({"message":"maintenance"})"), "the answer is no list");
  bad.emplace_back(net::Response::text(502, "<html>"), "502");
  bad.emplace_back(net::Response::json(200, R"([{"name":"a\nb"}])"), "is missing");
  for (auto& [response, message] : bad) {
    *forge.instead.lock() = std::move(response);
    auto object = must(s.person->get(s.ctx(), set_type, s.key));
    auto looked = must(look(s.ctx(), *s.client, s.repositories, *object));
    if (message == "slow down") {
      EXPECT_EQ(looked.again, Millis(77'000));
    }
    EXPECT_EQ(s.names(), "api old web");
    auto said = condition(kube::Object(doc::Map{{"status", looked.status}}), "ErrorOccurred");
    EXPECT_TRUE(said.starts_with("True") && said.contains(message)) << said;
  }
}

// Looks in between ask nobody; another spec, a refresh and time do.
TEST(ScmProviders, AsksNoMoreThanItMust) {
  Sets s;
  Answers answers;
  s.answers = &answers;
  FakeForge forge(github());
  *forge.token.lock() = "";
  auto write = [&](std::string_view more, std::string_view metadata = "") {
    s.set(
        fmt::format(
            "generators: [{{scmProvider: {{github: {{organization: acme, api: '{}'}}, requeueAfterSeconds: 600{}}}}}]",
            forge.address(), more) +
            TEMPLATE("{{repository}}"),
        metadata);
  };
  auto asks = [&] {
    int before = forge.asked;
    s.look_once();
    return forge.asked - before;
  };
  write("");
  EXPECT_EQ(asks(), 4) << "a list and three branches";
  EXPECT_EQ(asks(), 0);
  s.clock.advance(Millis(599'000));
  EXPECT_EQ(asks(), 0);
  auto looked =
      must(look(s.ctx(), *s.client, s.repositories, *must(s.person->get(s.ctx(), set_type, s.key)), &answers));
  EXPECT_EQ(looked.again, Millis(1000)) << "when the answer is too old";
  s.clock.advance(Millis(1000));
  EXPECT_EQ(asks(), 4);
  write(", filters: [{repositoryMatch: web}]");
  EXPECT_EQ(asks(), 2);
  write(", filters: [{repositoryMatch: web}]", ", annotations: {argocd.argoproj.io/application-set-refresh: 'true'}");
  EXPECT_EQ(asks(), 2);
  write("");
  *forge.instead.lock() = net::Response::text(502, "");
  EXPECT_EQ(asks(), 1);
  EXPECT_EQ(asks(), 0) << "left alone for a while";
  s.clock.advance(Millis(10'000));
  EXPECT_EQ(asks(), 4);
}

// A GitHub App's token goes where its Secret says; only who keeps the Secret says otherwise.
TEST(ScmProviders, SignsInAsAnApp) {
  Sets s;
  auto answers = github();
  answers["/api/v3/app/installations/7/access_tokens"] = R"({"token":"ghs_1","expires_at":"2999-01-01T00:00:00Z"})";
  FakeForge forge(answers), other(answers);
  *forge.token.lock() = *other.token.lock() = "";
  s.apply(fmt::format(
      "{{apiVersion: v1, kind: Secret, metadata: {{name: app, namespace: argocd, labels: "
      "{{argocd.argoproj.io/secret-type: repo-creds}}}}, stringData: {{url: 'https://h/acme', githubAppID: '1', "
      "githubAppInstallationID: '7', githubAppEnterpriseBaseUrl: '{}/api/v3', githubAppPrivateKey: {}}}}}",
      forge.address(), doc::print_json(doc::Value(must(net::make_signing_key(net::KeyKind::rsa2048))))));
  auto body = must(doc::parse_yaml("{organization: acme, appSecretName: app}"));
  auto ask = [&](const std::string& ns, const std::string& api) -> std::string {
    body["api"] = api;
    doc::Value spec = doc::Map{{"generators", doc::List{doc::Map{{"scmProvider", doc::Map{{"github", body}}}}}}};
    auto renderer = must(Renderer::from(doc::View(spec)));
    auto got = generate(s.ctx(), {*s.client, s.repositories, ns, "s"}, renderer, doc::View(spec));
    return got ? std::to_string(got->size()) : got.error().what();
  };
  EXPECT_EQ(ask("argocd", ""), "3");
  EXPECT_EQ(ask("shop", ""), "3");
  EXPECT_EQ(ask("shop", forge.address()), "3");
  auto before = other.asked.load();
  EXPECT_TRUE(ask("shop", other.address()).contains("is not that of the GitHub App in Secret argocd/app"));
  EXPECT_EQ(other.asked, before);
  EXPECT_EQ(ask("argocd", other.address()), "3");
  s.apply(fmt::format(
      "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: argocd-cmd-params-cm, namespace: argocd}}, data: "
      "{{applicationsetcontroller.allowed.scm.providers: '{}'}}}}",
      other.address()));
  EXPECT_EQ(ask("shop", other.address()), "3");
}

TEST(ScmProviders, FollowWhatThisHostGets) {
  Sets s;
  Ctx ctx = Ctx().within(Millis(30000));
  auto host = [&](const std::string& name) {
    auto url = fmt::format("http://slipway/git/{}.git", name);
    s.repositories.commit(url, {{"a", "x"}});
    (*s.repositories.hosts.lock())[name] = url;
    return url;
  };
  host("web");
  Controller controller(s.api.client("slipway-appset"), s.repositories);
  std::jthread thread([&](std::stop_token stop) { (void)controller.run(Ctx().with_stop(std::move(stop))); });
  s.set("generators: [{scmProvider: {slipway: {}}}]" TEMPLATE("{{repository}}"));
  auto there = [&](const std::string& name) {
    must(kube::await(ctx, *s.person, application_type, {"argocd", name},
                     [](const kube::Object& o) { return static_cast<bool>(o); }));
  };
  there("web");
  controller.repository_changed(host("api"));
  there("api");
}

TEST(ScmProviders, RepositoriesOfTheEmbeddedHost) {
  Sets s;
  s.repositories.commit("http://slipway/git/web.git", {{"k8s/app.yaml", "x"}});
  s.repositories.commit("http://slipway/git/api.git", {{"deploy/app.yaml", "x"}});
  *s.repositories.hosts.lock() = {{"web", "http://slipway/git/web.git"}, {"team/api", "http://slipway/git/api.git"}};
  auto names = [&](std::string_view more, std::string_view name) {
    s.set(fmt::format(
        "generators: [{{scmProvider: {{slipway: {{}}{}}}}}]\ntemplate: {{metadata: {{name: '{}'}}, spec: {{project: "
        "default, source: {{repoURL: '{{{{url}}}}', path: x}}, destination: {{namespace: d}}}}}}",
        more, name));
    auto set = s.look_once();
    auto error = condition(set, "ErrorOccurred");
    return error.starts_with("True") ? error : s.names();
  };
  EXPECT_EQ(names("", "{{repository}}-{{branch}}"), "api-main web-main");
  EXPECT_EQ(s.app("web-main")["spec"]["source"]["repoURL"].text(), "http://slipway/git/web.git");
  EXPECT_EQ(names(", filters: [{pathsExist: [k8s/app.yaml]}]", "{{repository}}"), "web");
  EXPECT_EQ(names(", filters: [{pathsExist: [k8s]}]", "{{repository}}"), "web");
  EXPECT_EQ(names(", filters: [{pathsDoNotExist: [k8s, none/at/all]}]", "{{organization}}-{{repository}}"), "team-api");
  EXPECT_TRUE(names(", cloneProtocol: ssh", "x").contains("unknown clone protocol for the embedded host ssh"));
  auto spec = must(doc::parse_yaml("{generators: [{scmProvider: {slipway: {}}}]}"));
  EXPECT_EQ(requeue_after(doc::View(spec)), Millis(1'800'000));
  EXPECT_TRUE(reads_hosted(doc::View(spec)));
}

}  // namespace
}  // namespace slipway::gitops::appset
