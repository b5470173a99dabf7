#include "cli/by_hand.h"

#include <gtest/gtest.h>

#include "cluster/testing.h"
#include "doc/yaml.h"
#include "engine/recorder.h"
#include "path/crds.h"

namespace slipway::cli {
namespace {

constexpr const char* pipeline_text = R"(apiVersion: slipway.dev/v1
kind: Pipeline
metadata: {name: shop, namespace: slipway-system}
spec:
  repository: shop-config
  services:
    - {name: web, image: shop/web, repository: shop}
  environments:
    - {name: dev, path: overlays/dev, namespace: shop-dev}
    - {name: production, path: overlays/production, namespace: shop-production, after: dev, automatic: false, approvers: [ada]}
)";

class ByHand : public testing::Test {
 protected:
  ByHand() {
    cluster::ApiOptions options;
    options.crds = path::builtin_crds();
    options.namespaces = {std::string(path::home), "argocd"};
    api_.emplace(cluster::make_test_api(std::move(options)));
    client_ = api_->client();
    must(client_->create(ctx_, must(doc::parse_yaml(pipeline_text)), {}));
  }
  Order order(const std::string& environment, const std::string& who) {
    Order order{must(target_of(ctx_, *client_, "web", environment)), {}, "asked for by " + who, who};
    order.artifact = must(artifact_of(ctx_, *client_, order.target.service, digest_));
    return order;
  }
  kube::Object promotion(const std::string& name) { return *must(engine::find(ctx_, *client_, "Promotion", name)); }

  Ctx ctx_;
  Digest digest_ = Digest::of("image");
  std::optional<cluster::TestApi> api_;
  std::shared_ptr<kube::Client> client_;
};

TEST_F(ByHand, AskingMakesAPendingPromotionWithAllThatTheCommitNeeds) {
  auto made = promotion(must(ask(ctx_, *client_, order("dev", "grace"))));
  EXPECT_EQ(made["status"]["phase"].text(), "Pending");
  auto read = must(path::promotion_from(made.view()));
  EXPECT_EQ(read.config_repository, "shop-config");
  EXPECT_EQ(read.config_path, "overlays/dev");
  EXPECT_EQ(read.artifact.image, "shop/web");
  EXPECT_EQ(read.artifact.digest, digest_);
  EXPECT_EQ(read.reason, "asked for by grace");
}

TEST_F(ByHand, WhoMayNotApproveMayNotAsk) {
  auto refused = ask(ctx_, *client_, order("production", "grace"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(exit_code(refused.error()), 3) << refused.error().what();
  auto made = promotion(must(ask(ctx_, *client_, order("production", "ada"))));
  EXPECT_EQ(made["spec"]["approvedBy"].text(), "ada");
}

TEST_F(ByHand, AskingForWhatWaitsApprovesIt) {
  auto wanted = order("production", "ada");
  auto first = must(ask(ctx_, *client_, wanted));
  must(engine::set_status(ctx_, *client_, "Promotion", first, doc::Map{{"phase", "Waiting"}}));
  EXPECT_EQ(must(ask(ctx_, *client_, wanted)), first);
  EXPECT_EQ(promotion(first)["spec"]["approvedBy"].text(), "ada");
  EXPECT_EQ(must(engine::all(ctx_, *client_, "Promotion")).size(), 1U);
}

TEST_F(ByHand, AfterItEndedTheSameImageMayBeAskedForAgain) {
  auto wanted = order("dev", "ada");
  auto first = must(ask(ctx_, *client_, wanted));
  must(engine::set_status(ctx_, *client_, "Promotion", first, doc::Map{{"phase", "Succeeded"}}));
  EXPECT_NE(must(ask(ctx_, *client_, wanted)), first);
}

TEST_F(ByHand, WhatTheEnvironmentHoldsIsNotAskedForAgain) {
  must(engine::record(ctx_, *client_, "Release", "web-dev",
                      doc::Map{{"service", "web"}, {"environment", "dev"}, {"digest", digest_.str()}}));
  must(engine::set_status(ctx_, *client_, "Release", "web-dev", doc::Map{{"phase", "Succeeded"}, {"current", true}}));
  auto again = ask(ctx_, *client_, order("dev", "ada"));
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is(Kind::conflict));
}

TEST_F(ByHand, WrongNamesAreAnsweredWithTheRightOnes) {
  auto environment = target_of(ctx_, *client_, "web", "prod");
  ASSERT_FALSE(environment);
  EXPECT_TRUE(environment.error().what().contains("dev, production")) << environment.error().what();
  auto service = target_of(ctx_, *client_, "api", "dev");
  ASSERT_FALSE(service);
  EXPECT_TRUE(service.error().what().contains("web")) << service.error().what();
}

TEST_F(ByHand, AServiceThatTwoPipelinesHaveIsToldByItsImageOrItsPipeline) {
  std::string other(pipeline_text);
  other.replace(other.find("name: shop,"), 11, "name: outlet,"), other.replace(other.find("shop/web"), 8, "outlet/web");
  must(client_->create(ctx_, must(doc::parse_yaml(other)), {}));
  auto both = target_of(ctx_, *client_, "web", "dev");
  ASSERT_FALSE(both);
  EXPECT_TRUE(both.error().what().contains("outlet/web of Pipeline outlet")) << both.error().what();
  EXPECT_EQ(must(target_of(ctx_, *client_, "outlet/web", "dev")).pipeline.name, "outlet");
  EXPECT_EQ(must(target_of(ctx_, *client_, "web", "dev", "shop")).service.image, "shop/web");
}

TEST_F(ByHand, FollowingEndsWithTheCommitAndSaysHowItWent) {
  auto name = must(ask(ctx_, *client_, order("dev", "ada")));
  must(engine::set_status(ctx_, *client_, "Promotion", name,
                          doc::Map{{"phase", "Running"}, {"commit", "0123456789abcdef"}}));
  Io io(true);
  EXPECT_EQ(must(follow(ctx_.within(Millis(5000)), *client_, name, false, io)), 0);
  must(engine::set_status(ctx_, *client_, "Promotion", name,
                          doc::Map{{"phase", "Failed"}, {"message", "no such file"}}));
  EXPECT_EQ(must(follow(ctx_.within(Millis(5000)), *client_, name, true, io)), 1);
}

// What waits for others is not waited for.
TEST_F(ByHand, FollowingEndsWhereItWaits) {
  auto name = must(ask(ctx_, *client_, order("dev", "ada")));
  for (auto status : {"{phase: Waiting, message: 'held back: no promotions during x'}",
                      "{phase: Waiting, pullRequest: 3, message: pull request 3 of shop-config waits to be merged}"}) {
    must(engine::set_status(ctx_, *client_, "Promotion", name, must(doc::parse_yaml(status))));
    Io io(true);
    EXPECT_EQ(must(follow(ctx_.within(Millis(5000)), *client_, name, false, io)), 0) << status;
  }
}

TEST_F(ByHand, WhatIsPutPastAWindowNamesWhoDoes) {
  auto wanted = order("dev", "ada");
  wanted.override_window = true;
  EXPECT_EQ(promotion(must(ask(ctx_, *client_, wanted)))["spec"]["overrideWindow"].text(), "ada");
}

}  // namespace
}  // namespace slipway::cli
