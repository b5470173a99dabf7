#include "scan/advisories.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "scan/version.h"

namespace slipway::scan {
namespace {

Advisory osv(std::string_view json) {
  auto value = must(doc::parse_json(json));
  return must(parse_osv(doc::View(value)));
}
Package package(std::string ecosystem, std::string name, std::string version) {
  Package p;
  p.ecosystem = std::move(ecosystem), p.name = std::move(name), p.version = std::move(version);
  return p;
}

struct Case {
  const char* name;
  const char* affected;
  const char* version;
  bool hit;
  const char* fixed;
};
class Ranges : public testing::TestWithParam<Case> {};
TEST_P(Ranges, EvaluateAsOsvSays) {
  auto a = osv(fmt::format(R"({{"id":"X-1","affected":[{{"package":{{"ecosystem":"npm","name":"p"}},{}}}]}})",
                           GetParam().affected));
  EXPECT_EQ(is_affected(a.affected.at(0), GetParam().version), GetParam().hit);
  if (GetParam().hit) {
    EXPECT_EQ(fixed_version(a.affected.at(0), GetParam().version), GetParam().fixed);
  }
}
#define RANGE(events) R"("ranges":[{"type":"SEMVER","events":[)" events "]}]"
INSTANTIATE_TEST_SUITE_P(
    Table, Ranges,
    testing::ValuesIn(std::to_array<Case>({
        {"Below", RANGE(R"({"introduced":"1.0.0"},{"fixed":"1.2.0"})"), "0.9.0", false, ""},
        {"Inside", RANGE(R"({"introduced":"1.0.0"},{"fixed":"1.2.0"})"), "1.1.9", true, "1.2.0"},
        {"AtTheFix", RANGE(R"({"introduced":"1.0.0"},{"fixed":"1.2.0"})"), "1.2.0", false, ""},
        {"FixPrerelease", RANGE(R"({"introduced":"0"},{"fixed":"1.2.0"})"), "1.2.0-rc.1", true, "1.2.0"},
        {"SecondSpan", RANGE(R"({"introduced":"0"},{"fixed":"1.0.0"},{"introduced":"2.0.0"},{"fixed":"2.1.0"})"),
         "2.0.5", true, "2.1.0"},
        {"BetweenSpans", RANGE(R"({"introduced":"0"},{"fixed":"1.0.0"},{"introduced":"2.0.0"},{"fixed":"2.1.0"})"),
         "1.5.0", false, ""},
        {"LastAffectedIsIn", RANGE(R"({"introduced":"0"},{"last_affected":"1.5.1"})"), "1.5.1", true, ""},
        {"AfterLastAffected", RANGE(R"({"introduced":"0"},{"last_affected":"1.5.1"})"), "1.5.2", false, ""},
        {"NeverFixed", RANGE(R"({"introduced":"0"})"), "99.0.0", true, ""},
        {"Listed", R"("versions":["1.0.0","1.0.1"])", "1.0.1", true, ""},
        {"NotListed", R"("versions":["1.0.0","1.0.1"])", "1.0.2", false, ""},
        {"GitRangeFirstIsPassedOver",
         R"("ranges":[{"type":"GIT","events":[{"introduced":"0"}]},{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2.0.0"}]}])",
         "1.0.0", true, "2.0.0"},
        {"Unordered", RANGE(R"({"fixed":"1.2.0"},{"introduced":"1.0.0"})"), "1.1.0", true, "1.2.0"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Advisories, NamesFoldAsTheirRegistryDoes) {
  EXPECT_EQ(lookup_key("PyPI", "Ruamel_.Yaml"), "PyPI/ruamel-yaml");
  EXPECT_EQ(lookup_key("npm", "Lodash"), "npm/lodash");
  EXPECT_EQ(lookup_key("Debian:12", "openssl"), "Debian/openssl");
  EXPECT_EQ(lookup_key("Go", "Example.org/X"), "Go/Example.org/X");
}

TEST(Advisories, BuiltInOnesMatch) {
  auto db = must(AdvisoryDatabase::open({}));
  auto rules = [&](const Package& p) {
    std::vector<std::string> ids;
    for (const auto& m : must(db->match(p)))
      ids.push_back(m.advisory.canonical() + "<" + fixed_version(m.affected, p.advisory_version()));
    return join(ids, " ");
  };
  EXPECT_EQ(rules(package("npm", "lodash", "4.17.4")),
            "CVE-2019-10744<4.17.12 CVE-2020-8203<4.17.19 CVE-2021-23337<4.17.21");
  EXPECT_EQ(rules(package("npm", "lodash", "4.17.21")), "");
  EXPECT_EQ(rules(package("Maven", "org.apache.logging.log4j:log4j-core", "2.14.1")), "CVE-2021-44228<2.15.0");
  EXPECT_EQ(rules(package("PyPI", "PyYAML", "5.3")), "CVE-2020-14343<5.4");
  EXPECT_EQ(rules(package("Debian:12", "openssh", "1:9.2p1-2+deb12u2")), "CVE-2024-6387<1:9.2p1-2+deb12u3");
  EXPECT_EQ(rules(package("Debian:11", "openssh", "1:8.4p1-5+deb11u1")), "");
  auto log4j = must(db->match(package("Maven", "org.apache.logging.log4j:log4j-core", "2.14.1")));
  EXPECT_EQ(log4j.at(0).advisory.severity, path::Severity::critical);
  EXPECT_EQ(log4j.at(0).advisory.score, 10.0);
}

TEST(Advisories, ImportReplacesSkipsAndCounts) {
  auto dir = must(TempDir::make());
  must(write_file(
      dir.path() / "a.jsonl",
      R"({"id":"A-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"p"},"versions":["1.0.0"]}]}
{"id":5}
not json
{"id":"A-2","withdrawn":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"p"},"versions":["1.0.0"]}]}
)"));
  auto db = must(AdvisoryDatabase::open(dir.path() / "db/advisories.sqlite"));
  auto report = must(db->import({}, dir.path() / "a.jsonl"));
  EXPECT_EQ(report.records, 1U);
  EXPECT_EQ(report.withdrawn, 1U);
  EXPECT_EQ(report.unusable, 2U);
  ASSERT_EQ(report.problems.size(), 2U);
  EXPECT_NE(report.problems[0].find("a.jsonl:2"), std::string::npos) << report.problems[0];
  EXPECT_EQ(must(db->match(package("npm", "p", "1.0.0"))).size(), 1U);
  // A second import of the same id replaces it.
  must(write_file(dir.path() / "b.json",
                  R"({"id":"A-1","affected":[{"package":{"ecosystem":"npm","name":"p"},"versions":["2.0.0"]}]})"));
  must(db->import({}, dir.path() / "b.json"));
  EXPECT_TRUE(must(db->match(package("npm", "p", "1.0.0"))).empty());
  auto status = must(db->status());
  EXPECT_EQ(status.records, 1U);
  EXPECT_EQ(status.ecosystems.at("npm"), 1U);
  EXPECT_FALSE(status.imported_at.empty());
  EXPECT_EQ(db->import({}, dir.path() / "absent").error().kind(), Kind::not_found);
}

TEST(Advisories, OneFindingForARecordAndItsAlias) {
  auto dir = must(TempDir::make());
  must(write_file(
      dir.path() / "a.jsonl",
      R"({"id":"GHSA-x","aliases":["CVE-2030-1"],"affected":[{"package":{"ecosystem":"PyPI","name":"p"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2"}]}]}]}
{"id":"PYSEC-1","aliases":["CVE-2030-1"],"affected":[{"package":{"ecosystem":"PyPI","name":"P"},"versions":["1.0"]}]}
)"));
  auto db = must(AdvisoryDatabase::open(dir.path() / "x.sqlite"));
  must(db->import({}, dir.path() / "a.jsonl"));
  auto found = must(db->match(package("PyPI", "p", "1.0")));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].advisory.id, "GHSA-x");  // the one that knows a fix
}

// The range data of all of Maven's labelled cases: what GHSA's ranges say must be what we compute.
TEST(Advisories, SLOW_CorpusImportsAndAgreesWithLabels) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  auto dir = must(TempDir::make());
  auto db = must(AdvisoryDatabase::open(dir.path() / "x.sqlite"));
  for (auto name : {"GHSA-sample", "PyPI", "npm", "Go", "crates.io", "Debian"}) {
    auto report = must(db->import({}, *root / "osv" / (std::string(name) + ".jsonl.zst")));
    EXPECT_GT(report.records, 0U) << name;
    EXPECT_LE(report.unusable, report.records / 100) << name << ": " << join(report.problems, "; ");
  }
  int rows = 0, agree = 0;
  std::string wrong;
  auto labelled = must(read_file(*root / "osv/expected/maven-ghsa-vs-sap.tsv"));
  for (auto line : lines(labelled)) {
    auto cells = split(line, '\t');
    if (cells.size() < 5 || cells[0] == "cve") continue;
    bool hit = false;
    for (const auto& m : must(db->match(package("Maven", std::string(cells[1]), std::string(cells[2])))))
      hit = hit || m.advisory.canonical() == cells[0] ||
            std::count(m.advisory.aliases.begin(), m.advisory.aliases.end(), cells[0]) > 0;
    ++rows;
    if (hit == (cells[3] == "affected"))
      ++agree;
    else if (wrong.size() < 1000)
      wrong += std::string(line) + "\n";
  }
  fmt::print("Maven labels: {} of {}\n{}", agree, rows, wrong);
  EXPECT_GE(agree, rows * 0.99);
}

}  // namespace
}  // namespace slipway::scan
