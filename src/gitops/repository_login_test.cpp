// How repositories are signed in to: what Secrets say, which one counts, and who may read what one project alone may.
#include "gitops/repository_login.h"

#include <gtest/gtest.h>

#include "cloud/testing/fake_cloud.h"
#include "cluster/testing.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "net/jwt.h"

namespace slipway::gitops {
namespace {

struct Logins : testing::Test {
  cluster::TestApi api = cluster::make_test_api({.namespaces = {"argocd"}});
  std::shared_ptr<kube::Client> client = api.client("test");
  RepositoryLogins logins{client, cloud::Place{.env = [](const std::string&) { return std::string(); }}};

  void add(std::string_view name, std::string_view type, std::string_view fields) {
    must(client->apply({},
                       must(doc::parse_yaml(fmt::format(
                           "{{apiVersion: v1, kind: Secret, metadata: {{name: {}, namespace: argocd, labels: "
                           "{{argocd.argoproj.io/secret-type: {}}}}}, stringData: {{{}}}}}",
                           name, type, fields))),
                       {.field_manager = "test"}));
  }
  void add_map(std::string_view name, std::string_view data) {
    must(client->apply(
        {},
        must(doc::parse_yaml(
            fmt::format("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {}, namespace: argocd}}, data: {{{}}}}}",
                        name, data))),
        {.field_manager = "test"}));
  }
  std::string access(const std::string& url) {
    auto found = logins.access({}, url);
    if (!found) return found.error().what();
    std::string text = found->user + ":" + found->password;
    if (!found->bearer.empty()) text += " bearer " + found->bearer;
    if (!found->ssh_key.empty()) text += " key " + found->ssh_key;
    if (!found->known_hosts.empty()) text += " hosts " + found->known_hosts;
    if (!found->ca_pem.empty()) text += " ca " + found->ca_pem;
    if (!found->key_pem.empty()) text += " certificate " + found->certificate_pem;
    if (found->insecure) text += " insecure";
    if (!found->proxy.empty()) text += " by " + found->proxy;
    return text;
  }
};

TEST(SameRepository, AsArgoCdCompares) {
  for (auto [one, other] : std::vector<std::pair<const char*, const char*>>{
           {"https://github.com/Org/Repo.git", "https://github.com/org/repo"},
           {"git@github.com:org/repo.git", "ssh://git@github.com/org/repo"},
           {" https://host/a/ ", "https://host/a"},
       })
    EXPECT_EQ(same_repository(one), same_repository(other));
  EXPECT_NE(same_repository("https://github.com/org/repo"), same_repository("git@github.com:org/repo"));
}

TEST_F(Logins, OwnBeforeTheLongestPrefix) {
  EXPECT_EQ(access("https://host/team/shop"), ":");
  add("wide", "repo-creds", "url: 'https://host', username: wide, password: p");
  add("long", "repo-creds", "url: 'https://host/team', password: token");
  EXPECT_EQ(access("https://host/other"), "wide:p");
  EXPECT_EQ(access("https://Host/team/shop.git"), "git:token");
  EXPECT_EQ(access("https://elsewhere/team"), ":");
  add("shop", "repository", "url: 'https://host/team/shop.git', username: own, password: q, proxy: 'http://p'");
  EXPECT_EQ(access("https://host/team/shop"), "own:q by http://p");
  // Registered without a sign-in: that of the prefix, and what else it says.
  add("web", "repository", "url: 'https://host/team/web', insecure: 'true'");
  EXPECT_EQ(access("https://host/team/web"), "git:token insecure");
  add("bare", "repository", "url: 'https://free/x', type: git");
  EXPECT_EQ(access("https://free/x"), ":");
}

TEST_F(Logins, KeysCertificatesAndHosts) {
  add("ssh", "repository", "url: 'git@host:team/shop.git', sshPrivateKey: KEY");
  add_map("argocd-ssh-known-hosts-cm", "ssh_known_hosts: 'host ssh-ed25519 AAAA'");
  EXPECT_EQ(access("ssh://git@host/team/shop"), ": key KEY hosts host ssh-ed25519 AAAA");
  add("tls", "repository", "url: 'https://host/x', tlsClientCertData: CERT, tlsClientCertKey: K, bearerToken: t");
  add_map("argocd-tls-certs-cm", "host: CA");
  EXPECT_EQ(access("https://host:8443/none"), ": ca CA");
  EXPECT_EQ(access("https://host/x"), ": bearer t ca CA certificate CERT");
}

TEST_F(Logins, GithubAppsGiveTokensThatAreKept) {
  cloud::FakeCloud fake;
  fake.answers["GET /users/Org/installation"] = {200, R"({"id":7})"};
  fake.answers["POST /app/installations/7/access_tokens"] = {
      201, R"({"token":"ghs_1","expires_at":"2999-01-01T00:00:00Z"})"};
  add("app", "repo-creds",
      fmt::format("url: 'https://github.com/Org', githubAppID: '1', githubAppEnterpriseBaseUrl: '{}/', "
                  "githubAppPrivateKey: {}",
                  fake.url(), doc::print_json(doc::Value(must(net::make_signing_key(net::KeyKind::rsa2048))))));
  for (int n = 0; n < 3; ++n) EXPECT_EQ(access("https://github.com/Org/shop"), "x-access-token:ghs_1");
  EXPECT_EQ(fake.asked().size(), 2U);
}

struct WrongCase {
  const char *name, *fields, *want;
};
class WrongLogin : public Logins, public testing::WithParamInterface<WrongCase> {};
TEST_P(WrongLogin, Table) {
  add("bad", "repository", GetParam().fields);
  EXPECT_EQ(access("https://host/x"), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Logins, WrongLogin,
                         testing::ValuesIn(std::to_array<WrongCase>({
                             {"HalfACertificate", "url: 'https://host/x', tlsClientCertData: s3cret",
                              "Secret argocd/bad: want both tlsClientCertData and tlsClientCertKey, or neither"},
                             {"NoFlag", "url: 'https://host/x', insecure: maybe",
                              "Secret argocd/bad: insecure: got \"maybe\", want true or false"},
                             {"NoApp", "url: 'https://host/x', githubAppPrivateKey: s3cret",
                              "Secret argocd/bad: githubAppID: is empty, want the App's id"},
                             {"NoKey", "url: 'https://host/x', githubAppPrivateKey: s3cret, githubAppID: '1'",
                              "private key of the GitHub App: want an RSA key in PEM"},
                             {"Google", "url: 'https://host/x', gcpServiceAccountKey: s3cret",
                              "Secret argocd/bad: gcpServiceAccountKey: is not supported, want username and password"},
                             {"NoUrl", "username: u", ":"},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST_F(Logins, OfOneProjectAlone) {
  auto may = [&](const std::string& project) { return logins.permit({}, "https://host/x.git", project); };
  EXPECT_TRUE(may("default"));
  add("one", "repository", "url: 'https://host/x', project: team, username: u");
  EXPECT_TRUE(may("team"));
  EXPECT_EQ(may("default").error().what(), "repository https://host/x.git is one of project 'team' alone");
  add("two", "repository", "url: 'https://host/x', project: other");
  EXPECT_TRUE(may("other") && may("team") && !may("default"));
  add("all", "repository", "url: 'https://host/x'");
  EXPECT_TRUE(may("default"));
}

}  // namespace
}  // namespace slipway::gitops
