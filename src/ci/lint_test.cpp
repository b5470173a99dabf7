#include "ci/lint.h"

#include <set>

#include "base/testing/golden.h"
#include "base/text.h"

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

using Found = std::multiset<std::tuple<std::string, int, int>>;
Found found_in(const fs::path& file, const fs::path& root) {
  auto options = root.empty() ? LintOptions() : lint_options(root);
  options.source = file.filename().string();
  Found out;
  for (auto& finding : lint_workflow(must(read_file(file)), options))
    out.emplace(finding.rule, finding.place.line, finding.place.column);
  return out;
}

// The published findings of actionlint on its own examples: rule, line and column.
TEST(Lint, ActionlintsExpectedFindings) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora on this machine";
  auto folder = *root / "workflows/actionlint";
  std::map<std::string, Found> found;
  std::map<std::string, std::pair<int, int>> by_rule;
  int same = 0, total = 0, more = 0;
  bool verbose = std::getenv("SLIPWAY_VERBOSE") != nullptr;
  for (auto& row : expected_rows(folder)) {
    auto file = file_of(folder, row);
    if (!path_exists(file)) continue;
    auto [at, fresh] = found.emplace(file.string(), Found());
    if (fresh) at->second = found_in(file, row.group == "projects" ? folder / "projects" / row.name : fs::path());
    if (row.group == "ok" || row.rule == "?" || row.line < 0) continue;
    ++total, ++by_rule[row.rule].second;
    auto hit = at->second.find({row.rule, row.line, row.column});
    if (hit == at->second.end()) {
      if (verbose) fmt::print("missing {}/{}:{}:{} {}\n", row.group, row.name, row.line, row.column, row.rule);
      continue;
    }
    at->second.erase(hit);
    ++same, ++by_rule[row.rule].first;
  }
  for (auto& [file, left] : found)
    for (auto& [rule, line, column] : left) {
      ++more;
      if (verbose) fmt::print("more {}:{}:{} {}\n", file.substr(folder.string().size() + 1), line, column, rule);
    }
  for (auto& [rule, count] : by_rule) fmt::print("{:22} {} of {}\n", rule, count.first, count.second);
  fmt::print("actionlint's findings: {} of {} with rule, line and column; {} of ours are not among them\n", same, total,
             more);
  EXPECT_GE(same * 10, total * 9);
}

}  // namespace
}  // namespace slipway::ci
