#include "ci/plan.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/yaml.h"

namespace slipway::ci {
namespace {

struct PatternCase {
  const char* pattern;
  const char* text;
  bool want;
};
class Pattern : public testing::TestWithParam<PatternCase> {};
TEST_P(Pattern, Matches) {
  auto& [pattern, text, want] = GetParam();
  EXPECT_EQ(matches_pattern(pattern, text), want) << pattern << " on " << text;
}
INSTANTIATE_TEST_SUITE_P(
    CheatSheet, Pattern,
    testing::ValuesIn(std::to_array<PatternCase>({{"main", "main", true},
                                                  {"main", "main2", false},
                                                  {"feature/*", "feature/a", true},
                                                  {"feature/*", "feature/a/b", false},
                                                  {"feature/**", "feature/a/b", true},
                                                  {"releases/**-alpha", "releases/10-alpha", true},
                                                  {"*", "main", true},
                                                  {"*", "a/b", false},
                                                  {"**", "all/the/branches", true},
                                                  {"*feature", "mona-feature", true},
                                                  {"*feature", "ver-10-feature", true},
                                                  {"v2*", "v2.0", true},
                                                  {"v[12].[0-9]+.[0-9]+", "v1.10.1", true},
                                                  {"v[12].[0-9]+.[0-9]+", "v2.0.0", true},
                                                  {"v[12].[0-9]+.[0-9]+", "v3.0.0", false},
                                                  {"*.jsx?", "page.js", true},
                                                  {"*.jsx?", "page.jsx", true},
                                                  {"**.js", "src/js/app.js", true},
                                                  {"docs/*", "docs/README.md", true},
                                                  {"docs/*", "docs/mona/x", false},
                                                  {"docs/**/*.md", "docs/README.md", true},
                                                  {"docs/**/*.md", "docs/a/markdown/file.md", true},
                                                  {"**/docs/**", "docs/hello.md", true},
                                                  {"**/docs/**", "dir/docs/my-file.txt", true},
                                                  {"**/README.md", "README.md", true},
                                                  {"**/README.md", "js/README.md", true},
                                                  {"**/README.md", "xREADME.md", false},
                                                  {"**/*src/**", "a/src/app.js", true},
                                                  {"**/*src/**", "my-src/code/js/app.js", true},
                                                  {"**/*-post.md", "my-post.md", true},
                                                  {"**/migrate-*.sql", "db/sept/migrate-10.sql", true},
                                                  {"a+", "aaa", true},
                                                  {"a+", "", false},
                                                  {"\\*", "*", true},
                                                  {"\\*", "a", false}})));

TEST(Patterns, TheLastMatchDecides) {
  EXPECT_TRUE(matches_patterns({"*.md", "!README.md"}, "hello.md"));
  EXPECT_FALSE(matches_patterns({"*.md", "!README.md"}, "README.md"));
  EXPECT_TRUE(matches_patterns({"*.md", "!README.md", "README*"}, "README.md"));
  EXPECT_FALSE(matches_pattern(std::string(200, '*') + "a", std::string(20000, 'b')));  // no exponential search
}

struct TriggerCase {
  const char *on, *event, *ref, *paths;
  bool want;
};
class Triggers : public testing::TestWithParam<TriggerCase> {};
TEST_P(Triggers, Decide) {
  auto& [on, name, ref, paths, want] = GetParam();
  auto workflow =
      must(parse_workflow(fmt::format("on: {}\njobs: {{a: {{runs-on: x, steps: [{{run: x}}]}}}}\n", on), "w.yml"));
  Event event;
  event.name = name, event.ref = ref;
  if (event.name == "pull_request") event.base_ref = ref, event.action = "synchronize";
  for (auto p : split(paths, ' '))
    if (!p.empty()) event.paths.emplace_back(p);
  EXPECT_EQ(triggers(workflow, event), want) << on << " " << name << " " << ref;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Triggers,
    testing::ValuesIn(std::to_array<TriggerCase>(
        {{"push", "push", "refs/heads/main", "", true},
         {"push", "pull_request", "main", "", false},
         {"[push, pull_request]", "pull_request", "main", "", true},
         {"{push: {branches: [main]}}", "push", "refs/heads/main", "", true},
         {"{push: {branches: [main]}}", "push", "refs/heads/dev", "", false},
         {"{push: {branches: [main]}}", "push", "refs/tags/v1", "", false},
         {"{push: {tags: ['v*']}}", "push", "refs/tags/v1", "", true},
         {"{push: {tags: ['v*']}}", "push", "refs/heads/main", "", false},
         {"{push: {branches-ignore: [dev]}}", "push", "refs/heads/dev", "", false},
         {"{push: {branches-ignore: [dev]}}", "push", "refs/heads/x", "", true},
         {"{push: {paths: ['src/**']}}", "push", "refs/heads/x", "src/a docs/b", true},
         {"{push: {paths: ['src/**']}}", "push", "refs/heads/x", "docs/b", false},
         {"{push: {paths-ignore: ['docs/**']}}", "push", "refs/heads/x", "docs/b", false},
         {"{push: {paths-ignore: ['docs/**']}}", "push", "refs/heads/x", "docs/b src/a", true},
         {"{push: {branches: [main], paths: ['src/**']}}", "push", "refs/heads/main", "docs/a", false},
         {"{push: {branches: [main], tags: ['v*'], paths: ['src/**']}}", "push", "refs/tags/v1", "docs/a", true},
         {"{pull_request: {branches: [main]}}", "pull_request", "dev", "", false},
         {"{pull_request: {types: [closed]}}", "pull_request", "main", "", false}})));

TEST(Skip, MarkersInTheMessage) {
  EXPECT_TRUE(asks_to_skip("docs [skip ci]") && asks_to_skip("x\n\nskip-checks: true"));
  EXPECT_FALSE(asks_to_skip("skip ci"));
}

std::string rows(std::string_view yaml) {
  auto legs = expand_matrix(Data::from(must(doc::parse_yaml(yaml))));
  if (!legs) return "error: " + legs.error().what();
  std::string out;
  for (auto& leg : *legs) {
    out += leg.suffix + " {";
    std::string inner;
    for (auto& [key, value] : leg.matrix.if_object()->entries)
      inner += (inner.empty() ? "" : ",") + key + ":" + value.text();
    out += inner + "}\n";
  }
  return out;
}

TEST(Matrix, PublishedExampleOfInclude) {
  EXPECT_EQ(rows("{fruit: [apple, pear], animal: [cat, dog], include: [{color: green}, {color: pink, animal: cat}, "
                 "{fruit: apple, shape: circle}, "
                 "{fruit: banana}, {fruit: banana, animal: cat}]}"),
            "apple, cat {fruit:apple,animal:cat,color:pink,shape:circle}\n"
            "apple, dog {fruit:apple,animal:dog,color:green,shape:circle}\n"
            "pear, cat {fruit:pear,animal:cat,color:pink}\n"
            "pear, dog {fruit:pear,animal:dog,color:green}\n"
            "banana {fruit:banana}\n"
            "banana, cat {fruit:banana,animal:cat}\n");
}

TEST(Matrix, ErrorsAndLimits) {
  EXPECT_EQ(rows("{a: [1], exclude: [{b: 1}]}"), "error: matrix.exclude: key 'b' is not a key of the matrix");
  EXPECT_EQ(rows("{a: [1], exclude: [{a: '1'}]}"), "error: the matrix has no rows: everything is excluded");
  EXPECT_EQ(rows("{a: [1], exclude: [{a: 1}], include: [{a: 1}]}"), "1 {a:1}\n");
  EXPECT_TRUE(rows("{a: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17], b: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}")
                  .contains("at most 256"));
}

TEST(Plan, PrintsTheGraph) {
  auto workflow = must(parse_workflow(R"W(
name: CI
on: push
jobs:
  deploy: {needs: [test], if: "github.ref == 'refs/heads/main'", runs-on: x, steps: [{name: Ship it, run: ./ship}]}
  test: {runs-on: x, strategy: {matrix: {n: [1, 2]}}, steps: [{uses: actions/checkout@v4}, {run: "make test\nmore"}]}
)W",
                                      "ci.yml"));
  auto plan = must(make_plan(workflow, Event{}));
  EXPECT_EQ(plan.print(),
            "CI on push refs/heads/main\n"
            "  test  matrix: 2 rows\n"
            "    - 1\n"
            "    - 2\n"
            "      actions/checkout@v4\n"
            "      make test\n"
            "  deploy  needs: test  if: success() && (github.ref == 'refs/heads/main')\n"
            "      Ship it\n");
}

TEST(Plan, CallsOfWhatIsNotHereAreRefusedWithPlace) {
  auto workflow =
      must(parse_workflow("on: push\njobs:\n  a:\n    uses: org/repo/.github/workflows/x.yml@v1\n", "ci.yml"));
  auto plan = make_plan(workflow, Event{});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().what(),
            "ci.yml:4:11: job 'a': \"org/repo/.github/workflows/x.yml@v1\" is a workflow of another repository, which "
            "is not mirrored here");
}

TEST(Plan, Concurrency) {
  auto workflow =
      must(parse_workflow("on: push\nconcurrency: {group: 'ci-${{ github.ref_name }}', cancel-in-progress: "
                          "true}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
                          "w.yml"));
  auto c = must(concurrency_of(must(make_plan(workflow, Event{}))));
  ASSERT_TRUE(c);
  EXPECT_EQ(c->group, "ci-main");
  EXPECT_TRUE(c->cancel_in_progress && !c->keep_all);
}

TEST(Inputs, AreTypedAndChecked) {
  auto workflow =
      must(parse_workflow("on: {workflow_dispatch: {inputs: {n: {type: number, default: '3'}, f: {type: boolean}, "
                          "level: {type: choice, options: [a, b], required: true}}}}\n"
                          "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
                          "w.yml"));
  EXPECT_EQ(must(typed_inputs(workflow, "workflow_dispatch", {{"level", "b"}, {"f", "true"}})),
            (doc::Value(doc::Map{{"n", 3}, {"f", true}, {"level", "b"}})));
  EXPECT_EQ(typed_inputs(workflow, "workflow_dispatch", {{"level", "z"}}).error().what(),
            "w.yml:1:88: input 'level': got \"z\", want one of a, b");
  EXPECT_EQ(typed_inputs(workflow, "workflow_dispatch", {{"levle", "z"}}).error().what(),
            "w.yml: 'on: workflow_dispatch' declares no input 'levle', did you mean 'level'?");
}

}  // namespace
}  // namespace slipway::ci
