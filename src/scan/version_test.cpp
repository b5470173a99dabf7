#include "scan/version.h"

#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::scan {
namespace {

struct Table {
  const char* file;
  Scheme scheme;
  double least;  // share of the trusted rows
  bool untrusted_too = false;
};

class VersionOrder : public testing::TestWithParam<Table> {};

bool holds(int order, std::string_view op) {
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  if (op == ">=") return order >= 0;
  if (op == "!=") return order != 0;
  return order == 0;
}

TEST_P(VersionOrder, AgreesWithTheReferenceTable) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  auto text = must(read_file(*root / "osv/version-tables" / GetParam().file));
  int rows = 0, good = 0;
  std::string wrong;
  for (auto line : lines(text)) {
    auto cells = split(line, '\t');
    if (cells.size() < 5 || cells[0] == "a") continue;
    if (cells[3] != "ok" && cells[3] != "no-oracle") continue;
    ++rows;
    int order = compare_versions(GetParam().scheme, cells[0], cells[2]);
    int back = compare_versions(GetParam().scheme, cells[2], cells[0]);
    if (holds(order, cells[1]) && (order > 0) == (back < 0) && (order == 0) == (back == 0))
      ++good;
    else if (wrong.size() < 2000)
      wrong += fmt::format("{} {} {} but {}\n", cells[0], cells[1], cells[2], order);
  }
  EXPECT_GT(rows, 0);
  EXPECT_GE(good, rows * GetParam().least) << wrong;
  RecordProperty("rows", rows);
  RecordProperty("good", good);
  fmt::print("{}: {} of {}\n{}", GetParam().file, good, rows, wrong.substr(0, 400));
}

INSTANTIATE_TEST_SUITE_P(
    Table, VersionOrder,
    testing::Values(Table{"dpkg.tsv", Scheme::dpkg, 1}, Table{"dpkg-random.tsv", Scheme::dpkg, 1},
                    Table{"apk.tsv", Scheme::apk, 1}, Table{"rpm.tsv", Scheme::rpm, 1},
                    Table{"rpm-evr-random.tsv", Scheme::rpm, 1}, Table{"rpm-vercmp.tsv", Scheme::rpm, 1},
                    Table{"semver.tsv", Scheme::semver, 1}, Table{"semver-random.tsv", Scheme::semver, 1},
                    Table{"pep440.tsv", Scheme::pep440, 1}, Table{"maven.tsv", Scheme::maven, 1},
                    Table{"gem.tsv", Scheme::gem, 1}, Table{"nuget.tsv", Scheme::nuget, 1},
                    Table{"composer.tsv", Scheme::composer, 0.99}, Table{"cran.tsv", Scheme::generic, 0.9},
                    Table{"hackage.tsv", Scheme::generic, 1}),
    [](const auto& i) { return replace_all(replace_all(i.param.file, ".tsv", ""), "-", "_"); });

TEST(Version, NeverFailsOnNonsense) {
  for (auto scheme : {Scheme::dpkg, Scheme::apk, Scheme::rpm, Scheme::semver, Scheme::pep440, Scheme::maven,
                      Scheme::gem, Scheme::nuget, Scheme::composer, Scheme::generic})
    for (auto text : {"", "-", ":", "~", "....", "v", "1..2", "_p", "1!", "\xff\xfe", "1-r", "a-b-c-1~~"})
      EXPECT_EQ(compare_versions(scheme, text, text), 0) << text;
}

TEST(Version, SchemeComesFromTheEcosystem) {
  EXPECT_EQ(scheme_of("Debian:12"), Scheme::dpkg);
  EXPECT_EQ(scheme_of("Alpine:v3.20"), Scheme::apk);
  EXPECT_EQ(scheme_of("PyPI"), Scheme::pep440);
  EXPECT_EQ(scheme_of("Oddity"), Scheme::generic);
}

}  // namespace
}  // namespace slipway::scan
