// What Flux's objects are written with: patterns to ignore, refs, variables, ids of an inventory.
#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "doc/yaml.h"
#include "gitops/flux/ignoring.h"
#include "gitops/flux/kustomization.h"
#include "gitops/flux/sources.h"
#include "gitops/flux/substitute.h"

namespace slipway::gitops {
namespace {

struct IgnoreCase {
  const char *pattern, *path;
  bool folder, matches;
};
class Ignores : public testing::TestWithParam<IgnoreCase> {};
TEST_P(Ignores, AsGitDoes) {
  auto pattern = flux::IgnorePattern::parse(GetParam().pattern);
  EXPECT_EQ(pattern && pattern->matches(GetParam().path, GetParam().folder), GetParam().matches)
      << GetParam().pattern << " " << GetParam().path;
}
INSTANTIATE_TEST_SUITE_P(Table, Ignores,
                         testing::ValuesIn(std::to_array<IgnoreCase>({
                             {"*.md", "a/b/readme.md", false, true},
                             {"*.md", "a.md/x", false, true},
                             {"/a", "a/x", false, true},
                             {"/a", "b/a", false, false},
                             {"a/", "b/a", false, false},
                             {"a/", "b/a", true, true},
                             {"a/", "a/x", false, true},
                             {"a/*.yaml", "a/x.yaml", false, true},
                             {"a/*.yaml", "b/a/x.yaml", false, false},
                             {"**/x.yaml", "a/b/x.yaml", false, true},
                             {"/*", "deploy/a.yaml", false, true},
                             {"!/deploy", "deploy/a.yaml", false, true},
                             {"# a", "# a", false, false},
                             {"", "", false, false},
                         })));

struct RefCase {
  std::string name, ref, look_up, shown;
};
class FluxRef : public testing::TestWithParam<RefCase> {};
TEST_P(FluxRef, NamesACommit) {
  auto spec = must(doc::parse_yaml(fmt::format("ref: {}", GetParam().ref)));
  auto ref = flux::git_ref(doc::View(spec));
  EXPECT_EQ(ref ? ref->look_up : "error: " + ref.error().what(), GetParam().look_up);
  EXPECT_EQ(ref ? ref->shown : "", GetParam().shown);
}
INSTANTIATE_TEST_SUITE_P(Table, FluxRef,
                         testing::ValuesIn(std::to_array<RefCase>(
                             {{"Default", "{}", "refs/heads/master", "master"},
                              {"Branch", "{branch: main}", "refs/heads/main", "main"},
                              {"TagWins", "{branch: main, tag: v1}", "refs/tags/v1", "v1"},
                              {"Name", "{name: refs/pull/1/head, tag: v1}", "refs/pull/1/head", "refs/pull/1/head"},
                              {"Commit", "{commit: abc, branch: main}", "abc", "main"},
                              {"Semver", "{semver: '>=1', branch: main}", ">=1", ""},
                              {"NoRange", "{semver: 'one'}", "error: .ref.semver: improper constraint: one", ""}})),
                         [](const auto& i) { return i.param.name; });

struct Expansion {
  std::string name, text, want;
};
class Substitution : public testing::TestWithParam<Expansion> {};
TEST_P(Substitution, IsAsFluxHasIt) {
  flux::Variables variables{{"a", "one/two.three"}, {"e", ""}, {"w", "word"}};
  auto got = flux::expand(GetParam().text, variables);
  EXPECT_EQ(got ? *got : "error: " + got.error().what(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Table, Substitution,
                         testing::ValuesIn(std::to_array<Expansion>(
                             {{"Plain", "x ${w} y", "x word y"},
                              {"WithoutBraces", "$w $(w) $", "$w $(w) $"},
                              {"Escaped", "$${w}", "${w}"},
                              {"Missing", "[${none}]", "[]"},
                              {"Default", "${none:=d}${none:-d}${none-d}${none=d}", "dddd"},
                              {"DefaultOfEmpty", "[${e:-d}][${e-d}]", "[d][]"},
                              {"DefaultUnused", "${w:=d}", "word"},
                              {"NestedDefault", "${none:=${w}-${none:=x}}", "word-x"},
                              {"Instead", "${w:+s}${none:+s}", "s"},
                              {"Length", "${#w}", "4"},
                              {"Case", "${w^}${w^^}${w,}${w,,}", "WordWORDwordword"},
                              {"Part", "${w:1}-${w:1:2}-${w:0:-1}", "ord-or-wor"},
                              {"Prefix", "${a#*/}-${a##*o}", "two.three-.three"},
                              {"Suffix", "${a%.*}-${a%%/*}", "one/two-one"},
                              {"Replace", "${w/o/0}-${a//o/0}-${w/#w/W}-${w/%d/D}", "w0rd-0ne/tw0.three-Word-worD"},
                              {"Unclosed", "${w", "error: line 1: a ${ has an operation that is not known"},
                              {"NoName", "${}",
                               "error: line 1: a ${ is not followed by a name; write $${ for the text itself"}})),
                         [](const auto& i) { return i.param.name; });

TEST(FluxInventory, IdsReadAsTheyAreWritten) {
  for (const auto& [type, key] : std::vector<std::pair<kube::Type, kube::Key>>{
           {{"v1", "ConfigMap"}, {"shop", "a"}},
           {{"apps/v1", "Deployment"}, {"shop", "a.b-c"}},
           {{"rbac.authorization.k8s.io/v1", "ClusterRole"}, {"", "system:node"}}}) {
    auto entry = flux::inventory_entry(type, key);
    auto id = flux::inventory_id(doc::View(entry));
    ASSERT_TRUE(id);
    EXPECT_EQ(id->type, type);
    EXPECT_EQ(id->key, key);
  }
  EXPECT_EQ(flux::inventory_entry({"rbac.authorization.k8s.io/v1", "ClusterRole"}, {"", "system:node"}).str_at({"id"}),
            "_system__node_rbac.authorization.k8s.io_ClusterRole");
  for (const auto* bad : {"", "a", "a_b", "_", "__"}) {
    doc::Value entry = doc::Map{{"id", bad}, {"v", "v1"}};
    (void)flux::inventory_id(doc::View(entry));
  }
}

// Applications wait for others, by an annotation.
}  // namespace
}  // namespace slipway::gitops
