#include "ci/gitlab.h"

#include "ci/gitlab/expression.h"
#include "ci/gitlab/read.h"
#include "ci/gitlab/variables.h"
#include "ci/testing.h"

namespace slipway::ci {
namespace {

struct Case {
  const char* name;
  std::string in, want;
};
auto name_of = [](const auto& info) { return std::string(info.param.name); };

// ---- rules:if

class GitlabExpression : public testing::TestWithParam<Case> {};
TEST_P(GitlabExpression, Table) {
  std::map<std::string, std::string, std::less<>> variables = {
      {"A", "x"}, {"B", "x"}, {"EMPTY", ""}, {"BRANCH", "release-1.2"}, {"PATTERN", "/^rel/"}, {"PATH", "a/b"}};
  auto parsed = gitlab::RuleExpression::parse(GetParam().in);
  if (!parsed) {
    EXPECT_EQ("error: " + parsed.error().what(), GetParam().want);
    return;
  }
  bool holds = parsed->holds([&](std::string_view name) -> std::optional<std::string> {
    auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
  EXPECT_EQ(holds ? "true" : "false", GetParam().want) << GetParam().in;
}
INSTANTIATE_TEST_SUITE_P(
    Table, GitlabExpression,
    testing::ValuesIn(std::to_array<Case>({
        {"Set", "$A", "true"},
        {"EmptyIsFalse", "$EMPTY", "false"},
        {"UnsetIsFalse", "$NONE", "false"},
        {"Equal", "$A == 'x'", "true"},
        {"Variables", "$A == $B", "true"},
        {"Differs", "$A != \"x\"", "false"},
        {"NullOfUnset", "$NONE == null", "true"},
        {"NullOfEmpty", "$EMPTY == null", "false"},
        {"EmptyText", "$EMPTY == \"\"", "true"},
        {"UnsetIsNotEmptyText", "$NONE == \"\"", "false"},
        {"BothUnset", "$NONE == $OTHER", "true"},
        {"Matches", "$BRANCH =~ /^release-/", "true"},
        {"MatchesIgnoringCase", "$BRANCH =~ /^RELEASE/i", "true"},
        {"CaseCounts", "$BRANCH =~ /^RELEASE/", "false"},
        {"EscapedSlash", "$PATH =~ /^a\\/b$/", "true"},
        {"DoesNotMatch", "$BRANCH !~ /^v/", "true"},
        {"UnsetNeverMatches", "$NONE =~ /.*/", "false"},
        {"UnsetNotMatching", "$NONE !~ /x/", "true"},
        {"PatternOfVariable", "$BRANCH =~ $PATTERN", "true"},
        {"NoPatternInVariable", "$BRANCH =~ $A", "false"},
        {"AndBeforeOr", "$A || $NONE && $NONE", "true"},
        {"Parentheses", "($A || $NONE) && $NONE", "false"},
        {"Deep", "(($A == 'x') && ($B == 'x')) || $NONE", "true"},
        {"Lines", "$A == 'x' &&\n  $B == 'x'", "true"},
        {"EndsEarly", "$A ==", "error: the expression ends where a value is wanted, at character 6"},
        {"SingleEquals", "$A = 'x'", "error: got \"= 'x'\", want && or ||, at character 4"},
        {"OpenQuote", "$A == 'x", "error: a quote is not closed, at character 7"},
        {"OpenParenthesis", "($A", "error: a parenthesis is not closed, at character 4"},
        {"BareWord", "main == $A",
         "error: got \"main == $A\", want $VARIABLE, \"text\", /pattern/, null or a parenthesis, at character 1"},
        {"TextAsPattern", "$A =~ 'x'",
         "error: =~ and !~ want a pattern between slashes or a variable that holds one, at character 7"},
        {"BadPattern", "$A =~ /(/", "error: pattern /(/ is no regular expression (RE2): missing ): (, at character 7"},
    })),
    name_of);

// ---- variables

class GitlabExpansion : public testing::TestWithParam<Case> {};
TEST_P(GitlabExpansion, Table) {
  gitlab::Scoped variables;
  variables.set("CI_COMMIT_SHA", gitlab::Text::of("abc"));
  variables.set("DIR", gitlab::Text::computed("github.workspace"));
  variables.set({{"A", "1", true, {}},
                 {"B", "$A-${A}", true, {}},
                 {"C", "<$B>", true, {}},
                 {"RAW", "$A", false, {}},
                 {"LOOP", "x$POOL", true, {}},
                 {"POOL", "y$LOOP", true, {}},
                 {"CACHE", "$DIR/.cache", true, {}}});
  variables.set({{"A", "$A.2", true, {}}});
  variables.set_sources({"secrets", "vars"});
  auto made = must(gitlab::to_template(variables.expand(GetParam().in), {}));
  EXPECT_EQ(made.literal_text(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Table, GitlabExpansion,
                         testing::ValuesIn(std::to_array<Case>({
                             {"Plain", "text", "text"},
                             {"Simple", "$CI_COMMIT_SHA", "abc"},
                             {"Braces", "${CI_COMMIT_SHA}x", "abcx"},
                             {"LongestName", "$CI_COMMIT_SHAx",
                              "${{ (secrets.CI_COMMIT_SHAx || vars.CI_COMMIT_SHAx || '') }}"},
                             {"OverTheLevelBelow", "$A", "1.2"},
                             {"Nested", "$C", "<1.2-1.2>"},
                             {"Dollar", "5$$ $", "5$ $"},
                             {"NotExpanded", "$RAW", "$A"},
                             {"Circle", "$LOOP", "xy$LOOP"},
                             {"OpenBrace", "${A", "${A"},
                             {"KnownWhenItRuns", "$DIR", "${{ github.workspace }}"},
                             {"Mixed", "$CACHE/{x}", "${{ format('{0}/.cache/{{x}}', github.workspace) }}"},
                             {"Quote", "it's $DIR", "${{ format('it''s {0}', github.workspace) }}"},
                         })),
                         name_of);

TEST(Gitlab, SlugsAndDurations) {
  EXPECT_EQ(gitlab::slug("Feature/ABC_1--"), "feature-abc-1");
  EXPECT_EQ(gitlab::slug(std::string(70, 'a')).size(), 63u);
  EXPECT_EQ(gitlab::slug("---"), "");
  auto seconds = [](const char* text) { return gitlab::seconds_of(text).value_or(-1); };
  EXPECT_EQ(seconds("3 hours 30 minutes"), 12600);
  EXPECT_EQ(seconds("1h30m"), 5400);
  EXPECT_EQ(seconds("90 min"), 5400);
  EXPECT_EQ(seconds("1 week, 2 days and 3 sec"), 777603);
  EXPECT_EQ(seconds("60"), 60);
  EXPECT_EQ(seconds("soon"), -1);
  EXPECT_EQ(seconds(""), -1);
}

// ---- which jobs an event starts

Event event_of(const std::string& kind) {
  Event e;
  e.sha = "0123456789abcdef0123456789abcdef01234567";
  e.repository = "acme/shop", e.owner = "acme";
  e.paths = {"docs/guide.md", "services/web/main.go", "app/a.rb"};
  if (kind == "feature") e.ref = "refs/heads/feature/Login";
  if (kind == "release") e.ref = "refs/heads/release-7";
  if (kind == "tag") e.ref = "refs/tags/v1.2.3", e.paths.clear();
  if (kind == "schedule") e.name = "schedule", e.paths.clear();
  if (kind == "web") e.name = "workflow_dispatch", e.paths.clear();
  if (kind == "merge") {
    e.name = "pull_request", e.number = 7, e.ref = "refs/pull/7/head", e.head_ref = "feature/Login",
    e.base_ref = "main";
    e.subject = "Log in";
  }
  return e;
}

// "push: a b | tag: a"
std::string chosen(const std::string& text,
                   std::initializer_list<const char*> events = {"push", "feature", "tag", "merge", "schedule"}) {
  std::string out;
  SourceTree tree;
  tree.read = [](const std::string& path) -> Result<std::optional<std::string>> {
    return path == "Dockerfile" ? std::optional<std::string>("FROM x") : std::nullopt;
  };
  tree.files = []() -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"Dockerfile", "charts/a/b.yaml"};
  };
  for (auto* kind : events) {
    auto plan = gitlab_plan(text, gitlab_file, event_of(kind), tree);
    if (!plan) return plan.error().what();
    out += fmt::format("{}{}:", out.empty() ? "" : " | ", kind);
    if (!*plan) continue;
    for (auto& job : (*plan)->jobs) {
      out += " " + job.id;
      if (job.when != "on_success") out += "/" + job.when;
      if (job.definition->continue_on_error) out += "?";
    }
  }
  return out;
}

class GitlabRules : public testing::TestWithParam<Case> {};
TEST_P(GitlabRules, Table) { EXPECT_EQ(chosen(GetParam().in), GetParam().want) << GetParam().in; }
INSTANTIATE_TEST_SUITE_P(
    Table, GitlabRules,
    testing::ValuesIn(std::to_array<Case>({
        {"NothingSaid", "j: {script: x}", "push: j | feature: j | tag: j | merge: | schedule: j"},
        {"WorkflowRulesOpenMergeRequests", "workflow: {rules: [{when: always}]}\nj: {script: x}",
         "push: j | feature: j | tag: j | merge: j | schedule: j"},
        {"WorkflowNever", "workflow: {rules: [{if: $CI_COMMIT_TAG, when: never}, {when: always}]}\nj: {script: x}",
         "push: j | feature: j | tag: | merge: j | schedule: j"},
        {"WorkflowNoMatch", "workflow: {rules: [{if: $CI_COMMIT_TAG}]}\nj: {script: x}",
         "push: | feature: | tag: j | merge: | schedule:"},
        {"FirstRuleWins",
         "j: {script: x, rules: [{if: $CI_COMMIT_BRANCH == 'main', when: manual}, {if: $CI_COMMIT_BRANCH}]}",
         "push: j/manual | feature: j | tag: | merge: | schedule: j/manual"},
        {"ManualOfRulesBlocks", "j: {script: x, rules: [{when: manual}]}",
         "push: j/manual | feature: j/manual | tag: j/manual | merge: j/manual | schedule: j/manual"},
        {"ManualWithoutRulesMayBeLeft", "j: {script: x, when: manual}",
         "push: j/manual? | feature: j/manual? | tag: j/manual? | merge: | schedule: j/manual?"},
        {"AllowFailureOfRule",
         "j: {script: x, allow_failure: true, rules: [{if: $CI_COMMIT_TAG, allow_failure: false}, {when: always}]}",
         "push: j/always? | feature: j/always? | tag: j | merge: j/always? | schedule: j/always?"},
        {"Changes", "j: {script: x, rules: [{changes: [docs/**/*]}]}\nk: {script: x, rules: [{changes: ['*.md']}]}",
         "push: j | feature: j | tag: j k | merge: j | schedule: j k"},
        {"ChangesAndIf", "j: {script: x, rules: [{if: $CI_MERGE_REQUEST_IID, changes: {paths: ['**/*.{go,c}']}}]}",
         "push: | feature: | tag: | merge: j | schedule:"},
        {"Exists",
         "j: {script: x, rules: [{exists: [Dockerfile]}]}\nk: {script: x, rules: [{exists: ['charts/**/*.yaml']}]}\nl: "
         "{script: x, rules: [{exists: [nothing, 'no/*']}]}",
         "push: j k | feature: j k | tag: j k | merge: j k | schedule: j k"},
        {"VariablesOfTheJob",
         "j: {script: x, variables: {X: a}, rules: [{if: '$X == \"a\" && $CI_JOB_NAME == \"j\"'}]}",
         "push: j | feature: j | tag: j | merge: j | schedule: j"},
        {"OnlyBranchName", "j: {script: x, only: [main]}", "push: j | feature: | tag: | merge: | schedule: j"},
        {"OnlyPattern", "j: {script: x, only: [/^FEATURE/i, tags]}",
         "push: | feature: j | tag: j | merge: | schedule:"},
        {"OnlyMergeRequests", "j: {script: x, only: [merge_requests]}",
         "push: | feature: | tag: | merge: j | schedule:"},
        {"OnlyKinds", "j: {script: x, only: [schedules]}\nk: {script: x, only: [pushes]}",
         "push: k | feature: k | tag: k | merge: | schedule: j"},
        {"OnlyOfProject", "j: {script: x, only: [branches@acme/shop]}\nk: {script: x, only: [branches@other/one]}",
         "push: j | feature: j | tag: | merge: | schedule: j"},
        {"OnlyAllKinds", "j: {script: x, only: {refs: [main], variables: [$CI_COMMIT_BRANCH], changes: ['*.c']}}",
         "push: | feature: | tag: | merge: | schedule: j"},
        {"OnlyChangesMeansBranchesAndTags", "j: {script: x, only: {changes: ['docs/*']}}",
         "push: j | feature: j | tag: j | merge: | schedule: j"},
        {"Except", "j: {script: x, except: [main, tags]}", "push: | feature: j | tag: | merge: | schedule:"},
        {"ExceptAnyKind", "j: {script: x, except: {refs: [tags], variables: [$CI_COMMIT_BRANCH == 'main']}}",
         "push: | feature: j | tag: | merge: | schedule:"},
        {"Never", "j: {script: x, when: never}\nk: {script: x}",
         "push: k | feature: k | tag: k | merge: | schedule: k"},
        {"PreAndPostAlone", "j: {stage: .pre, script: x}\nk: {stage: .post, script: x}",
         "push: | feature: | tag: | merge: | schedule:"},
    })),
    name_of);

TEST(Gitlab, GivenVariablesWin) {
  auto event = event_of("web");
  event.inputs["TARGET"] = "prod";
  auto plan =
      must(gitlab_plan("variables: {TARGET: test}\nj: {script: x, rules: [{if: '$TARGET == \"prod\"'}]}", "f", event));
  ASSERT_TRUE(plan);
  auto env = must(plan->jobs[0].definition->env->evaluate(Scope{[](std::string_view) { return Data(); }, {}}, "f"));
  EXPECT_EQ(env.member("TARGET").text(), "prod");
}

// ---- the graph

// Each job with what it waits for.
std::string graph(const std::string& text, const std::string& kind = "push") {
  auto plan = gitlab_plan(text, gitlab_file, event_of(kind));
  if (!plan) return plan.error().what();
  if (!*plan) return "no pipeline";
  std::string out;
  for (auto& job : (*plan)->jobs)
    out += fmt::format("{}{}({})", out.empty() ? "" : " ", job.id, join(std::span<const std::string>(job.needs), ","));
  return out;
}

class GitlabGraph : public testing::TestWithParam<Case> {};
TEST_P(GitlabGraph, Table) { EXPECT_EQ(graph(GetParam().in), GetParam().want) << GetParam().in; }
INSTANTIATE_TEST_SUITE_P(
    Table, GitlabGraph,
    testing::ValuesIn(std::to_array<Case>({
        {"DefaultStages",
         "c: {stage: deploy, script: x}\nb: {script: x}\na: {stage: build, script: x}\nz: {stage: .post, "
         "script: x}\ny: {stage: .pre, script: x}",
         "y() a(y) b(a) c(b) z(c)"},
        {"Barrier",
         "a: {stage: build, script: x}\nb: {stage: build, script: x}\nc: {script: x}\nd: {stage: deploy, script: x}",
         "a() b() c(a,b) d(c)"},
        {"NeedsJumpStages", "a: {stage: build, script: x}\nb: {script: x}\nc: {stage: deploy, script: x, needs: [a]}",
         "a() b(a) c(a)"},
        {"NoNeeds", "a: {stage: build, script: x}\nc: {stage: deploy, script: x, needs: []}", "a() c()"},
        {"BarrierSeesJobsWithNeeds",
         "stages: [s, t, u]\na: {stage: s, script: x}\nb: {stage: t, script: x}\nc: {stage: t, "
         "script: x, needs: []}\nd: {stage: u, script: x}",
         "a() b(a) c() d(b,c)"},
        {"WithinAStage", "b: {script: x, needs: [a]}\na: {script: x}", "a() b(a)"},
        {"Optional", "a: {script: x, needs: [{job: gone, optional: true}]}", "a()"},
        {"OptionalLeftOut",
         "b: {stage: build, script: x, only: [tags]}\na: {script: x, needs: [{job: b, optional: true}]}", "a()"},
        {"Parallel", "a: {stage: build, parallel: 2, script: x}\nb: {script: x, needs: [a]}",
         "a 1/2() a 2/2() b(a 1/2,a 2/2)"},
        {"Matrix",
         "a: {stage: build, parallel: {matrix: [{X: [1, 2], Y: [a]}, {X: 3, Z: b}]}, script: x}\nb: {script: x, needs: "
         "[{job: "
         "a, parallel: {matrix: [{X: 2, Y: a}, {Z: [b]}]}}]}",
         "a: [1, a]() a: [2, a]() a: [3, b]() b(a: [2, a],a: [3, b])"},
        {"NeedsOfRules",
         "a: {stage: build, script: x}\nb: {stage: build, script: x}\nc: {script: x, needs: [a], rules: [{if: "
         "$CI_COMMIT_BRANCH, needs: [b]}]}",
         "a() b() c(b)"},
        {"VariablesAreTakenDirectly",
         "stages: [s, t, u]\na: {stage: s, script: x, artifacts: {reports: {dotenv: d}}}\nb: {stage: t, script: x}\nc: "
         "{stage: u, script: x}",
         "a() b(a) c(a,b)"},
        {"Circle", "a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}",
         ".gitlab-ci.yml:1:1: jobs need each other in a circle, among: a, b"},
        {"LeftOut", "b: {stage: build, script: x, only: [tags]}\na: {script: x, needs: [b]}",
         ".gitlab-ci.yml:2:24: job 'a' needs 'b', which its rules leave out of this pipeline; say needs: [{job: b, "
         "optional: "
         "true}], or give both the same rules"},
    })),
    name_of);

// ---- extends, include, references

std::string script_of(const std::string& text, const std::map<std::string, std::string>& files = {}) {
  SourceTree tree;
  tree.read = [&](const std::string& path) -> Result<std::optional<std::string>> {
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  tree.files = [&]() -> Result<std::vector<std::string>> {
    std::vector<std::string> out;
    for (auto& [path, content] : files) out.push_back(path);
    return out;
  };
  auto plan = gitlab_plan(text, gitlab_file, event_of("push"), tree);
  if (!plan) return plan.error().what();
  std::string out;
  for (auto& job : (*plan)->jobs) {
    out += (out.empty() ? "" : " | ") + job.id + ":";
    for (auto& step : job.definition->steps)
      if (step.run) out += " " + replace_all(std::string(trim(step.run->text)), "\n", ";");
    auto env = must(job.definition->env->evaluate(Scope{[](std::string_view) { return Data(); }, {}}, "f"));
    for (auto& [name, value] : env.if_object()->entries)
      if (!name.starts_with("CI") && !name.starts_with("GITLAB")) out += " " + name + "=" + value.text();
  }
  return out;
}

TEST(Gitlab, ExtendsMergesDeeply) {
  EXPECT_EQ(
      script_of(
          ".a: {script: [a], variables: {X: '1', Y: '1'}}\n.b: {extends: .a, variables: {Y: '2'}}\n.c: {script: [c]}\n"
          "j: {extends: [.b, .c], variables: {Z: '3'}}\nk: {extends: .b, script: [k]}"),
      "j: c X=1 Y=2 Z=3 | k: k X=1 Y=2");
  EXPECT_TRUE(script_of("j: {extends: [.x]}\n.x: {extends: .y, script: a}\n.y: {extends: .x}")
                  .contains("jobs extend each other in a circle: j -> .x -> .y -> .x"));
  EXPECT_TRUE(script_of("j: {extends: .bsae, script: x}\n.base: {}")
                  .starts_with(".gitlab-ci.yml:1:14: extends: there is no job '.bsae'; did you mean '.base'?"));
}

TEST(Gitlab, ReferencesAndNestedLists) {
  EXPECT_EQ(script_of(".s: {script: [one, two], word: three, deep: [!reference [.s, script], four]}\n"
                      "j: {script: [!reference [.s, deep], !reference [.s, word], [[five]]]}"),
            "j: one;two;four;three;five");
  EXPECT_EQ(script_of(".s: {v: {A: '1'}}\nj: {script: x, variables: !reference [.s, v]}"), "j: x A=1");
  EXPECT_EQ(script_of("j: {script: [!reference [.gone, x]]}\n.gnoe: {}"),
            ".gitlab-ci.yml:1:14: !reference [.gone, x]: there is no '.gone'; did you mean '.gnoe'?");
  EXPECT_EQ(script_of(".s: {script: [!reference [.s, script]]}\nj: {script: x}"),
            ".gitlab-ci.yml:1:15: !reference [.s, script]: it refers to itself");
}

TEST(Gitlab, Includes) {
  std::map<std::string, std::string> files = {{"a.yml", "include: b.yml\nj: {script: a, variables: {X: a, Y: a}}\n"},
                                              {"b.yml", "j: {script: b, variables: {X: b, Z: b}}\n"},
                                              {"ci/x.yml", "x: {script: x}\n"},
                                              {"ci/y.yml", "y: {script: y}\n"},
                                              {"loop.yml", "include: loop2.yml\n"},
                                              {"loop2.yml", "include: /loop.yml\n"},
                                              {"bad.yml", "j: {script: x, stge: y}\n"}};
  EXPECT_EQ(script_of("include: a.yml\nj: {variables: {X: own}}", files), "j: a X=own Y=a Z=b");
  EXPECT_EQ(script_of("include: /ci/*.yml\n", files), "x: x | y: y");
  EXPECT_EQ(
      script_of("include: {local: '/ci/$CI_COMMIT_BRANCH.yml'}\n", files),
      ".gitlab-ci.yml:1:18: include: no file ci/main.yml in this tree; paths start at the root of the repository");
  EXPECT_EQ(script_of("include: loop.yml\n", files),
            "loop2.yml:1:10: include: files include each other in a circle: .gitlab-ci.yml -> loop.yml -> loop2.yml -> "
            "loop.yml");
  EXPECT_EQ(script_of("include: bad.yml\n", files),
            "bad.yml:1:16: job 'j': unknown keyword 'stge'; did you mean 'stage'?");
  EXPECT_EQ(script_of("include: [{local: ci/x.yml, rules: [{if: $CI_COMMIT_TAG}]}, ci/y.yml]\n", files), "y: y");
}

// ---- files of other repositories, and what they are told

// Files by "PROJECT@REF:PATH"; of URLs by themselves.
std::string with_places(const std::string& text, const std::map<std::string, std::string>& places) {
  SourceTree tree;
  tree.read = [](const std::string&) -> Result<std::optional<std::string>> { return std::optional<std::string>(); };
  tree.other = [&](const std::string& project, const std::string& ref,
                   const std::string& path) -> Result<std::optional<std::string>> {
    auto found = places.find(project.empty() ? path : fmt::format("{}@{}:{}", project, ref, path));
    return found == places.end() ? std::nullopt : std::optional(found->second);
  };
  auto plan = gitlab_plan(text, gitlab_file, event_of("push"), tree);
  if (!plan) return plan.error().what();
  std::string out;
  for (auto& job : (*plan)->jobs) {
    out += (out.empty() ? "" : " | ") + job.id + ":";
    for (auto& step : job.definition->steps)
      if (step.run) out += " " + replace_all(std::string(trim(step.run->text)), "\n", ";");
  }
  return out;
}

TEST(Gitlab, IncludesOfOtherRepositories) {
  std::map<std::string, std::string> places = {
      {"group/lib@v1:ci/a.yml", "include: {local: /ci/b.yml}\na: {script: a}\n"},
      {"group/lib@v1:ci/b.yml", "b: {script: b}\n"},
      {"gitlab-org/gitlab@:lib/gitlab/ci/templates/Jobs/Lint.gitlab-ci.yml", "lint: {script: lint}\n"},
      {"https://example.test/c.yml", "c: {script: c}\n"},
      {"group/sub/parts@~latest:templates/scan.yml",
       "spec:\n  inputs:\n    stage: {default: test}\n    level: {type: number, default: 3}\n    tools: {type: array}\n"
       "---\n'scan-$[[ inputs.stage ]]':\n  stage: $[[ inputs.stage ]]\n  script: $[[ inputs.tools ]]\n  parallel: $[[ "
       "inputs.level ]]\n"},
      {"group/parts@1.0:templates/deep/template.yml", "deep: {script: deep}\n"}};
  EXPECT_EQ(with_places("include: [{project: group/lib, ref: v1, file: [/ci/a.yml]}]\n", places), "b: b | a: a");
  EXPECT_EQ(with_places("include: {template: Jobs/Lint.gitlab-ci.yml}\n", places), "lint: lint");
  EXPECT_EQ(with_places("include: {remote: 'https://example.test/c.yml'}\n", places), "c: c");
  EXPECT_EQ(with_places("include: {component: host/group/parts/deep@1.0}\n", places), "deep: deep");
  EXPECT_EQ(
      with_places("include:\n  component: $CI_SERVER_HOST/group/sub/parts/scan@~latest\n  inputs: {tools: [x, y], "
                  "level: 2}\n",
                  places),
      "scan-test 1/2: x;y | scan-test 2/2: x;y");
  EXPECT_EQ(with_places("include: {project: group/lib, ref: v2, file: a.yml}\n", places),
            ".gitlab-ci.yml:1:46: include: group/lib has no file a.yml; paths start at the root of the repository");
  EXPECT_EQ(
      with_places("include: {template: DAST.gitlab-ci.yml}\n", places),
      ".gitlab-ci.yml:1:21: include: gitlab-org/gitlab has no file lib/gitlab/ci/templates/DAST.gitlab-ci.yml; paths "
      "start at the root of the repository");
  EXPECT_EQ(with_places("include: {remote: 'https://example.test/x.yml'}\n", places),
            ".gitlab-ci.yml:1:19: include: no place of this house has a copy of https://example.test/x.yml; nothing is "
            "fetched from other hosts: keep it as HOST/PATH in a folder of --actions");
  auto refused = [&](const std::string& inputs) {
    return with_places("include: {component: h/group/sub/parts/scan@~latest, inputs: " + inputs + "}\n", places);
  };
  EXPECT_TRUE(refused("{}").contains("1:22: inputs: 'tools' must be given")) << refused("{}");
  EXPECT_TRUE(refused("{tools: x}").contains("inputs: 'tools' must be a array")) << refused("{tools: x}");
  EXPECT_TRUE(refused("{tools: [x], lvel: 2}").contains("the file has no input 'lvel'; did you mean 'level'?"));
}

TEST(Gitlab, InputsAreFilledIn) {
  auto head =
      "spec: {inputs: {a: {default: 'x y'}, b: {default: abcdef, options: [abcdef, z]}, e: {default: prod, regex: "
      "^p}}}\n---\n";
  EXPECT_EQ(
      script_of(std::string(head) + "j: {script: ['$[[ inputs.a | posix_escape ]] $[[ inputs.b | truncate(1,3) ]]', "
                                    "'$[[inputs.e]]']}"),
      "j: x\\ y bcd;prod");
  EXPECT_EQ(script_of("spec: {inputs: {v: {default: $CI_COMMIT_BRANCH}}}\n---\nj: {script: '$[[ inputs.v | expand_vars "
                      "]]'}"),
            "j: main");
  EXPECT_TRUE(script_of("spec: {inputs: {e: {default: dev, regex: ^p}}}\n---\nj: {script: x}")
                  .contains("inputs: 'e' is \"dev\", which does not match ^p"));
}

// ---- child pipelines, releases, id tokens, sites, delays

TEST(Gitlab, ChildPipelines) {
  std::map<std::string, std::string> files = {
      {"child.yml",
       "c: {script: 'echo $WHO $CI_PIPELINE_SOURCE', rules: [{if: $CI_PIPELINE_SOURCE == "
       "'parent_pipeline'}]}\nd: {stage: deploy, script: d, artifacts: {paths: [x]}}\n"},
      {"again.yml", "a: {trigger: {include: again.yml}}\n"}};
  SourceTree tree;
  tree.read = [&](const std::string& path) -> Result<std::optional<std::string>> {
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  auto text =
      "t:\n  variables: {WHO: me}\n  trigger: {include: child.yml, strategy: depend}\n"
      "after: {stage: deploy, script: x}\n";
  auto plan = must(gitlab_plan(text, gitlab_file, event_of("push"), tree));
  ASSERT_TRUE(plan && plan->jobs[0].called);
  EXPECT_EQ(plan->jobs[0].called->jobs.size(), 2u);
  EXPECT_EQ(plan->jobs[0].called->event.name, "push");
  EXPECT_TRUE(plan->jobs[0].called->workflow->trigger("workflow_call"));
  EXPECT_EQ(plan->jobs[1].needs, std::vector<std::string>{"t"});
  EXPECT_FALSE(plan->jobs[0].definition->continue_on_error);
  EXPECT_TRUE(check_gitlab(text, gitlab_file, tree).empty());
  auto deep = gitlab_plan("a: {trigger: {include: again.yml}}\n", gitlab_file, event_of("push"), tree);
  ASSERT_FALSE(deep);
  EXPECT_TRUE(deep.error().what().contains("pipelines start others deeper than 2 levels")) << deep.error().what();
}

TEST(Gitlab, WhatStandsBesideTheScript) {
  auto plan =
      must(gitlab_plan("pages: {script: make, pages: {publish: dist}}\n"
                       "later: {script: x, when: delayed, start_in: 30 minutes, id_tokens: {T: {aud: [a, b]}}}\n"
                       "r: {script: x, release: {tag_name: v$CI_COMMIT_SHORT_SHA, description: d, assets: {links: "
                       "[{name: n, url: 'http://x'}]}}}\n",
                       gitlab_file, event_of("push")));
  std::string got;
  for (auto& job : plan->jobs) {
    got += fmt::format("{} {} {}:", job.id, job.when, job.delay.count());
    for (auto& step : job.definition->steps) got += " " + step.id;
    got += "\n";
  }
  EXPECT_EQ(got,
            "pages on_success 0: get_sources script artifacts pages\n"
            "later delayed 1800000: id_token_T get_sources script\n"
            "r on_success 0: get_sources script release\n");
  EXPECT_EQ(plan->jobs[1].definition->permissions->at("id-token"), "write");
}

// ---- what is wrong

class GitlabErrors : public testing::TestWithParam<Case> {};
TEST_P(GitlabErrors, Table) {
  std::string out;
  for (auto& problem : check_gitlab(GetParam().in, gitlab_file)) out += (out.empty() ? "" : "\n") + problem.print();
  EXPECT_EQ(replace_all(out, ".gitlab-ci.yml:", ""), GetParam().want) << GetParam().in;
}
INSTANTIATE_TEST_SUITE_P(
    Table, GitlabErrors,
    testing::ValuesIn(std::to_array<Case>({
        {"NoYaml", "a: [", "2:1: did not find expected node content while parsing a flow node (line 2)"},
        {"NoJob", "variables: {A: b}", "1:1: there is no job in this file; a job is a name with script: below it"},
        {"NoScript", "j: {stage: test}",
         "1:1: job 'j' has no script; a job that others extend starts with a dot: '.j'"},
        {"Misspelt", "j: {scirpt: x}",
         "1:1: job 'j' has no script; a job that others extend starts with a dot: '.j'\n"
         "1:5: job 'j': unknown keyword 'scirpt'; did you mean 'script'?"},
        {"TopLevelText", "stagse: [a]\nj: {script: x}",
         "1:1: 'stagse': got a list, want a job (a mapping with script:); did you mean 'stages'?"},
        {"Stage", "stages: [build]\nj: {script: x, stage: biuld}",
         "2:23: stage: there is no stage 'biuld', want one of .pre, build, .post; did you mean 'build'?"},
        {"Needs", "build: {script: x}\nj: {script: x, needs: [biuld]}",
         "2:24: job 'j' needs 'biuld', which is no job of this file; did you mean 'build'?"},
        {"LaterStage", "a: {script: x, needs: [b]}\nb: {stage: deploy, script: x}",
         "1:24: job 'a' of stage 'test' needs 'b' of the later stage 'deploy'"},
        {"Itself", "a: {script: x, needs: [a]}", "1:24: job 'a' needs itself"},
        {"When", "a: {script: x, when: on_sucess}",
         "1:22: when: got \"on_sucess\", want one of on_success, on_failure, always, manual, never, delayed; did you "
         "mean "
         "'on_success'?"},
        {"Delayed", "a: {script: x, when: delayed, start_in: 8 days}",
         "1:16: when: delayed wants start_in:; for example start_in: 30 minutes\n"
         "1:41: start_in: \"8 days\", want a duration of at most a week, like \"30 minutes\""},
        {"DelayedRule", "a: {script: x, rules: [{when: delayed}]}", "1:24: rules:when: delayed wants start_in:"},
        {"Condition", "a: {script: x, rules: [{if: $A = 'x'}]}",
         "1:29: rules:if: \"$A = 'x'\": got \"= 'x'\", want && or ||, at character 4"},
        {"OnlyAndRules", "a: {script: x, only: [main], rules: [{when: always}]}",
         "1:16: only and rules cannot be in one job; rules can say the same"},
        {"Trigger", "a: {trigger: group/project}",
         "1:5: trigger of another project: is not there yet; its pipelines start by a push there; a child pipeline of "
         "this repository is trigger: {include: PATH}"},
        {"TriggerArtifact", "a: {trigger: {include: [{artifact: x.yml, job: b}]}}",
         "1:26: include:artifact: is not there yet; a pipeline that a job writes is not known before it ran: write it "
         "as a file, or let rules choose among jobs"},
        {"TriggerAndScript", "a: {script: x, trigger: {include: b.yml}}",
         "1:5: job 'a' has trigger: and script:, want one"},
        {"TriggerOfNothing", "a: {trigger: {include: b.yml}}",
         "1:24: include: no file b.yml in this tree; paths start at the root of the repository"},
        {"Release", "a: {script: x, release: {tag_nme: x}}",
         "1:25: release: want tag_name:\n1:25: release: want description:\n1:26: release: unknown keyword 'tag_nme'; "
         "did "
         "you mean 'tag_name'?"},
        {"IdToken", "a: {script: x, id_tokens: {T: {}}}", "1:31: id_tokens:T: want aud:, whom the token is for"},
        {"Secrets", "a: {script: x, secrets: {A: {vault: x}}}",
         "1:16: secrets: is not there yet; vaults are not asked by the house: secrets of the repository are variables "
         "of "
         "every trusted job, and id_tokens: sign the script in to a vault"},
        {"Remote", "include: 'https://example.test/a.yml'\na: {script: x}",
         "1:10: include: https://example.test/a.yml: no places of other repositories are known here; give --actions a "
         "folder of mirrors: GROUP/NAME.git, and HOST/PATH of files by URL"},
        {"Component", "include: [{component: a/b@1}]\na: {script: x}",
         "1:23: include:component: \"a/b@1\", want HOST/GROUP/PROJECT/COMPONENT@VERSION"},
        {"Project", "include: [{project: a/b}]\na: {script: x}",
         "1:11: include:project: want project: GROUP/NAME and file: PATH"},
        {"CompareTo", "a: {script: x, rules: [{changes: {paths: [a], compare_to: main}}]}",
         "1:47: rules:changes:compare_to: is not there yet; without it, what the push or the merge request changed is "
         "looked at"},
        {"Untracked", "a: {script: x, artifacts: {untracked: true}}",
         "1:28: artifacts:untracked: is not there yet; list the files in artifacts:paths"},
        {"Timeout", "a: {script: x, timeout: soon}",
         "1:25: timeout: \"soon\" is no duration, want one like \"1h 30m\" or \"90 minutes\""},
        {"Retry", "a: {script: x, retry: 5}", "1:23: retry: want a whole number of 0 to 2"},
        {"Report", "a: {script: x, artifacts: {reports: {junt: x}}}",
         "1:38: artifacts:reports: unknown keyword 'junt'; did you mean 'junit'?"},
        {"CacheKey", "a: {script: x, cache: {key: a/b, paths: [x]}}",
         "1:29: cache:key: got \"a/b\", want a name without slashes"},
        {"Parallel", "a: {script: x, parallel: 500}", "1:26: parallel: want a whole number of 1 to 200"},
        {"Coverage", "a: {script: x, coverage: total}",
         "1:26: coverage: got \"total\", want a pattern between slashes, like /^release-/"},
        {"Dependencies", "b: {stage: deploy, script: x}\na: {script: x, dependencies: [b]}",
         "2:1: dependencies of 'a': 'b' is not in an earlier stage"},
        {"Entrypoint", "a: {script: x, image: {name: i, entrypoint: [/bin/tool]}}",
         "1:45: image:entrypoint of a program: is not there yet; scripts run in a shell of the image; call the program "
         "in the "
         "script and set entrypoint: [\"\"]"},
        {"CaseAlone", "a: {script: x}\nA: {script: x}",
         "2:1: jobs 'a' and 'A' differ in case alone; give one another name"},
        {"KeywordAsName", "image: {script: x}\nj: {script: x}",
         "1:1: 'image' is a keyword, no name for a job; call the job 'build-image', or something like it"},
        {"Spec", "spec: {inputs: {a: {}}}\na: {script: x}",
         "1:1: spec: stands in a head of its own; end it with a line --- and write the jobs below"},
        {"SpecMissing", "spec: {inputs: {a: }}\n---\nj: {script: '$[[ inputs.a ]]'}", "1:1: inputs: 'a' must be given"},
        {"SpecUnknown", "spec: {inputs: {abc: {default: x}}}\n---\nj: {script: '$[[ inputs.abd ]]'}",
         "3:13: inputs: there is no \"inputs.abd\"; did you mean 'abc'?"},
        {"SpecFunction", "spec: {inputs: {a: {default: x}}}\n---\nj: {script: 'y $[[ inputs.a | upper ]]'}",
         "3:13: inputs: unknown function \"upper\", want expand_vars, truncate(FROM,LENGTH) or posix_escape"},
        {"SpecType", "spec: {inputs: {a: {default: x, type: number}}}\n---\nj: {script: y}",
         "1:1: inputs: 'a' must be a number"},
    })),
    name_of);

TEST(Gitlab, BombsAreRefused) {
  std::string text = ".a0: {script: [x, x, x, x, x, x, x, x, x, x]}\n";
  for (int i = 1; i < 9; ++i) {
    text += fmt::format(".a{}: {{script: [", i);
    for (int n = 0; n < 9; ++n) text += fmt::format("!reference [.a{}, script], ", i - 1);
    text += "x]}\n";
  }
  text += "j: {script: [!reference [.a8, script]]}\n";
  auto problems = check_gitlab(text, gitlab_file);
  ASSERT_FALSE(problems.empty());
  EXPECT_TRUE(problems[0].message.contains("make more than 200000 values")) << problems[0].print();
  std::string nested = "variables:\n  V0: xxxxxxxxxxxxxxxx\n";
  for (int i = 1; i < 60; ++i) nested += fmt::format("  V{}: \"$V{}$V{}\"\n", i, i - 1, i - 1);
  EXPECT_TRUE(check_gitlab(nested + "j: {script: x}\n", gitlab_file).empty());
}

// ---- whole files

std::string describe(const Template& t) {
  switch (t.sort) {
    case Template::Sort::list: {
      std::string out;
      for (auto& item : t.items) out += (out.empty() ? "" : ", ") + describe(item);
      return "[" + out + "]";
    }
    case Template::Sort::map: {
      std::string out;
      for (auto& [key, value] : t.entries)
        out += (out.empty() ? "" : ", ") + (key.is(Template::Sort::insert) ? std::string("...") : key.text) + ": " +
               describe(value);
      return "{" + out + "}";
    }
    default:
      return replace_all(t.literal_text(), "\n", "\\n");
  }
}

std::string describe(const Plan& plan) {
  std::string out = plan.print();
  if (auto group = must(concurrency_of(plan))) out += fmt::format("  cancels older ones of \"{}\"\n", group->group);
  for (auto& job : plan.jobs) {
    auto& d = *job.definition;
    out += fmt::format("{}:\n  if: {}\n", job.id, d.condition.text);
    auto field = [&](const char* name, const std::optional<Template>& value) {
      if (value && !(value->is(Template::Sort::list) && value->items.empty()))
        out += fmt::format("  {}: {}\n", name, describe(*value));
    };
    field("runs-on", d.runs_on), field("container", d.container), field("services", d.services);
    field("environment", d.environment), field("concurrency", d.concurrency), field("timeout", d.timeout_minutes);
    field("may fail", d.continue_on_error);
    if (!job.coverage.empty()) out += "  coverage: " + job.coverage + "\n";
    for (auto& [key, value] : d.env->entries)
      if (key.is(Template::Sort::insert))
        out += "  env ...: " + describe(value) + "\n";
      else if (!key.text.starts_with("CI") && !key.text.starts_with("GITLAB_"))
        out += fmt::format("  env {}: {}\n", key.text, describe(value));
    for (auto& step : d.steps) {
      out += fmt::format("  - {} ({}){}\n", step.id, step.condition.text,
                         step.uses ? " " + step.uses->text + " " + describe(*step.with) : "");
      if (step.run)
        for (auto line : lines(step.run->text)) out += "      " + std::string(line) + "\n";
    }
  }
  return out;
}

class GitlabFiles : public testing::TestWithParam<const char*> {};
TEST_P(GitlabFiles, Golden) {
  fs::path folder = fs::path(SLIPWAY_TESTDATA) / "gitlab";
  auto text = must(read_file(folder / "files" / (std::string(GetParam()) + ".yml")));
  auto tree = folder_tree(folder / "files");
  std::string out;
  for (auto& problem : check_gitlab(text, gitlab_file, tree)) out += problem.print() + "\n";
  for (auto* kind : {"push", "feature", "merge", "tag", "schedule"}) {
    auto plan = gitlab_plan(text, gitlab_file, event_of(kind), tree);
    out += fmt::format("=== {}\n", kind);
    if (!plan)
      out += plan.error().what() + "\n";
    else if (!*plan)
      out += "no pipeline\n";
    else
      out +=
          std::string_view(kind) == "push" || std::string_view(kind) == "merge" ? describe(**plan) : (*plan)->print();
  }
  golden(folder / (std::string(GetParam()) + ".plan"), out);
}
INSTANTIATE_TEST_SUITE_P(Files, GitlabFiles,
                         testing::Values("node", "go", "workflow", "includes", "anchors", "monorepo", "legacy",
                                         "manual", "parallel", "python", "review", "deep"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace slipway::ci
