#include "kube/selector.h"

#include "base/testing/golden.h"
#include "doc/yaml.h"

namespace slipway::kube {
namespace {

struct Match {
  std::string name, selector;
  StringMap labels;
  bool matches;
};
class LabelMatch : public testing::TestWithParam<Match> {};
TEST_P(LabelMatch, Holds) {
  auto s = must(LabelSelector::parse(GetParam().selector));
  EXPECT_EQ(s.matches(GetParam().labels), GetParam().matches) << s.print();
  // What is printed reads back as the same.
  EXPECT_EQ(must(LabelSelector::parse(s.print())).print(), s.print());
}
INSTANTIATE_TEST_SUITE_P(
    Table, LabelMatch,
    testing::Values(Match{"Empty", "", {{"a", "b"}}, true}, Match{"Equal", "x=y", {{"x", "y"}}, true},
                    Match{"EqualTwo", "x==y,z=w", {{"x", "y"}, {"z", "w"}}, true},
                    Match{"NotEqualAbsent", "x!=y", {}, true}, Match{"NotEqual", "x!=y", {{"x", "y"}}, false},
                    Match{"In", "x in (a, b)", {{"x", "b"}}, true}, Match{"InNot", "x in (a,b)", {{"x", "c"}}, false},
                    Match{"NotIn", "x notin (a,b)", {{"x", "c"}}, true},
                    Match{"NotInAbsent", "x notin (a,b)", {}, true}, Match{"InEmpty", "x in (a,)", {{"x", ""}}, true},
                    Match{"Exists", "x", {{"x", ""}}, true}, Match{"Absent", "!x", {{"y", ""}}, true},
                    Match{"AbsentNot", "! x", {{"x", ""}}, false}, Match{"EmptyValue", "x=", {{"x", ""}}, true},
                    Match{"Greater", "x>1", {{"x", "2"}}, true}, Match{"Less", "x<1", {{"x", "2"}}, false},
                    Match{"Prefix", "app.kubernetes.io/name=web,!canary", {{"app.kubernetes.io/name", "web"}}, true},
                    Match{"KeyNamedIn", "in in (in)", {{"in", "in"}}, true}),
    [](const auto& i) { return i.param.name; });

TEST(LabelSelector, RefusesWithTheOffset) {
  for (const char* text :
       {"x=a||y=b", "x in a", "x in (a", "x,,y", "x=y,", "!", "x>a", "=y", "x in (a b)", "x!y", "-x=a", "x=-"}) {
    auto r = LabelSelector::parse(text);
    ASSERT_FALSE(r) << text;
    EXPECT_NE(r.error().what().find("offset"), std::string::npos) << r.error().what();
  }
}

TEST(LabelSelector, FromObject) {
  auto yaml = [](const char* text) { return must(doc::parse_yaml(text)); };
  auto v = yaml("{matchLabels: {app: web}, matchExpressions: [{key: tier, operator: NotIn, values: [db]}]}");
  auto s = must(LabelSelector::from(doc::View(v)));
  EXPECT_TRUE(s.matches({{"app", "web"}}));
  EXPECT_FALSE(s.matches({{"app", "web"}, {"tier", "db"}}));
  EXPECT_EQ(s.print(), "app=web,tier!=db");
  auto empty = yaml("{}"), null = yaml("~");
  EXPECT_TRUE(must(LabelSelector::from(doc::View(empty))).matches({}));
  EXPECT_FALSE(must(LabelSelector::from(doc::View(null))).matches({}));
  auto bad = yaml("{matchExpressions: [{key: a, operator: In}]}");
  EXPECT_FALSE(LabelSelector::from(doc::View(bad)));
}

TEST(FieldSelector, MatchesPathsAndUnescapes) {
  Object pod(
      must(doc::parse_yaml("{metadata: {name: a}, spec: {nodeName: n1, hostNetwork: true}, status: {phase: 'x,y'}}")));
  EXPECT_TRUE(must(FieldSelector::parse("spec.nodeName=n1,metadata.name!=b,spec.hostNetwork=true")).matches(pod));
  EXPECT_TRUE(must(FieldSelector::parse("status.phase=x\\,y")).matches(pod));
  EXPECT_TRUE(must(FieldSelector::parse("spec.absent=")).matches(pod));
  EXPECT_FALSE(must(FieldSelector::parse("spec.nodeName==n2")).matches(pod));
  EXPECT_FALSE(FieldSelector::parse("nonsense"));
  EXPECT_FALSE(FieldSelector::parse("a=b\\c"));
}

}  // namespace
}  // namespace slipway::kube
