#include "oci/registry_rules.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::oci {
namespace {

constexpr std::string_view everything = R"(anonymousPulls: false
rights:
- who: [ann, "group:builders"]
  repositories: ["shop/**", tools]
  may: [pull, push]
- who: "*"
  repositories: "**"
  may: pull
- who: anonymous
  repositories: "open/*"
  may: [pull, push]
immutable:
- repositories: "shop/*"
  tags: ["v*"]
quota:
- repositories: [shop/small]
  bytes: 10MB
- repositories: ["shop/*"]
  bytes: 2GiB
keep:
- repositories: ["ci/**"]
  tags: [main, "v*"]
  newest: 3
  pushedWithin: 30d
  pulledWithin: 12h
  untagged: 0s
mirrors:
- host: docker.io
- host: 127.0.0.1:5000
  url: http://127.0.0.1:6000
  fresh: 1m
  repositories: ["team/*"]
)";

TEST(RegistryRules, Say) {
  auto rules = must(parse_registry_rules(everything, "settings"));
  auto may = [&](const Who& who, const char* repository) {
    std::string out;
    for (const char* action : {"pull", "push", "delete"})
      if (rules.may(who, repository, action)) out += action + std::string(" ");
    return std::string(trim(out));
  };
  EXPECT_EQ(may({"ann", {}}, "shop/web/deep"), "pull push");
  EXPECT_EQ(may({"ann", {}}, "tools"), "pull push");
  EXPECT_EQ(may({"ann", {}}, "other"), "pull");
  EXPECT_EQ(may({"bob", {"builders"}}, "shop/web"), "pull push");
  EXPECT_EQ(may({"bob", {}}, "shop/web"), "pull");
  EXPECT_EQ(may({}, "open/x"), "") << "nobody pulls without a user";
  EXPECT_EQ(may({"root", {"system:masters"}}, "x"), "pull push delete");
  rules.anonymous_pulls = true;
  EXPECT_EQ(may({}, "open/x"), "pull") << "and nobody ever pushes without one";
  EXPECT_EQ(may({}, "shop/web"), "");
  EXPECT_TRUE(rules.is_immutable("shop/web", "v1.2"));
  EXPECT_FALSE(rules.is_immutable("shop/web", "latest"));
  EXPECT_FALSE(rules.is_immutable("shop/web/deep", "v1.2"));
  EXPECT_EQ(rules.quota("shop/small"), 10'000'000u);
  EXPECT_EQ(rules.quota("shop/web"), 2ull << 30);
  EXPECT_FALSE(rules.quota("other"));
  const auto* keep = rules.keep_of("ci/app");
  ASSERT_TRUE(keep);
  EXPECT_EQ(keep->newest, 3);
  EXPECT_EQ(keep->pushed, Millis(30LL * 86'400'000));
  EXPECT_EQ(keep->untagged, Millis(0));
  EXPECT_FALSE(rules.keep_of("shop/web"));
  const auto* hub = rules.upstream_of("docker.io/library/debian");
  ASSERT_TRUE(hub);
  EXPECT_EQ(hub->address, "docker.io");
  const auto* peer = rules.upstream_of("127.0.0.1-5000/team/web");
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->address, "127.0.0.1:6000");
  EXPECT_TRUE(peer->plain_http);
  EXPECT_FALSE(rules.upstream_of("127.0.0.1-5000/other/web"));
  EXPECT_FALSE(rules.upstream_of("docker.iox/web"));
  EXPECT_EQ(rules.upstream_by_host("127.0.0.1:5000"), peer);
}

TEST(RegistryRules, WithoutAWordEveryUserMayEverythingAndEverybodyPull) {
  auto rules = must(parse_registry_rules("", "settings"));
  EXPECT_TRUE(rules.may({}, "a", "pull"));
  EXPECT_FALSE(rules.may({}, "a", "push"));
  EXPECT_TRUE(rules.may({"ann", {}}, "a", "delete"));
}

struct Wrong {
  const char *yaml, *error;
};
class WrongRules : public testing::TestWithParam<Wrong> {};
TEST_P(WrongRules, SayWhere) {
  auto rules = parse_registry_rules(GetParam().yaml, "settings");
  ASSERT_FALSE(rules);
  EXPECT_EQ(replace_all(rules.error().print(), "\n", " | "), GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Table, WrongRules,
    testing::ValuesIn(std::to_array<Wrong>({
        {"quotas: []", "settings:1:9: .quotas: is no setting of the registry | hint: did you mean 'quota'?"},
        {"rights:\n- who: ann\n  may: pull", "settings:2:3: .rights[0].repositories: missing, want a list of strings"},
        {"rights:\n- {who: ann, repositories: a, may: write}",
         "settings:2:36: .rights[0].may: want pull, push or delete"},
        {"quota:\n- {repositories: a, bytes: 3 pounds}",
         "settings:2:28: .quota[0].bytes: want a size like 20GiB or 500MB"},
        {"keep:\n- repositories: a",
         "settings:2:3: .keep[0]: want one of tags, newest, pushedWithin, pulledWithin, untagged"},
        {"keep:\n- {repositories: a, newest: -1}", "settings:2:29: .keep[0].newest: want 0 or more"},
        {"keep:\n- {repositories: a, pushedWithin: soon}",
         "settings:2:35: .keep[0].pushedWithin: want a time like 30d, 12h or 90s"},
        {"mirrors:\n- {host: 'a b'}", "settings:2:10: .mirrors[0].host: want a host like docker.io or quay.io:443"},
        {"mirrors:\n- {host: quay.io, url: 'ftp://x'}", "settings:2:24: .mirrors[0].url: want https://HOST[:PORT]"},
        {"anonymousPulls: perhaps", "settings:1:17: .anonymousPulls: want true or false, got a string"},
    })));

}  // namespace
}  // namespace slipway::oci
