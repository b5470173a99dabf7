#include "engine/approvals.h"

#include <gtest/gtest.h>

namespace slipway::engine {
namespace {

const WallTime then{std::chrono::seconds(1'800'000'000)};

struct Approvals : testing::Test {
  path::JobEnvironment rules{.repository = "shop", .name = "production", .users = {"ada"}, .groups = {"ops"}};
  Entry entry{"run", "c0ffee", "refs/heads/main", "deploy", 1, {"bob"}, then};
  std::vector<path::Approval> said;

  path::Approval& say(const std::string& by, bool approved = true) {
    path::Approval a{"run", "c0ffee", "Production", "", 1, approved, by, "", rfc3339_micro(then + Millis(5)), {}};
    return said.emplace_back(a);
  }
  Decision now(Millis later = Millis(1000)) const { return decide(rules, entry, said, then + later); }
  using What = Decision::What;
};

TEST_F(Approvals, WithoutRulesItGoes) {
  rules = {.repository = "shop", .name = "production"};
  EXPECT_EQ(now().what, What::go);
}

TEST_F(Approvals, AReviewerOrSomebodyOfAGroupLetsItGo) {
  auto d = now();
  EXPECT_EQ(d.what, What::wait);
  EXPECT_EQ(d.waiting.why, "waits for an approval for production: ada, or somebody of the group ops");
  EXPECT_EQ(d.waiting.who, (std::vector<std::string>{"ada", "group ops"}));
  say("eve");
  EXPECT_EQ(now().what, What::wait) << "not a reviewer";
  say("ada");
  EXPECT_EQ(now().what, What::go);
  EXPECT_EQ(now().by, std::vector<std::string>{"ada"});
  said.clear();
  say("olga").groups = {"ops"};
  EXPECT_EQ(now().what, What::go);
}

TEST_F(Approvals, CountForThisRunCommitAttemptJobAndTimeAlone) {
  for (auto change : std::initializer_list<void (*)(path::Approval&)>{
           [](path::Approval& a) { a.run = "other"; }, [](path::Approval& a) { a.commit = "other"; },
           [](path::Approval& a) { a.attempt = 2; }, [](path::Approval& a) { a.job = "other"; },
           [](path::Approval& a) { a.environment = "dev"; }, [](path::Approval& a) { a.at = ""; },
           [](path::Approval& a) { a.at = rfc3339_micro(then - Millis(1)); }}) {
    said.clear();
    change(say("ada"));
    EXPECT_EQ(now().what, What::wait);
  }
  said.clear();
  say("ada").job = "deploy";
  EXPECT_EQ(now().what, What::go);
}

TEST_F(Approvals, OneRejectionRefuses) {
  say("ada");
  say("olga", false).groups = {"ops"};
  said.back().comment = "not today";
  EXPECT_EQ(now().what, What::refused);
  EXPECT_EQ(now().why, "olga rejected it for production: not today");
  said.back().groups = {};
  EXPECT_EQ(now().what, What::go) << "the word of who is no reviewer does not count";
}

TEST_F(Approvals, NobodyApprovesTheirOwn) {
  rules.prevent_self_review = true;
  entry.started_by = {"ada"};
  say("ada");
  EXPECT_EQ(now().what, What::wait);
  EXPECT_TRUE(std::string(may_review(rules, {"ada"}, "ada", {}).error().what()).contains("somebody else's word"));
  EXPECT_TRUE(may_review(rules, {"ada"}, "olga", {"ops"}));
  EXPECT_TRUE(std::string(may_review(rules, {}, "eve", {}).error().what())
                  .contains("eve may not review production of shop: ada, or somebody of the group ops may"));
}

TEST_F(Approvals, TwoPeopleWhereTwoAreWanted) {
  rules.approvals = 2;
  say("ada"), say("ada");
  EXPECT_EQ(now().what, What::wait);
  say("olga").groups = {"ops"};
  EXPECT_EQ(now().what, What::go);
}

TEST_F(Approvals, TheTimerRunsBesideThem) {
  rules.wait = Millis(60'000);
  auto d = now();
  EXPECT_TRUE(d.waiting.why.contains("until")) << d.waiting.why;
  say("ada");
  EXPECT_EQ(now().what, What::wait);
  EXPECT_TRUE(now().waiting.who.empty());
  EXPECT_EQ(now().waiting.until, then + Millis(60'000));
  EXPECT_EQ(now(Millis(60'000)).what, What::go);
}

TEST_F(Approvals, BranchesAndTags) {
  rules = {.repository = "shop", .name = "production", .branches = {"main", "release/*"}, .tags = {"v*"}};
  for (auto [ref, goes] : {std::pair{"refs/heads/main", true},
                           {"refs/heads/release/1", true},
                           {"refs/tags/v1", true},
                           {"refs/heads/topic", false},
                           {"refs/tags/main", false},
                           {"refs/pull/7/merge", false}}) {
    entry.ref = ref;
    EXPECT_EQ(now().what == What::go, goes) << ref;
  }
  entry.ref = "refs/heads/topic";
  EXPECT_EQ(now().why, "topic may not deploy to production: its rules allow branch main, branch release/*, tag v*");
}

}  // namespace
}  // namespace slipway::engine
