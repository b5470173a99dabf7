#include "promote/promote.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/golden.h"
#include "base/text.h"
#include "promote/chain.h"

namespace slipway::promote {
namespace {

path::Artifact artifact(const std::string& service, int n) {
  path::Artifact made;
  made.service = service;
  made.image = "shop/" + service;
  made.digest = Digest::of(service + std::to_string(n));
  made.tags = {"latest", fmt::format("sha-{}", n), "pr-12"};
  made.repository = "shop";
  made.commit = fmt::format("{:040}", n);
  made.run = fmt::format("shop-ci-{}", n);
  return made;
}
Request request(const std::string& service, int n, const std::string& environment = "dev", const std::string& id = "") {
  Request made;
  made.promotion.service = service;
  made.promotion.environment = environment;
  made.promotion.artifact = artifact(service, n);
  made.promotion.config_path = "overlays/" + environment;
  made.promotion.reason = "run " + made.promotion.artifact.run;
  made.id = id.empty() ? fmt::format("{}-{}-{}", service, environment, n) : id;
  return made;
}

struct PromoteTest : testing::Test {
  TempDir dir = must(TempDir::make("promote"));
  git::Repository repo = must(git::Repository::init(dir.path() / "config.git"));
  Ctx ctx;

  void SetUp() override {
    auto tree = must(repo.write_tree(
        "", {{"overlays/dev/kustomization.yaml",
              "# dev\nresources: [../../base]\nimages:\n  - name: shop/web # ours\n    newTag: old\n"},
             {"overlays/prod/kustomization.yaml", "resources: [../../base]\n"},
             {"chart/values.yaml", "web:\n  image:\n    repository: shop/web\n    tag: old # keep me\n"},
             {"empty/readme", "x"}}));
    auto first = must(repo.write_commit(tree, {}, {"Ada", "ada@example.org", {}}, "first"));
    must(repo.update_ref("refs/heads/main", first, git::Oid(git::zero_oid), "first"));
  }
  std::string tip() { return must(repo.resolve("main")).value(); }
  std::string file(const std::string& path) { return must(repo.read(tip(), path)).value(); }
  std::size_t commits() { return must(repo.log(tip(), 10000)).size(); }
};

TEST_F(PromoteTest, WritesTagAndDigestAndSaysWhy) {
  auto outcome = must(promote(ctx, repo, {}, {request("web", 1)}));
  EXPECT_TRUE(outcome.changed);
  EXPECT_EQ(outcome.commit, tip());
  auto digest = artifact("web", 1).digest.str();
  EXPECT_EQ(file("overlays/dev/kustomization.yaml"),
            "# dev\nresources: [../../base]\nimages:\n  - name: shop/web # ours\n    newTag: sha-1\n    digest: " +
                digest + "\n");
  EXPECT_EQ(must(repo.commit(tip())).message,
            "web: Promote sha-1 to dev\n\nrun shop-ci-1\n\nSlipway-Service: web\nSlipway-Environment: "
            "dev\nSlipway-Artifact: shop/web@" +
                digest +
                "\nSlipway-Commit: shop@0000000000000000000000000000000000000001\nSlipway-Run: "
                "shop-ci-1\nSlipway-Pull-Request: 12\n"
                "Slipway-Promotion: web-dev-1\n");
  // Asked again, under its name or another.
  EXPECT_FALSE(must(promote(ctx, repo, {}, {request("web", 1)})).changed);
  EXPECT_FALSE(must(promote(ctx, repo, {}, {request("web", 1, "dev", "other")})).changed);
  EXPECT_EQ(commits(), 2u);
  // A late retry of the first does not undo the second.
  EXPECT_TRUE(must(promote(ctx, repo, {}, {request("web", 2)})).changed);
  auto late = must(promote(ctx, repo, {}, {request("web", 1)}));
  EXPECT_FALSE(late.changed);
  EXPECT_EQ(late.commit, outcome.commit);
  EXPECT_TRUE(file("overlays/dev/kustomization.yaml").contains("sha-2"));
}

TEST_F(PromoteTest, OneCommitForSeveralServices) {
  auto values = request("web", 3, "prod", "helm");
  values.promotion.config_path = "chart/values.yaml#web.image";
  auto outcome = must(promote(ctx, repo, {}, {request("web", 3), request("api", 3), values}));
  EXPECT_EQ(commits(), 2u);
  EXPECT_EQ(must(repo.commit(outcome.commit)).subject(), "Promote api, web to dev, prod");
  EXPECT_TRUE(file("overlays/dev/kustomization.yaml").contains("  - name: shop/api\n    newTag: sha-3\n"));
  EXPECT_EQ(file("chart/values.yaml"),
            fmt::format("web:\n  image:\n    repository: shop/web\n    tag: sha-3@{} # keep me\n",
                        artifact("web", 3).digest.str()));
}

TEST_F(PromoteTest, SaysWhatIsWrong) {
  auto error = [&](const std::string& path, const std::string& branch = "main") {
    auto wrong = request("web", 1);
    wrong.promotion.config_path = path;
    auto outcome = promote(ctx, repo, {.branch = branch}, {wrong});
    return outcome ? "fine" : outcome.error().what();
  };
  auto id = tip().substr(0, 12);
  EXPECT_EQ(error("empty"), "empty: no kustomization.yaml here at " + id);
  EXPECT_EQ(error("../x"), "../x/kustomization.yaml: path leaves the repository");
  EXPECT_EQ(error("chart/values.yaml#api.image"), "chart/values.yaml: api.image: no such field");
  EXPECT_EQ(error("nope.yaml#x"), "nope.yaml: no such file at " + id);
  EXPECT_EQ(error("empty", "release"), "config.git: no branch release");
}

TEST_F(PromoteTest, RevertsOnlyItsOwn) {
  auto web = request("web", 1), api = request("api", 1);
  web.promotion.commit = must(promote(ctx, repo, {}, {web})).commit;
  api.promotion.commit = must(promote(ctx, repo, {}, {api})).commit;
  auto reverted = must(revert(ctx, repo, {}, web, "5xx rate 12%, want at most 1%"));
  EXPECT_TRUE(reverted.changed);
  auto text = file("overlays/dev/kustomization.yaml");
  EXPECT_TRUE(text.contains("  - name: shop/web # ours\n    newTag: old\n  - name: shop/api\n    newTag: sha-1\n"))
      << text;
  auto commit = must(repo.commit(tip()));
  EXPECT_EQ(commit.subject(), "web: Revert dev to old");
  EXPECT_TRUE(commit.message.contains("5xx rate 12%"));
  EXPECT_TRUE(commit.message.contains("Slipway-Reverts: " + web.promotion.commit));
  EXPECT_FALSE(must(revert(ctx, repo, {}, web, "again")).changed);
  // An entry that the promotion made goes away with it.
  EXPECT_TRUE(must(revert(ctx, repo, {}, api, "why")).changed);
  EXPECT_EQ(file("overlays/dev/kustomization.yaml"),
            "# dev\nresources: [../../base]\nimages:\n  - name: shop/web # ours\n    newTag: old\n");
  // Somebody promoted since: theirs stays.
  web = request("web", 5);
  web.promotion.commit = must(promote(ctx, repo, {}, {web})).commit;
  must(promote(ctx, repo, {}, {request("web", 6)}));
  EXPECT_FALSE(must(revert(ctx, repo, {}, web, "late")).changed);
  EXPECT_TRUE(file("overlays/dev/kustomization.yaml").contains("sha-6"));
}

TEST_F(PromoteTest, ProposesOnABranch) {
  ConfigRepo config{.proposal_branch = "slipway/prod-web"};
  auto before = tip();
  auto first = must(promote(ctx, repo, config, {request("web", 1, "prod")}));
  EXPECT_TRUE(first.changed);
  EXPECT_EQ(tip(), before);
  EXPECT_EQ(must(repo.resolve("slipway/prod-web")), first.commit);
  EXPECT_EQ(must(promote(ctx, repo, config, {request("web", 1, "prod")})).commit, first.commit);
  auto second = must(promote(ctx, repo, config, {request("web", 2, "prod")}));
  EXPECT_EQ(must(repo.commit(second.commit)).parents, std::vector<git::Oid>{before});
}

TEST_F(PromoteTest, SLOW_LosesNoneOfTwoHundredAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> changed = 0;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      auto own = must(git::Repository::open(repo.path()));
      for (int i = 0; i < 25; ++i) {
        auto outcome = promote(ctx, own, {}, {request(fmt::format("s{}-{}", t, i), i)});
        if (outcome && outcome->changed) ++changed;
      }
    });
  threads.clear();
  EXPECT_EQ(changed, 200);
  EXPECT_EQ(commits(), 201u);
  auto text = file("overlays/dev/kustomization.yaml");
  for (int t = 0; t < 8; ++t)
    for (int i = 0; i < 25; ++i) EXPECT_TRUE(text.contains(fmt::format("name: shop/s{}-{}\n", t, i)));
}

TEST_F(PromoteTest, SLOW_LosesNoneBetweenProcesses) {
  constexpr int workers = 4, each = 10;
  std::vector<pid_t> children;
  for (int w = 0; w < workers; ++w) {
    pid_t pid = ::fork();
    if (pid == 0) {
      auto own = git::Repository::open(repo.path());
      for (int i = 0; own && i < each; ++i)
        if (!promote(ctx, *own, {}, {request(fmt::format("p{}-{}", w, i), i)})) ::_exit(1);
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(commits(), 1u + workers * each);
}

TEST_F(PromoteTest, AKillBetweenCommitAndRefDoesNotDouble) {
  // The child dies where the ref would move: the commit's objects are there, the branch is not.
  pid_t pid = ::fork();
  if (pid == 0) {
    auto own = git::Repository::open(repo.path());
    ConfigRepo config;
    config.move = [](const Ctx&, const std::string&, const git::Oid&, const git::Oid&) -> Result<> {
      ::kill(::getpid(), SIGKILL);
      return {};
    };
    (void)promote(ctx, *own, config, {request("web", 1)});
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(commits(), 1u);
  EXPECT_TRUE(must(promote(ctx, repo, {}, {request("web", 1)})).changed);
  EXPECT_FALSE(must(promote(ctx, repo, {}, {request("web", 1)})).changed);
  EXPECT_EQ(commits(), 2u);
  // And where the branch has moved but nobody was told.
  pid = ::fork();
  if (pid == 0) {
    auto own = git::Repository::open(repo.path());
    ConfigRepo config;
    config.move = [&](const Ctx&, const std::string& ref, const git::Oid& before, const git::Oid& after) -> Result<> {
      (void)own->update_ref(ref, after, before, "promotion");
      ::kill(::getpid(), SIGKILL);
      return {};
    };
    (void)promote(ctx, *own, config, {request("web", 2)});
    ::_exit(0);
  }
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(commits(), 3u);
  EXPECT_FALSE(must(promote(ctx, repo, {}, {request("web", 2)})).changed);
  EXPECT_EQ(commits(), 3u);
}

TEST_F(PromoteTest, PushesToARemote) {
  // Two mirrors of one remote, each behind the other's back.
  ConfigRepo config{.remote = repo.path().string()};
  std::vector<std::jthread> threads;
  std::atomic<int> changed = 0;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      auto mirror = must(git::Repository::mirror(ctx, config.remote, dir.path() / fmt::format("mirror{}.git", t)));
      for (int i = 0; i < 4; ++i) {
        auto outcome = promote(ctx, mirror, config, {request(fmt::format("m{}-{}", t, i), i)});
        EXPECT_TRUE(outcome) << outcome.error().what();
        if (outcome && outcome->changed) ++changed;
      }
    });
  threads.clear();
  EXPECT_EQ(changed, 12);
  EXPECT_EQ(commits(), 13u);
}

// The chain.

WallTime at(int minutes) { return WallTime(std::chrono::minutes(1'000'000 + minutes)); }
using Verdict = path::Verdict::Outcome;

struct ChainTest : testing::Test {
  path::Pipeline pipeline;
  std::vector<Passed> artifacts = {{artifact("web", 1), at(-20)}, {artifact("web", 2), at(-10)}};
  std::vector<Holding> holdings;
  std::vector<Approval> approvals;

  void SetUp() override {
    pipeline.config_repository = "config";
    pipeline.services = {{.name = "web", .image = "shop/web"}};
    pipeline.environments = {
        {.name = "dev", .path = "overlays/dev"},
        {.name = "staging", .path = "overlays/staging", .after = "dev", .soak = std::chrono::minutes(10)},
        {.name = "prod",
         .path = "overlays/prod",
         .after = "staging",
         .automatic = false,
         .approvers = {"ada", "bob"},
         .pull_request = true}};
  }
  void hold(const std::string& environment, int n, Verdict verdict, int since, bool current = true) {
    holdings.push_back({"web", environment, artifact("web", n).digest, current, verdict, at(since)});
  }
  std::string next(int now) {
    auto found = next_promotions(pipeline, artifacts, holdings, approvals, at(now));
    std::string text;
    for (const auto& p : found.promotions)
      text += fmt::format("{} {} {} [{}]{}{}; ", p.environment, p.artifact.tags[1], path::to_string(p.phase), p.message,
                          p.approved_by.empty() ? "" : " by ", p.approved_by);
    if (found.look_again)
      text += fmt::format("again at {}",
                          std::chrono::duration_cast<std::chrono::minutes>(*found.look_again - at(0)).count());
    return text;
  }
};

TEST_F(ChainTest, GoesStepByStep) {
  EXPECT_EQ(next(0), "dev sha-2 Pending []; ");
  hold("dev", 2, Verdict::inconclusive, 1);
  EXPECT_EQ(next(1), "");
  holdings[0].verdict = Verdict::pass;
  EXPECT_EQ(next(2), "again at 11");
  EXPECT_EQ(next(11), "staging sha-2 Pending []; ");
  hold("staging", 2, Verdict::pass, 20);
  EXPECT_EQ(next(20), "prod sha-2 Waiting [waiting for approval by ada or bob]; ");
  approvals.push_back({"web", "prod", artifact("web", 2).digest, "eve"});
  approvals.push_back({"web", "prod", artifact("web", 1).digest, "ada"});
  EXPECT_EQ(next(20), "prod sha-2 Waiting [waiting for approval by ada or bob]; ");
  approvals.push_back({"web", "prod", artifact("web", 2).digest, "bob"});
  EXPECT_EQ(next(20), "prod sha-2 Pending [by pull request] by bob; ");
  hold("prod", 2, Verdict::inconclusive, 21);
  EXPECT_EQ(next(21), "");
}

TEST_F(ChainTest, DoesNotTryAgainWhatFailed) {
  hold("dev", 2, Verdict::fail, 1, false);
  hold("dev", 1, Verdict::pass, 0);
  EXPECT_EQ(next(30), "staging sha-1 Pending []; ");
  artifacts.push_back({artifact("web", 3), at(30)});
  EXPECT_EQ(next(30), "dev sha-3 Pending []; staging sha-1 Pending []; ");
}

TEST_F(ChainTest, ABusyEnvironmentDoesNotStarveTheNext) {
  hold("dev", 1, Verdict::pass, 0, false);
  hold("dev", 2, Verdict::pass, 8);
  EXPECT_EQ(next(12), "staging sha-1 Pending []; again at 18");
  hold("staging", 2, Verdict::pass, 0);
  EXPECT_EQ(next(12).starts_with("staging"), false) << "never back";
}

// Somebody went back by a commit of their own: nobody knows better until there is something new.
TEST_F(ChainTest, WhatPeopleTookBackStaysBack) {
  hold("dev", 2, Verdict::pass, 0, false);
  hold("dev", 1, Verdict::pass, 5);
  EXPECT_EQ(next(6), "again at 15") << "nothing for dev, and what was taken back there does not go on";
  artifacts.push_back({artifact("web", 3), at(20)});
  EXPECT_EQ(next(20), "dev sha-3 Pending []; staging sha-1 Pending []; ");
}

// A revert of the source makes the bytes of before: they are the newest again.
TEST_F(ChainTest, BytesThatComeBackArePromotedAgain) {
  hold("dev", 1, Verdict::pass, 0, false);
  hold("dev", 2, Verdict::pass, 5);
  artifacts = {{artifact("web", 2), at(4)}, {artifact("web", 1), at(10)}};
  EXPECT_EQ(next(10), "dev sha-1 Pending []; again at 15");
  hold("dev", 1, Verdict::inconclusive, 11);
  holdings[1].current = false;
  EXPECT_FALSE(next(12).contains("dev")) << next(12);
}

// Minute 1,000,000 of the epoch is 1971-11-26, a Friday, 10:40.
TEST_F(ChainTest, WindowsHoldBack) {
  auto& dev = pipeline.environments[0];
  dev.windows = {{.allow = true, .schedule = "0 11 * * 1-5", .duration = std::chrono::hours(1)}};
  EXPECT_EQ(next(0), "again at 20") << "nothing before eleven";
  auto held = next_promotions(pipeline, artifacts, holdings, approvals, at(0)).held;
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].phase, path::Phase::waiting);
  EXPECT_EQ(held[0].message, "held back: promotions only during \"0 11 * * 1-5\" (UTC) for 1h0m0s");
  EXPECT_EQ(next(20), "dev sha-2 Pending []; ");
  dev.windows.push_back({.allow = false, .schedule = "30 11 * * *", .duration = std::chrono::minutes(5)});
  EXPECT_EQ(next(50), "again at 55") << "a denial wins, until it ends";
  EXPECT_EQ(next(55), "dev sha-2 Pending []; ");
  EXPECT_EQ(next(80), "again at 1490") << "noon: closed; the next thing to happen is tomorrow's denial";
}

// 10:40 UTC is 19:40 in Tokyo.
TEST_F(ChainTest, WindowsHaveTheirZone) {
  auto tokyo = TimeZone::find("Asia/Tokyo");
  if (!tokyo) GTEST_SKIP() << "no time zone database";
  auto& dev = pipeline.environments[0];
  dev.windows = {{.allow = true, .schedule = "0 20 * * 5", .duration = std::chrono::hours(1), .zone = *tokyo}};
  EXPECT_EQ(next(0), "again at 20");
  EXPECT_EQ(held_back(dev, at(0)), "promotions only during \"0 20 * * 5\" (Asia/Tokyo) for 1h0m0s");
  EXPECT_EQ(next(20), "dev sha-2 Pending []; ");
  EXPECT_EQ(next(80), "again at 1520") << "the next day is no Friday, but it is looked at";
}

// Who may approve is asked first; the hours count when it would happen.
TEST_F(ChainTest, AnApprovalWaitsForItsWindow) {
  hold("staging", 2, Verdict::pass, 0);
  hold("dev", 2, Verdict::pass, 0);
  auto& prod = pipeline.environments[2];
  prod.windows = {{.allow = true, .schedule = "0 11 * * *", .duration = std::chrono::hours(1)}};
  EXPECT_EQ(next(11), "prod sha-2 Waiting [waiting for approval by ada or bob]; ");
  approvals.push_back({"web", "prod", artifact("web", 2).digest, "bob"});
  EXPECT_EQ(next(11), "again at 20");
  EXPECT_EQ(next(20), "prod sha-2 Pending [by pull request] by bob; ");
}

struct Overtaking {
  const char* name;
  Recorded older, newer;
  bool taken;
};
class Superseded : public testing::TestWithParam<Overtaking> {};
TEST_P(Superseded, OnlyByWhatIsNewerAndHasComeAsFar) {
  std::vector<Passed> passed = {{artifact("web", 1), at(0)}, {artifact("api", 9), at(1)}, {artifact("web", 2), at(2)}};
  auto older = GetParam().older, newer = GetParam().newer;
  for (auto* r : {&older, &newer}) {
    if (r->service.empty()) r->service = "web";
    if (r->environment.empty()) r->environment = "prod";
  }
  older.name = "older", newer.name = "newer";
  auto found = superseded(passed, {older, newer});
  EXPECT_EQ(found, (GetParam().taken ? std::map<std::string, std::string>{{"older", "newer"}}
                                     : std::map<std::string, std::string>{}));
}
Recorded recorded(int n, path::Phase phase, bool proposed, int when, const std::string& service = "",
                  const std::string& environment = "") {
  return {"", service, environment, artifact("web", n).digest, at(when), phase, proposed};
}
Recorded undecided(int n) {
  auto made = recorded(n, path::Phase::pending, false, n);
  made.undecided = true;
  return made;
}
using path::Phase;
INSTANTIATE_TEST_SUITE_P(
    Chain, Superseded,
    testing::ValuesIn(std::vector<Overtaking>{
        {"Proposed", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::waiting, true, 5), true},
        {"InTheSameSecond", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::waiting, true, 0), true},
        {"NotProposedYet", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::pending, false, 5), false},
        {"WaitsForAWord", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::waiting, false, 5), false},
        {"Done", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::running, false, 5), true},
        {"GivenUp", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::failed, true, 5), false},
        {"BothWaitForAWord", recorded(1, Phase::waiting, false, 0), recorded(2, Phase::waiting, false, 5), true},
        {"Older", recorded(2, Phase::waiting, true, 0), recorded(1, Phase::waiting, true, 5), false},
        {"ARollbackThatWasAskedForLater", recorded(1, Phase::waiting, true, 5), recorded(2, Phase::running, true, 0),
         false},
        {"AnotherPlace", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::waiting, true, 5, "", "dev"), false},
        {"AnotherService", recorded(1, Phase::waiting, true, 0), recorded(2, Phase::waiting, true, 5, "api"), false},
        {"NeverPassed", recorded(7, Phase::waiting, true, 0), recorded(2, Phase::waiting, true, 5), false},
        {"DueAndOvertaken", recorded(1, Phase::pending, false, 0), recorded(2, Phase::pending, false, 5), true},
        {"DueAndTheNewerIsProposed", recorded(1, Phase::pending, false, 0), recorded(2, Phase::waiting, true, 5), true},
        {"DueAndTheNewerWaitsForAWord", recorded(1, Phase::pending, false, 0), recorded(2, Phase::waiting, false, 5),
         false},
        {"UndecidedIsOvertaken", undecided(1), recorded(2, Phase::waiting, false, 5), true},
        {"UndecidedOvertakesNothing", recorded(1, Phase::waiting, false, 0), undecided(2), false},
        {"UnderWay", recorded(1, Phase::running, false, 0), recorded(2, Phase::waiting, true, 5), false},
    }),
    [](const auto& i) { return i.param.name; });

TEST(MayApprove, NamesOrAnybody) {
  EXPECT_TRUE(may_approve({.name = "x"}, "eve"));
  EXPECT_FALSE(may_approve({.name = "x"}, ""));
  EXPECT_FALSE(may_approve({.name = "x", .approvers = {"ada"}}, "eve"));
}

}  // namespace
}  // namespace slipway::promote
