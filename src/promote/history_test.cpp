#include "promote/history.h"

#include "base/testing/clock.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "promote/promote.h"

namespace slipway::promote {
namespace {

struct History : testing::Test {
  TempDir dir = must(TempDir::make("history"));
  git::Repository repo = must(git::Repository::init(dir.path() / "config.git"));
  FakeClock clock;
  Ctx ctx;

  void SetUp() override {
    ctx.clock = &clock;
    auto images = std::string("images:\n- {name: shop/web, newTag: old}\n- {name: shop/api, newTag: old}\n");
    write({{"dev/kustomization.yaml", images}, {"prod/kustomization.yaml", images}}, "first");
  }
  git::Oid write(const std::vector<git::FileEdit>& edits, const std::string& message,
                 std::optional<git::Oid> second = std::nullopt) {
    auto before = must(repo.resolve("main"));
    auto tree = must(repo.write_tree(before ? must(repo.tree_of(*before)) : git::Oid(), edits));
    std::vector<git::Oid> parents;
    if (before) parents.push_back(*before);
    if (second) parents.push_back(*second);
    auto id = must(repo.write_commit(tree, parents, {"Ada", "ada@example.org", clock.wall()}, message));
    must(repo.update_ref("refs/heads/main", id, std::nullopt, "test"));
    return id;
  }
  Request request(const std::string& service, int n, const std::string& environment) {
    Request made;
    auto& p = made.promotion;
    p.service = service, p.environment = environment, p.config_path = environment;
    p.artifact.service = service, p.artifact.image = "shop/" + service;
    p.artifact.digest = Digest::of(service + std::to_string(n));
    p.artifact.repository = "shop", p.artifact.commit = fmt::format("{:040}", n);
    p.artifact.run = fmt::format("ci-{}", n), p.artifact.tags = {"pr-7"};
    made.id = fmt::format("{}-{}-{}", service, environment, n);
    return made;
  }
  Outcome go(const std::vector<Request>& requests, const ConfigRepo& config = {}) {
    clock.advance(std::chrono::minutes(1));
    return must(promote(ctx, repo, config, requests));
  }
  std::vector<Past> all(const HistoryFilter& filter = {}) {
    return must(history(repo, *must(repo.resolve("main")), filter));
  }
  // "prod web 2; dev web 1 (reverted); "
  std::string told(const HistoryFilter& filter = {}) {
    std::string text;
    for (const auto& past : all(filter))
      text += fmt::format("{} {} {}{}{}; ", past.environment, past.service, past.run,
                          past.reverts.empty() ? "" : " back", past.reverted_by.empty() ? "" : " (taken back)");
    return text;
  }
};

TEST_F(History, SaysWhatWhereWhenAndFromWhere) {
  auto approved = request("web", 1, "prod");
  approved.promotion.approved_by = "ann", approved.override_window = "ben, on a Friday";
  auto outcome = go({approved});
  auto past = all().at(0);
  EXPECT_EQ(
      doc::print_json(to_doc(past)),
      fmt::format("{{\"at\":\"{}\",\"service\":\"web\",\"environment\":\"prod\",\"image\":\"shop/web\",\"digest\":\"{}"
                  "\",\"commit\":\"{}\",\"landed\":\"{}\",\"by\":\"slipway\",\"repository\":\"shop\","
                  "\"sourceCommit\":\"{:040}\",\"run\":\"ci-1\",\"pullRequest\":\"7\",\"approvedBy\":\"ann\","
                  "\"promotion\":\"web-prod-1\",\"overrideWindow\":\"ben, on a Friday\"}}",
                  rfc3339(clock.wall()), Digest::of("web1").str(), outcome.commit, outcome.commit, 1));
}

TEST_F(History, NewestFirstByServiceAndEnvironment) {
  go({request("web", 1, "dev")});
  write({{"readme", "x"}}, "By hand\n\nNo trailers here.");
  go({request("web", 2, "dev"), request("api", 2, "dev")});
  go({request("web", 2, "prod")});
  EXPECT_EQ(told(), "prod web ci-2; dev web ci-2; dev api ci-2; dev web ci-1; ");
  EXPECT_EQ(told({.service = "api"}), "dev api ci-2; ");
  EXPECT_EQ(told({.environment = "dev"}), "dev web ci-2; dev api ci-2; dev web ci-1; ");
  EXPECT_EQ(told({.limit = 2}), "prod web ci-2; dev web ci-2; ");
  EXPECT_EQ(told({.service = "nobody"}), "");
}

TEST_F(History, WhatWasTakenBackSaysSo) {
  go({request("web", 1, "dev")});
  auto second = request("web", 2, "dev");
  second.promotion.commit = go({second}).commit;
  clock.advance(std::chrono::minutes(1));
  auto back = must(revert(ctx, repo, {}, second, "it was bad"));
  EXPECT_EQ(told(), "dev web ci-2 back; dev web ci-2 (taken back); dev web ci-1; ");
  EXPECT_EQ(all()[0].reverts, second.promotion.commit);
  EXPECT_EQ(all()[1].reverted_by, back.commit);
}

// What waited in a pull request was there when that was merged.
TEST_F(History, APullRequestLandsWhenItIsMerged) {
  ConfigRepo config{.proposal_branch = "promotions/x"};
  auto proposed = go({request("web", 1, "prod")}, config).commit;
  EXPECT_EQ(told(), "");
  go({request("web", 2, "dev")});
  clock.advance(std::chrono::hours(3));
  auto text = *must(repo.read(proposed, "prod/kustomization.yaml"));
  auto merge = write({{"prod/kustomization.yaml", text}}, "Merge pull request #1", proposed);
  EXPECT_EQ(told(), "prod web ci-1; dev web ci-2; ");
  auto past = all()[0];
  EXPECT_EQ(past.commit, proposed);
  EXPECT_EQ(past.landed, merge);
  EXPECT_EQ(past.by, "Ada");
  EXPECT_EQ(rfc3339(past.at), rfc3339(clock.wall()));
}

TEST_F(History, TrailersThatAreNoneBringNothing) {
  write({{"a", "1"}}, "x\n\nSlipway-Environment: dev\nSlipway-Run: 3\n");
  EXPECT_EQ(told(), "");
  write({{"a", "2"}}, "x\n\nSlipway-Service: web\nSlipway-Artifact: nothing\nSlipway-Commit: @\n");
  auto past = all();
  ASSERT_EQ(past.size(), 1U);
  EXPECT_TRUE(past[0].digest.empty());
  EXPECT_EQ(past[0].image, "nothing");
}

}  // namespace
}  // namespace slipway::promote
