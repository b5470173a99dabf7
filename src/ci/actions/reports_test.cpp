// What is told of: SARIF, coverage, actions without effect here, inputs nobody knows, and the document of them all.
#include "ci/actions/catalog.h"
#include "ci/actions/sarif.h"
#include "ci/actions/testing.h"

namespace slipway::ci {
namespace {

constexpr const char* sarif = R"({"version":"2.1.0","runs":[{"tool":{"driver":{"name":"seeker","rules":[
 {"id":"R1","shortDescription":{"text":"about R1"},"defaultConfiguration":{"level":"error"}},
 {"id":"R2","properties":{"security-severity":"8.1"}}]}},
 "results":[
  {"ruleId":"R1","message":{"text":"bad"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file://src/a.c"},"region":{"startLine":3,"startColumn":2,"endLine":4}}}]},
  {"ruleIndex":1,"level":"warning","message":{}},
  {"ruleId":"R3","level":"note","message":{"text":"hm"}},
  {"ruleId":"R1","message":{"text":"known"},"suppressions":[{"kind":"inSource"}]},
  {"ruleId":"R1","kind":"pass","message":{"text":"fine"}}]}]})";

TEST(Sarif, ResultsBecomeFindings) {
  auto results = must(parse_sarif(sarif, "r.sarif"));
  std::string got;
  for (auto& [f, end] : results)
    got += fmt::format("{} {} {} {} {} {}\n", f.check, f.rule, path::to_string(f.severity), f.place.print(), end,
                       f.message);
  EXPECT_EQ(got, "seeker R1 error src/a.c:3:2 4 bad\nseeker R2 high  0 \nseeker R3 info  0 hm\n");
  EXPECT_TRUE(parse_sarif("{}", "r.sarif").error().what().contains("want a list of runs"))
      << parse_sarif("{}", "r").error().what();
  EXPECT_FALSE(parse_sarif("[", "r.sarif"));
}

TEST_F(ActionsTest, SarifIsReportedAsFindingsAndAnnotations) {
  file("out/r.sarif", sarif);
  auto r = steps(
      "- uses: actions/checkout@v4\n- uses: github/codeql-action/upload-sarif@v3\n  with: {sarif_file: out, category: "
      "mine}\n");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  ASSERT_EQ(r.job("j").findings.size(), 3U);
  EXPECT_EQ(r.job("j").findings[0].check, "mine");
  EXPECT_EQ(r.job("j").annotations.at(0).place.print(), "src/a.c:3:2");
  EXPECT_TRUE(steps("- uses: github/codeql-action/upload-sarif@v3\n  with: {sarif_file: nope.sarif}\n")
                  .words.contains("Path does not exist: nope.sarif"));
}

struct Case {
  const char* name;
  const char* step;
  const char* want;
};
class ToldTable : public ActionsTest, public testing::WithParamInterface<Case> {};
TEST_P(ToldTable, Says) {
  auto r = steps(std::string("- uses: ") + GetParam().step + "\n- run: echo over\n");
  EXPECT_TRUE((r.words + r.output).contains(GetParam().want)) << r.words;
}
INSTANTIATE_TEST_SUITE_P(
    Table, ToldTable,
    testing::ValuesIn(std::to_array<Case>({
        {"CodeQl", "github/codeql-action/init@v3\n  with: {languages: go}",
         "github/codeql-action/init has no effect off GitHub"},
        {"Stale", "actions/stale@v9\n  with: {days-before-stale: 3}", "actions/stale has no effect off GitHub"},
        {"Lock", "dessant/lock-threads@v5", "it works on GitHub's issues"},
        {"Labeler", "actions/labeler@v5", "over"},
        {"Scorecard", "ossf/scorecard-action@v2", "it rates the repository's settings there"},
        {"Harden", "step-security/harden-runner@v2\n  with: {egress-policy: audit}",
         "egress-policy audit: connections are neither watched nor blocked"},
        {"Codecov", "codecov/codecov-action@v4\n  with: {files: 'a.xml,b.xml'}", "coverage report b.xml: no such file"},
        {"CodecovGoesOn", "codecov/codecov-action@v4\n  with: {files: a.xml}", "over"},
        {"CodecovStrict", "codecov/codecov-action@v4\n  with: {files: a.xml, fail_ci_if_error: true}",
         "hint: did the tests run with coverage"},
        {"Coveralls", "coverallsapp/github-action@v2\n  with: {path-to-lcov: lcov.info}",
         "coverage report lcov.info: no such file"},
        {"Bake", "docker/bake-action@v5", "no bake file in ."},
        {"UnknownInput", "actions/cache@v4\n  with: {path: a, key: b, restore-key: c}",
         "Unexpected input(s) 'restore-key' (did you mean 'restore-keys'?)"},
        {"RequiredInput", "actions/cache@v4\n  with: {path: a}", "Input required and not supplied: key"},
        {"Idle", "actions/checkout@v4\n  with: {show-progress: false}", "Without effect here: show-progress"},
        {"KeyTooLong", "actions/cache@v4\n  with: {path: a, key: 'a,b'}",
         "Key Validation Error: a,b cannot contain commas."},
        {"CacheMiss", "actions/cache/restore@v4\n  with: {path: a, key: b, fail-on-cache-miss: true}",
         "Failed to restore cache entry"},
        {"LoginNeeds", "docker/login-action@v3\n  with: {registry: registry.example.com}",
         "Username and password required"},
        {"Login", "docker/login-action@v3\n  with: {registry: registry.example.com, username: u, password: hunter22}",
         "the runner does not push to other registries"},
        {"PullRequestOfAFolder", "peter-evans/create-pull-request@v7", "there is no host to ask for a pull request"},
        {"Download", "actions/download-artifact@v4\n  with: {name: none}", "no job of this run has uploaded one yet"},
        {"DownloadElsewhere", "actions/download-artifact@v4\n  with: {name: x, run-id: 77}",
         "artifacts of run 77 of local/local are not reached from run 1"},
        {"UploadName", "actions/upload-artifact@v4\n  with: {name: 'a/b', path: x}",
         "The artifact name is not valid: a/b"},
        {"UploadLevel", "actions/upload-artifact@v4\n  with: {path: x, compression-level: 12}",
         "compression-level: got \"12\", want 0 to 9"},
        {"UploadNone", "actions/upload-artifact@v4\n  with: {path: x, if-no-files-found: error}",
         "No files were found with the provided path: x."},
    })),
    [](const auto& i) { return i.param.name; });

// docs/actions.md: the text is written by hand, the table is what the program says.
TEST(Catalog, TheDocumentHoldsTheTable) {
  auto file = fs::path(SLIPWAY_SOURCE_DIR) / "docs/actions.md";
  auto text = read_file(file).value_or("");
  constexpr std::string_view begin = "<!-- the table: from the program -->\n";
  auto at = text.find(begin);
  golden(file, text.substr(0, at == std::string::npos ? text.size() : at) + std::string(begin) + print_catalog());
}

TEST(Catalog, NamesAreThereOnce) {
  std::set<std::string> seen;
  for (auto& name : native_action_names()) {
    EXPECT_TRUE(seen.insert(lower(name)).second) << name;
    EXPECT_NE(find_native_action(name), nullptr);
  }
  EXPECT_NE(find_native_action("Swatinem/Rust-Cache"), nullptr);
  EXPECT_EQ(find_native_action("a/b"), nullptr);
}

}  // namespace
}  // namespace slipway::ci
