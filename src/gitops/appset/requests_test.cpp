// The pull request generator, against a server of the test that answers as the published APIs of the forges say.
#include "gitops/testing/fake_forge.h"
#include "gitops/testing/sets.h"

namespace slipway::gitops::appset {
namespace {

using Answers = std::map<std::string, std::string>;

struct Listed {
  const char* name;
  const char* provider;  // API is the server's address, TOKEN a reference to the token's Secret
  const char* token;     // as it arrives
  Answers answers;
  const char* want;  // names, or "error: part of the message"
  const char* more = "";
};

constexpr auto github_one =
    R"([{"number":3,"title":"a\tb","user":{"login":"ada"},"labels":[{"name":"preview"},{"name":"x"}],"head":{"ref":"feature/One","sha":"SHA"},"base":{"ref":"main"}},
       {"number":4,"title":"t","user":{"login":"bob"},"labels":[],"head":{"ref":"two","sha":"SHA"},"base":{"ref":"main"}}])";
constexpr auto gitlab_one =
    R"([{"iid":5,"title":"t","author":{"username":"ada"},"labels":["preview"],"source_branch":"one","target_branch":"main","sha":"SHA"}])";
constexpr auto server_page =
    R"({"isLastPage":false,"nextPageStart":100,"values":[{"id":1,"title":"t","author":{"user":{"name":"ada"}},"fromRef":{"displayId":"one","latestCommit":"SHA"},"toRef":{"displayId":"main"}}]})";
constexpr auto server_last =
    R"({"isLastPage":true,"values":[{"id":2,"title":"t","author":{"user":{"name":"bob"}},"fromRef":{"displayId":"two","latestCommit":"SHA"},"toRef":{"displayId":"main"}}]})";
constexpr auto cloud_one =
    R"({"values":[{"id":6,"title":"t","author":{"nickname":"ada"},"source":{"branch":{"name":"one"},"commit":{"hash":"0123456789ab"}},"destination":{"branch":{"name":"main"}}}]})";
constexpr auto azure_one =
    R"({"count":2,"value":[{"pullRequestId":7,"title":"t","createdBy":{"uniqueName":"ada@example.org"},"sourceRefName":"refs/heads/one","targetRefName":"refs/heads/main","lastMergeSourceCommit":{"commitId":"SHA"},"labels":[{"name":"preview"}]},
       {"pullRequestId":8,"title":"t","createdBy":{"uniqueName":"bob"},"sourceRefName":"refs/heads/two","targetRefName":"refs/heads/main","lastMergeSourceCommit":{"commitId":"SHA"}}]})";
constexpr auto merge_requests = "/api/v4/projects/7/merge_requests?per_page=100";
constexpr auto named_project = "/api/v4/projects/acme%2Fsub%2Fweb/merge_requests?per_page=100";
constexpr auto pull_requests = "/rest/api/1.0/projects/ACME/repos/web/pull-requests?state=OPEN&limit=100";

class PullRequestsOf : public testing::TestWithParam<Listed> {};
TEST_P(PullRequestsOf, Table) {
  const auto& test = GetParam();
  Sets s;
  FakeForge forge(test.answers);
  *forge.token.lock() = test.token;
  s.apply("{apiVersion: v1, kind: Secret, metadata: {name: tok, namespace: argocd}, stringData: {t: t0ken}}");
  auto provider = replace_all(replace_all(test.provider, "API", fmt::format("api: '{}'", forge.address())), "TOKEN",
                              "{secretName: tok, key: t}");
  s.set(fmt::format(GO "generators: [{{pullRequest: {{{}{}}}}}]", provider, test.more) +
        TEMPLATE("{{.number}}-{{.branch_slug}}-{{.target_branch}}-{{.author}}-{{.head_short_sha}}{{range "
                 ".labels}}-{{.}}{{end}}"));
  expect(s, test.want);
}
INSTANTIATE_TEST_SUITE_P(
    Forges, PullRequestsOf,
    testing::Values(
        Listed{"Github",
               "github: {owner: acme, repo: web, API, tokenRef: TOKEN}",
               "t0ken",
               {{"/api/v3/repos/acme/web/pulls", github_one}},
               "3-feature-one-main-ada-aaaaaaaa-preview-x 4-two-main-bob-aaaaaaaa"},
        Listed{"GithubLabels",
               "github: {owner: acme, repo: web, API, tokenRef: TOKEN, labels: [x, preview]}",
               "t0ken",
               {{"/api/v3/repos/acme/web/pulls", github_one}},
               "3-feature-one-main-ada-aaaaaaaa-preview-x"},
        Listed{"Gitea",
               "gitea: {owner: acme, repo: web, API, tokenRef: TOKEN, labels: [preview]}",
               "t0ken",
               {{"/api/v1/repos/acme/web/pulls", github_one}},
               "3-feature-one-main-ada-aaaaaaaa-preview-x"},
        // Of all states unless one is named, as Argo CD asks; GitLab itself compares labels.
        Listed{"GitlabByNumber",
               "gitlab: {project: '7', API, tokenRef: TOKEN}",
               "t0ken",
               {{merge_requests, gitlab_one}},
               "5-one-main-ada-aaaaaaaa-preview"},
        Listed{"GitlabByPath",
               "gitlab: {project: acme/sub/web, API, tokenRef: TOKEN, pullRequestState: opened, labels: [a, Any]}",
               "t0ken",
               {{std::string(named_project) + "&state=opened&labels=a%2CAny", gitlab_one}},
               "5-one-main-ada-aaaaaaaa-preview"},
        Listed{"BitbucketServer",
               "bitbucketServer: {project: ACME, repo: web, API, bearerToken: {tokenRef: TOKEN}}",
               "Bearer t0ken",
               {{pull_requests, server_page}, {std::string(pull_requests) + "&start=100", server_last}},
               "1-one-main-ada-aaaaaaaa 2-two-main-bob-aaaaaaaa"},
        Listed{"BitbucketServerBasic",
               "bitbucketServer: {project: ACME, repo: web, API, basicAuth: {username: ada, passwordRef: TOKEN}}",
               "Basic YWRhOnQwa2Vu",
               {{pull_requests, server_last}},
               "2-two-main-bob-aaaaaaaa"},
        Listed{"BitbucketCloud",
               "bitbucket: {owner: acme, repo: web, API, basicAuth: {username: ada, passwordRef: TOKEN}}",
               "Basic YWRhOnQwa2Vu",
               {{"/repositories/acme/web/pullrequests?state=OPEN&pagelen=50", cloud_one}},
               "6-one-main-ada-01234567"},
        Listed{"AzureDevOps",
               "azuredevops: {organization: acme, project: team, repo: web, API, tokenRef: TOKEN, labels: [preview]}",
               "Basic OnQwa2Vu",
               {{"/acme/team/_apis/git/repositories/web/pullrequests", azure_one}},
               "7-one-main-ada-aaaaaaaa-preview"},
        Listed{"Filter",
               "github: {owner: acme, repo: web, API, tokenRef: TOKEN}",
               "t0ken",
               {{"/api/v3/repos/acme/web/pulls", github_one}},
               "4-two-main-bob-aaaaaaaa",
               ", filters: [{branchMatch: ^t}]"},
        Listed{"NoRepository",
               "github: {owner: acme, repo: gone, API, tokenRef: TOKEN}",
               "t0ken",
               {},
               "error: pull requests of gone"},
        Listed{"NoRepositoryIsNone",
               "github: {owner: acme, repo: gone, API, tokenRef: TOKEN}",
               "t0ken",
               {},
               "",
               ", continueOnRepoNotFoundError: true"},
        Listed{"BadTokenIsNoMissingRepository",
               "github: {owner: acme, repo: web, API, tokenRef: TOKEN}",
               "other",
               {{"/api/v3/repos/acme/web/pulls", github_one}},
               "error: Bad credentials",
               ", continueOnRepoNotFoundError: true"},
        Listed{"NoList",
               "github: {owner: acme, repo: web, API, tokenRef: TOKEN}",
               "t0ken",
               {{"/api/v3/repos/acme/web/pulls", "{}"}},
               "error: is no list"},
        Listed{"NoNumber",
               "github: {owner: acme, repo: web, API, tokenRef: TOKEN}",
               "t0ken",
               {{"/api/v3/repos/acme/web/pulls", R"([{"number":"x"}])"}},
               "error: number"},
        Listed{"UpOut", "github: {owner: .., repo: web, API, tokenRef: TOKEN}", "t0ken", {}, "error: is no name"}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace slipway::gitops::appset
