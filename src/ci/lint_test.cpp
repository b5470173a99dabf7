#include "ci/lint.h"

#include <set>

#include "base/testing/golden.h"
#include "base/text.h"
#include "path/findings.h"

namespace slipway::ci {
namespace {

struct Expected {
  std::string group, name, file, rule;
  int line = 0, column = 0;
};

std::vector<Expected> expected_rows(const fs::path& folder) {
  std::vector<Expected> out;
  auto table = must(read_file(folder / "expected.tsv"));
  for (auto line : lines(table)) {
    auto f = split(line, '\t');
    if (f.size() < 7 || f[0] == "group") continue;
    Expected row{std::string(f[0]), std::string(f[1]), std::string(f[2]), std::string(f[5]), 0, 0};
    row.line = static_cast<int>(to_int(f[3]).value_or(-1)), row.column = static_cast<int>(to_int(f[4]).value_or(-1));
    out.push_back(std::move(row));
  }
  return out;
}

fs::path file_of(const fs::path& folder, const Expected& row) {
  return row.group == "projects" ? folder / "projects" / row.name / row.file : folder / row.group / row.name;
}

// The examples use actions that are not part of the corpus; these are like them.
void write_actions(const fs::path& root) {
  constexpr std::pair<std::string_view, std::string_view> actions[] = {
      {"my-action",
       "name: Mine\ndescription: Greets\ninputs:\n  name: {default: you}\n  message: {required: true}\n"
       "  addition: {}\nruns: {using: node24, main: x.js}\n"},
      {"my-action-with-output",
       "name: Mine\ndescription: Says\noutputs:\n  some_value: {description: that}\n"
       "runs: {using: node24, main: x.js}\n"},
      {"my-invalid-action",
       "name: Mine\nbranding: {icon: dog, color: gray-white}\n"
       "runs: {using: node14, main: missing.js, env: {A: b}}\n"}};
  for (auto& [name, text] : actions) {
    auto folder = root / ".github/actions" / name;
    must(make_dirs(folder));
    must(write_file(folder / "action.yml", text));
    must(write_file(folder / "x.js", ""));
  }
}

using Found = std::multiset<std::tuple<std::string, int, int>>;
Found found_in(const fs::path& file, const fs::path& root) {
  auto options = root.empty() ? LintOptions() : lint_options(root);
  options.source = file.filename().string();
  Found out;
  for (auto& finding : lint_workflow(must(read_file(file)), options))
    out.emplace(finding.rule, finding.place.line, finding.place.column);
  return out;
}

// Findings that are not ours to the letter, and why.
struct Explained {
  std::string_view name, rule, why;
};
constexpr Explained explained[] = {
    {"*", "shellcheck", "comes from a program of that name, which is not part of this one"},
    {"*", "pyflakes", "comes from a program of that name, which is not part of this one"},
    {"github_script_untrusted_input.yaml", "expression",
     "ours is the line in the block, theirs counts on from its first"},
    {"undefined_anchor.yaml", "syntax-check", "ours says where the alias is, theirs 0:0"},
    {"dangling_alias.yaml", "syntax-check", "ours says where the alias is, theirs 0:0"},
    {"yaml_syntax_error.yaml", "syntax-check", "ours is the character itself, theirs the one before"},
    {"broken_yaml.yaml", "syntax-check", "ours is the character itself, theirs the one before"},
    {"action_metadata_syntax_validation.yaml", "action", "names of badge icons are not looked up"},
};
bool is_explained(const Expected& row) {
  return std::any_of(std::begin(explained), std::end(explained),
                     [&](auto& e) { return (e.name == "*" || e.name == row.name) && e.rule == row.rule; });
}

// The published findings of actionlint on its own examples: rule, line and column.
TEST(Lint, ActionlintsExpectedFindings) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora on this machine";
  auto folder = *root / "workflows/actionlint";
  auto actions = must(TempDir::make("lint"));
  write_actions(actions.path());
  std::map<std::string, Found> found;
  std::map<std::string, std::pair<int, int>> by_rule;
  int same = 0, total = 0, more = 0;
  bool verbose = std::getenv("SLIPWAY_VERBOSE") != nullptr;
  for (auto& row : expected_rows(folder)) {
    auto file = file_of(folder, row);
    if (!path_exists(file)) continue;
    auto [at, fresh] = found.emplace(file.string(), Found());
    if (fresh) at->second = found_in(file, row.group == "projects" ? folder / "projects" / row.name : actions.path());
    if (row.group == "ok" || row.rule == "?" || row.line < 0) continue;
    ++total, ++by_rule[row.rule].second;
    auto hit = at->second.find({row.rule, row.line, row.column});
    if (hit == at->second.end()) {
      EXPECT_TRUE(is_explained(row)) << row.group << "/" << row.name << ":" << row.line << ":" << row.column << " "
                                     << row.rule;
      if (verbose) fmt::print("missing {}/{}:{}:{} {}\n", row.group, row.name, row.line, row.column, row.rule);
      continue;
    }
    at->second.erase(hit);
    ++same, ++by_rule[row.rule].first;
  }
  for (auto& [file, left] : found)
    for (auto& [rule, line, column] : left) {
      // Scripts that actions of these projects name are not in the corpus.
      if (rule == "workflow-syntax" || (rule == "action" && file.contains("/projects/"))) continue;
      ++more;
      if (verbose) fmt::print("more {}:{}:{} {}\n", file.substr(folder.string().size() + 1), line, column, rule);
    }
  for (auto& [rule, count] : by_rule) fmt::print("{:22} {} of {}\n", rule, count.first, count.second);
  fmt::print("actionlint's findings: {} of {} with rule, line and column; {} of ours are not among them\n", same, total,
             more);
  EXPECT_GE(same, 732);
  EXPECT_LE(more, 15);
}

std::string lint_text(std::string_view text) {
  LintOptions options;
  options.source = "w.yml";
  auto findings = lint_workflow(text, options);
  return path::print_text(findings);
}

TEST(Lint, SaysWhereInABlockOfText) {
  EXPECT_EQ(
      lint_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          echo 1\n"
                "          echo ${{ github.head_ref }}\n"),
      "w.yml:8:20: error: 'github.head_ref' is text that a stranger can write and becomes part of the script: hand "
      "it over in an environment variable [expression]\n");
}

TEST(Lint, WhatGithubTakesIsAWarning) {
  EXPECT_EQ(
      lint_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ matrix.os }}\n"),
      "w.yml:6:23: warning: there is no 'os' in {} [expression]\n");
}

TEST(Lint, TheCurrentLanguageIsKnown) {
  EXPECT_EQ(
      lint_text(
          "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    concurrency: {group: a, queue: max}\n"
          "    steps:\n      - &s\n        run: echo ${{ case(true, 1, 2) }}\n        background: true\n"
          "        id: one\n      - wait: one\n      - parallel:\n          - run: echo 1\n          - run: echo 2\n"
          "  b:\n    runs-on: ubuntu-latest\n    steps: [*s, {uses: $/action}]\n"),
      "");
}

TEST(Lint, AliasesOfAliasesEnd) {
  std::string text = "on: push\nenv: &a0 {A: b}\njobs:\n";
  for (int i = 1; i < 40; ++i) {
    text += fmt::format("  j{}: &a{}\n    strategy:\n      matrix:\n        x:", i, i);
    for (int k = 0; k < 5; ++k) text += fmt::format("\n          - *a{}", i - 1);
    text += "\n";
  }
  EXPECT_FALSE(lint_text(text).empty());
}

TEST(Lint, RealFilesAreReadToTheEnd) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora on this machine";
  auto folder = *root / "workflows/real";
  std::map<std::string, int> by_rule;
  int files = 0;
  bool verbose = std::getenv("SLIPWAY_VERBOSE") != nullptr;
  auto manifest = must(read_file(folder / "manifest.official-parser.tsv"));
  for (auto line : lines(manifest)) {
    auto fields = split(line, '\t');
    auto text = fields.size() < 2 || fields[1] != "ok" ? Result<std::string>(fail(Kind::not_found, ""))
                                                       : read_file(folder / std::string(fields[0]));
    if (!text) continue;
    ++files;
    LintOptions options;
    options.source = fields[0];
    for (auto& finding : lint_workflow(*text, options)) {
      ++by_rule[finding.rule];
      if (verbose) fmt::print("{}\n", path::print_text(std::span(&finding, 1)));
      EXPECT_NE(finding.rule, "workflow-syntax") << finding.message;
    }
  }
  for (auto& [rule, n] : by_rule) fmt::print("{:22} {}\n", rule, n);
  fmt::print("of {} valid files\n", files);
}

}  // namespace
}  // namespace slipway::ci
