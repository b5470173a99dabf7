#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "path/objects.h"

namespace slipway::path {
namespace {

Result<JobEnvironment> environment(const char* yaml) {
  auto value = must(doc::parse_yaml(yaml, {.source = "e.yaml"}));
  return job_environment_from(doc::View(value));
}

TEST(JobEnvironments, AreReadWhole) {
  auto e = must(environment(R"Y(
spec:
  repository: shop
  name: production
  reviewers: {users: [ada], groups: [ops]}
  approvals: 2
  preventSelfReview: true
  wait: 10m
  branches: [main, "release/*"]
  tags: ["v*"]
  vars: {URL: "https://shop.example"}
)Y"));
  EXPECT_EQ(e.name, "production");
  EXPECT_EQ(e.users, std::vector<std::string>{"ada"});
  EXPECT_EQ(e.groups, std::vector<std::string>{"ops"});
  EXPECT_EQ(e.approvals, 2);
  EXPECT_TRUE(e.prevent_self_review);
  EXPECT_EQ(e.wait, Millis(600'000));
  EXPECT_EQ(e.branches.size(), 2U);
  EXPECT_EQ(e.vars.at("URL"), "https://shop.example");
}

TEST(JobEnvironments, SayWhatIsWrongWithThem) {
  for (auto [yaml, want] : {std::pair{"spec: {name: p}", "repository"},
                            {"spec: {repository: r, name: p, approvals: 7}", "want 1 to 6"},
                            {"spec: {repository: r, name: p, reviewer: {users: [a]}}", "did you mean reviewers?"},
                            {"spec: {repository: r, name: p, reviewers: {user: [a]}}", "did you mean users?"},
                            {"spec: {repository: r, name: p, wait: 40d}", "wait"},
                            {"spec: {repository: r, name: p, wait: 1000h}", "30 days"},
                            {"spec: {repository: r, name: p, branches: main}", "branches"}}) {
    auto e = environment(yaml);
    ASSERT_FALSE(e) << yaml;
    EXPECT_TRUE(std::string(e.error().what()).contains(want)) << e.error().what();
  }
}

TEST(JobEnvironments, HaveNamesOfTheirOwn) {
  EXPECT_EQ(environment_object_name("shop", "production"), "shop.production");
  EXPECT_EQ(environment_object_name("shop", "Production"), "shop.production") << "case does not count";
  EXPECT_NE(environment_object_name("a/b", "x"), environment_object_name("a-b", "x"));
  EXPECT_NE(environment_object_name("a", "b/c"), environment_object_name("a", "b c"));
  EXPECT_NE(environment_object_name("shop-a", "b"), environment_object_name("shop", "a-b"));
  EXPECT_LE(environment_object_name(std::string(300, 'a'), std::string(255, 'b')).size(), 130U);
}

TEST(Approvals, ComeBackAsTheyWere) {
  Approval a{"run", "c0ffee", "production", "deploy", 2, true, "ada", "fine", "2026-01-01T00:00:00Z", {"ops"}};
  auto document = to_doc(a);
  EXPECT_EQ(must(approval_from(doc::View(document))), a);
  document["decision"] = "maybe";
  EXPECT_TRUE(std::string(approval_from(doc::View(document)).error().what()).contains("approved or rejected"));
}

TEST(Changes, KeepWhatADispatchGave) {
  Change c;
  c.event = Change::Event::manual, c.repository = "shop", c.workflow = ".github/workflows/a.yml";
  c.inputs = {{"level", "3"}}, c.action = "x", c.cron = "0 0 * * *", c.details = doc::Map{{"a", 1}};
  auto document = to_doc(c);
  EXPECT_EQ(must(change_from(doc::View(document))), c);
}

}  // namespace
}  // namespace slipway::path
