#include "forge/hook.h"

#include "base/encode.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "net/client.h"
#include "net/server.h"

namespace slipway::forge {
namespace {

const std::string a(40, 'a'), b(40, 'b');

std::string show(const std::vector<Hook>& hooks) {
  static const char* types[] = {"push", "tag", "pr", "closed", "ping", "other"};
  std::string text;
  for (const auto& h : hooks)
    text += fmt::format("{} {} {} {}..{} #{} {} {}{}{}\n", types[static_cast<int>(h.type)], h.repository, h.ref,
                        h.before.substr(0, 4), h.after.substr(0, 4), h.pull_request, h.base_ref, h.author,
                        h.from_fork ? " fork" : "", h.merged ? " merged" : "");
  return text;
}

struct Signed {
  const char* name;
  Provider provider;
  net::Headers headers;
  std::string want;  // "" genuine
};
std::string hmac(std::string_view body = "body", std::string_view key = "secret") {
  return to_hex(hmac_sha256(key, body));
}

TEST(VerifyHook, ByProvider) {
  const Signed cases[] = {
      {"github", Provider::github, {{"X-Hub-Signature-256", "sha256=" + hmac()}}, ""},
      {"github", Provider::github, {{"X-Hub-Signature-256", "sha256=" + hmac("other")}}, "webhook: wrong signature"},
      {"github",
       Provider::github,
       {{"X-Hub-Signature-256", hmac()}},
       "webhook: signature of another kind, want sha256="},
      {"github", Provider::github, {{"X-Hub-Signature", "sha1=abc"}}, "webhook: no signature"},
      {"github", Provider::github, {{"X-Hub-Signature-256", "sha256="}}, "webhook: wrong signature"},
      {"gitlab", Provider::gitlab, {{"X-Gitlab-Token", "secret"}}, ""},
      {"gitlab", Provider::gitlab, {{"X-Gitlab-Token", "secre"}}, "webhook: wrong token"},
      {"gitlab", Provider::gitlab, {}, "webhook: no token"},
      {"gitea", Provider::gitea, {{"X-Gitea-Signature", hmac()}}, ""},
      {"forgejo", Provider::gitea, {{"X-Forgejo-Signature", hmac()}}, ""},
      {"gitea", Provider::gitea, {{"X-Gitea-Signature", hmac("body", "guess")}}, "webhook: wrong signature"},
      {"bitbucket", Provider::bitbucket, {{"X-Hub-Signature", "sha256=" + hmac()}}, ""},
      {"server", Provider::bitbucket_server, {{"X-Hub-Signature", "sha256=" + hmac("")}}, "webhook: wrong signature"},
  };
  for (const auto& c : cases) {
    auto verified = verify_hook(c.provider, c.headers, "body", "secret");
    EXPECT_EQ(verified ? "" : verified.error().what(), c.want) << c.name;
    if (!verified) {
      EXPECT_EQ(verified.error().kind(), Kind::denied);
    }
    EXPECT_EQ(verify_hook(c.provider, c.headers, "body", "").error().what(), "webhook: no secret is set for it");
  }
}

TEST(ProviderOf, GiteaBeforeGithub) {
  EXPECT_EQ(provider_of({{"X-GitHub-Event", "push"}, {"X-Gitea-Event", "push"}}), Provider::gitea);
  EXPECT_EQ(provider_of({{"X-GitHub-Event", "push"}}), Provider::github);
  EXPECT_EQ(provider_of({{"X-Event-Key", "repo:push"}, {"X-Hook-UUID", "u"}}), Provider::bitbucket);
  EXPECT_EQ(provider_of({{"X-Event-Key", "repo:refs_changed"}}), Provider::bitbucket_server);
  EXPECT_EQ(provider_of({}), std::nullopt);
}

TEST(ParseHook, RefusesWhatIsNoHook) {
  EXPECT_FALSE(parse_hook(Provider::github, "push", "[]"));
  EXPECT_FALSE(parse_hook(Provider::github, "push", "{"));
  auto push = [](const std::string& ref, const std::string& after) {
    return fmt::format(R"({{"ref":"{}","before":"{}","after":"{}","commits":[],"repository":{{"full_name":"o/r"}}}})",
                       ref, a, after);
  };
  EXPECT_TRUE(parse_hook(Provider::github, "push", push("refs/heads/x", b)));
  EXPECT_FALSE(parse_hook(Provider::github, "push", push("main", b)));
  EXPECT_FALSE(parse_hook(Provider::github, "push", push("refs/heads/../x", b)));
  EXPECT_FALSE(parse_hook(Provider::github, "push", push("refs/heads/x", "$(id)")));
  EXPECT_FALSE(parse_hook(Provider::github, "push", R"({"ref":"refs/heads/x","commits":[]})"));
}

// Every real payload reads, and those that move code say which.
TEST(WebhookCorpus, AllPayloadsRead) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  int files = 0, code = 0;
  std::map<std::string, int> by_type;
  for (const auto& entry : fs::recursive_directory_iterator(*root / "workflows/webhooks")) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    auto folder = entry.path().parent_path().filename().string();
    bool octokit = entry.path().parent_path().parent_path().filename() == "octokit";
    auto provider =
        octokit ? Provider::github : parse_provider(folder == "bitbucketdatacenter" ? "bitbucket-server" : folder);
    ASSERT_TRUE(provider) << folder;
    auto hooks = parse_hook(*provider, octokit ? folder : "", must(read_file(entry.path())));
    ASSERT_TRUE(hooks) << entry.path() << hooks.error().what();
    auto name = entry.path().filename().string();
    for (const auto& hook : *hooks) {
      ++by_type[fmt::format("{}", static_cast<int>(hook.type))];
      if (hook.type == Hook::Type::other || hook.type == Hook::Type::ping) continue;
      ++code;
      EXPECT_FALSE(hook.repository.empty()) << entry.path();
      EXPECT_TRUE(!hook.after.empty() || !hook.before.empty()) << entry.path();
      EXPECT_FALSE(hook.author.empty()) << entry.path();
    }
    if (octokit) continue;
    auto type = hooks->at(0).type;
    auto is = [&](std::string_view word) { return name.contains(word); };
    if (is("HookPush")) {
      EXPECT_EQ(type, Hook::Type::push) << entry.path();
    }
    if (is("Merged") || is("Closed") || is("Declined")) {
      EXPECT_EQ(type, Hook::Type::pull_request_closed) << entry.path();
    }
    if (is("Merged")) {
      EXPECT_TRUE(hooks->at(0).merged) << entry.path();
    }
    if (is("Reopened") || is("Opened") || name == "HookPullRequest.json") {
      EXPECT_EQ(type, Hook::Type::pull_request) << entry.path();
    }
    if (is("Label") || is("Milestone") || is("Assign") || is("Approved")) {
      EXPECT_EQ(type, Hook::Type::other) << entry.path();
    }
    if (is("FromFork")) {
      EXPECT_TRUE(hooks->at(0).from_fork);
    }
  }
  EXPECT_EQ(files, 364);
  EXPECT_EQ(code, 55);
}

TEST(WebhookCorpus, SaysWhatHappened) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  auto read = [&](const std::string& file, Provider provider) {
    return show(must(parse_hook(provider, "", must(read_file(*root / "workflows/webhooks" / file)))));
  };
  EXPECT_EQ(read("woodpecker/github/HookPush.json", Provider::github),
            "push woodpecker-ci/woodpecker refs/heads/main 2f78..3667 #0  6543\n");
  EXPECT_EQ(read("woodpecker/gitlab/HookPush.json", Provider::gitlab),
            "push test/woodpecker refs/heads/main ffe8..1686 #0  test\n");
  EXPECT_EQ(
      read("woodpecker/gitlab/HookPullRequestOpened.json", Provider::gitlab),
      "pr demoaccount2-commits-group/test_ci_tmp refs/merge-requests/3/head ..2f76 #3 refs/heads/main real6543\n");
  EXPECT_EQ(read("woodpecker/bitbucket/HookPush.json", Provider::bitbucket),
            "push martinherren1984/publictestrepo refs/heads/main a512..c14c #0  Martin Herren\n");
  EXPECT_EQ(read("woodpecker/bitbucket/HookPull.json", Provider::bitbucket),
            "pr user_name/repo_name refs/heads/branch2 ..d302 #1 refs/heads/main emmap1\n");
  EXPECT_EQ(read("woodpecker/bitbucketdatacenter/HookPush.json", Provider::bitbucket_server),
            "push DEV/deployment-automation refs/heads/renovate-all e0e1..7679 #0  renovatebot\n");
  EXPECT_EQ(read("woodpecker/gitea/HookPullRequestUpdated.json", Provider::gitea),
            "pr Test-CI/multi-line-secrets refs/pull/2/head ..788e #2 refs/heads/main test\n");
}

struct ReceiverTest : testing::Test {
  Guarded<std::vector<Hook>> taken;
  std::atomic<bool> failing = false;
  HookReceiver receiver{{.secrets = [](Provider) { return std::vector<std::string>{"new", "secret"}; },
                         .take = [this](const Ctx&, const Hook& hook) -> Result<> {
                           if (failing) return fail(Kind::unavailable, "store is full");
                           taken.lock()->push_back(hook);
                           return {};
                         }}};
  std::unique_ptr<net::Server> server = must(net::Server::start({}, receiver.routes()));
  std::string body = fmt::format(
      R"({{"ref":"refs/heads/x","before":"{}","after":"{}","commits":[],"repository":{{"full_name":"o/r"}}}})", a, b);

  int post(const std::string& text, const std::string& delivery, const std::string& secret = "secret",
           const std::string& path = "/hooks/github") {
    net::ClientRequest request{.method = "POST", .url = "http://" + server->address() + path, .body = text};
    request.headers = {{"X-GitHub-Event", "push"},
                       {"X-GitHub-Delivery", delivery},
                       {"X-Hub-Signature-256", "sha256=" + hmac(text, secret)}};
    return must(net::Client().send(Ctx{}, request)).status;
  }
};

TEST_F(ReceiverTest, TakesADeliveryOnce) {
  EXPECT_EQ(post(body, "1", "guess"), 401);
  EXPECT_EQ(post(body, "1"), 202);
  EXPECT_EQ(post(body, "1"), 200);
  EXPECT_EQ(post(body, "2"), 200);  // the same under another name
  EXPECT_EQ(post(body + " ", "1"), 200);
  EXPECT_EQ(taken.lock()->size(), 1u);
  EXPECT_EQ(post(body + "  ", "3", "new"), 202);
  EXPECT_EQ(post("{}", "4", "secret"), 400);
  EXPECT_EQ(post(body, "5", "secret", "/hooks/nowhere"), 404);
  EXPECT_EQ(post(body + "   ", "6", "secret", "/hooks/"), 202);
}

TEST_F(ReceiverTest, AFailedOneMayComeAgain) {
  failing = true;
  EXPECT_EQ(post(body, "1"), 503);
  failing = false;
  EXPECT_EQ(post(body, "1"), 202);
}

}  // namespace
}  // namespace slipway::forge
