// What the API writes itself when people write path objects: who they are.
#include "engine/admission.h"

#include "doc/yaml.h"
#include "engine/testing.h"

namespace slipway::engine {
namespace {

struct Admission : HouseTest {
  void SetUp() override {
    HouseTest::SetUp();
    house.users = must(Users::open(dir.path()));
    auto pipeline = fmt::format(
        "{{apiVersion: slipway.dev/v1, kind: Pipeline, metadata: {{name: shop, namespace: {}}}, spec: {{repository: "
        "config, services: [{{name: api, image: shop/api}}], environments: [{{name: prod, path: prod, automatic: "
        "false, approvers: [ann, ben]}}]}}}}",
        home);
    must(house.client->create(ctx, must(doc::parse_yaml(pipeline)), {}));
  }
  using User = cluster::ApiOptions::User;
  static User user(const std::string& name) { return {name, {"system:authenticated"}}; }

  // A promotion whose approval is `by`, as this user writes it over what is there.
  Result<std::string> approve(const User& who, const std::string& by, const kube::Object& before) {
    auto next = before.copy();
    next["spec"]["approvedBy"] = by;
    TRY_OK(admit(ctx, house, who, "", before, next));
    return next.str_at({"spec", "approvedBy"});
  }
  kube::Object waiting = kube::Object(must(doc::parse_yaml(
      "{apiVersion: slipway.dev/v1, kind: Promotion, metadata: {name: p}, spec: {service: api, environment: prod, "
      "configRepository: config, pipeline: shop, artifact: {image: shop/api, digest: x}}, status: {phase: Waiting}}")));
};

TEST_F(Admission, WhoApprovesAPromotionIsWhoSignedIn) {
  EXPECT_EQ(must(approve(user("ann"), "ben", waiting)), "ann") << "in nobody else's name";
  auto forged = approve(user("eve"), "ann", waiting);
  ASSERT_FALSE(forged);
  EXPECT_TRUE(forged.error().is(Kind::denied));
  EXPECT_EQ(forged.error().what(), "eve may not approve for prod, only ann or ben may");
  EXPECT_EQ(must(approve(user("admin"), "ben", waiting)), "ben") << "people behind the administrator's token";
  EXPECT_FALSE(approve(user("admin"), "eve", waiting));
}

TEST_F(Admission, AWordThatWasGivenStaysWhoseItWas) {
  auto approved = waiting.copy();
  approved["spec"]["approvedBy"] = "ann";
  kube::Object before(approved);
  auto next = before.copy();
  next["metadata"]["labels"]["seen"] = "yes";
  EXPECT_TRUE(admit(ctx, house, user("eve"), "", before, next));
  EXPECT_EQ(next.str_at({"spec", "approvedBy"}), "ann");
  next["spec"]["artifact"]["digest"] = "another";
  auto changed = admit(ctx, house, user("eve"), "", before, next);
  ASSERT_FALSE(changed) << "what ann approved would be another image";
  EXPECT_TRUE(changed.error().is(Kind::denied));
  auto status = before.copy();
  status["status"]["approvedBy"] = "ben";
  EXPECT_TRUE(admit(ctx, house, user("eve"), "status", before, status));
  EXPECT_EQ(status.str_at({"status", "approvedBy"}), "eve");
}

TEST_F(Admission, WhoPutsSomethingPastAWindowIsAnApprover) {
  auto next = waiting.copy();
  next["spec"]["overrideWindow"] = "ben";
  EXPECT_FALSE(admit(ctx, house, user("eve"), "", waiting, next));
  next["spec"]["overrideWindow"] = "ben";
  EXPECT_TRUE(admit(ctx, house, user("ann"), "", waiting, next));
  EXPECT_EQ(next.str_at({"spec", "overrideWindow"}), "ann");
}

TEST_F(Admission, ANotifierThatCannotBeUsedIsRefused) {
  auto notifier =
      must(doc::parse_yaml("{apiVersion: slipway.dev/v1, kind: Notifier, metadata: {name: n}, spec: {type: "
                           "webhook, urlFrom: {name: hook, key: url}}}"));
  EXPECT_TRUE(admit(ctx, house, user("ann"), "", {}, notifier)) << "what its Secret holds is seen later";
  notifier["spec"]["type"] = "webhok";
  auto refused = admit(ctx, house, user("ann"), "", {}, notifier);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(Kind::invalid));
  EXPECT_TRUE(refused.error().what().contains("want slack, teams, webhook or email")) << refused.error().what();
  EXPECT_TRUE(admit(ctx, house, user("ann"), "status", {}, notifier)) << "what is there already is told in its status";
}

TEST_F(Admission, WhoMergesOrClosesIsWhoSignedIn) {
  kube::Object request(
      must(doc::parse_yaml("{apiVersion: slipway.dev/v1, kind: PullRequest, metadata: {name: "
                           "config.1}, spec: {number: 1, repository: config}}")));
  for (auto wish : {"merge", "close"}) {
    auto next = request.copy();
    next["spec"][wish]["by"] = "ann";
    EXPECT_TRUE(admit(ctx, house, user("eve"), "", request, next));
    EXPECT_EQ(next.str_at({"spec", wish, "by"}), "eve");
  }
}

}  // namespace
}  // namespace slipway::engine
