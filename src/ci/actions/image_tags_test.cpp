#include "ci/actions/image_tags.h"

#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

struct Case {
  const char* name;
  const char* ref;
  const char* rules;   // lines
  const char* flavor;  // lines
  const char* want;    // tags; "error: ..."; warnings after "|"
  const char* event = "push";
};

class ImageTagsTable : public testing::TestWithParam<Case> {};

TEST_P(ImageTagsTable, Makes) {
  auto& c = GetParam();
  TagSource source;
  source.event_name = c.event, source.ref = c.ref, source.sha = "860c1904a1ce19322e91ac35af1ab07466440c37";
  source.base_ref = "dev", source.number = 7;
  source.now = must(parse_rfc3339("2026-02-03T04:05:06Z"));
  source.committed = must(parse_rfc3339("2025-12-31T23:59:58Z"));
  std::vector<std::string> rules, flavor;
  for (auto line : lines(std::string_view(c.rules))) rules.emplace_back(line);
  for (auto line : lines(std::string_view(c.flavor))) flavor.emplace_back(line);
  auto tags = image_tags(source, rules, flavor);
  std::string got;
  if (!tags) {
    got = "error: " + tags.error().what();
  } else {
    got = join(std::span<const std::string>(tags->names), " ");
    for (auto& warning : tags->warnings) got += "|" + warning;
    EXPECT_EQ(tags->version, tags->names.empty() ? "" : tags->names[0]);
  }
  EXPECT_EQ(got, c.want);
}

constexpr const char* tag = "refs/tags/v1.2.3";
constexpr const char* pre = "refs/tags/v2.0.0-rc.1+build.5";
constexpr const char* main_branch = "refs/heads/main";
constexpr const char* feature = "refs/heads/feature/Über_x";

INSTANTIATE_TEST_SUITE_P(
    Table, ImageTagsTable,
    testing::ValuesIn(std::to_array<Case>({
        // The usual four.
        {"DefaultBranch", main_branch, "", "", "main"},
        {"DefaultFeature", feature, "", "", "feature-ber_x"},
        {"DefaultTag", tag, "", "", "v1.2.3 latest"},
        {"DefaultPull", "refs/pull/12/merge", "", "", "pr-12", "pull_request"},
        {"DefaultPullHead", "refs/pull/12/head", "", "", "pr-12", "pull_request"},
        {"DefaultPullTarget", "refs/heads/dev", "type=ref,event=pr", "", "pr-7", "pull_request_target"},
        {"DefaultSchedule", main_branch, "", "", "nightly main", "schedule"},
        // schedule
        {"SchedulePattern", main_branch, "type=schedule,pattern={{date 'YYYYMMDD'}}", "", "20260203", "schedule"},
        {"ScheduleElsewhere", main_branch, "type=schedule", "", ""},
        // semver
        {"Semver", tag, "type=semver,pattern={{version}}", "", "1.2.3 latest"},
        {"SemverParts", tag,
         "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}", "",
         "1.2.3 1.2 1 latest"},
        {"SemverSpaced", tag, "type=semver,pattern={{ major }}", "", "1 latest"},
        {"SemverRaw", tag, "type=semver,pattern={{raw}}", "", "v1.2.3 latest"},
        {"SemverWithV", tag, "type=semver,pattern=v{{major}}", "", "v1 latest"},
        {"SemverPrerelease", pre, "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}", "", "2.0.0-rc.1"},
        {"SemverPrereleaseRaw", pre, "type=semver,pattern={{raw}}", "", "v2.0.0-rc.1-build.5"},
        {"SemverNoTag", main_branch, "type=semver,pattern={{version}}", "", ""},
        {"SemverValue", main_branch, "type=semver,pattern={{version}},value=v4.5.6", "", "4.5.6 latest"},
        {"SemverShort", "refs/tags/v1.2", "type=semver,pattern={{version}}", "",
         "|v1.2 is not a valid semver. More info: https://semver.org/"},
        {"SemverWithoutPattern", tag, "type=semver", "",
         "error: tags: \"type=semver\": the attribute pattern is missing"},
        // pep440
        {"Pep440", "refs/tags/1.2.3", "type=pep440,pattern={{version}}\ntype=pep440,pattern={{major}}.{{minor}}", "",
         "1.2.3 1.2 latest"},
        {"Pep440Short", "refs/tags/v1.2", "type=pep440,pattern={{version}}\ntype=pep440,pattern={{patch}}", "",
         "1.2 0 latest"},
        {"Pep440Candidate", "refs/tags/v1.2.3rc2", "type=pep440,pattern={{major}}", "", "1.2.3rc2"},
        {"Pep440Normal", "refs/tags/1.0-beta1", "type=pep440,pattern={{version}}", "", "1.0b1"},
        {"Pep440Post", "refs/tags/1.0.post2", "type=pep440,pattern={{version}}", "", "1.0.post2"},
        {"Pep440Wrong", "refs/tags/one", "type=pep440,pattern={{version}}", "", "|one does not conform to PEP 440"},
        // match
        {"Match", "refs/tags/app-4.2-x", "type=match,pattern=\\d+\\.\\d+", "", "4.2 latest"},
        {"MatchGroup", "refs/tags/v10-sp3", "type=match,pattern=v(\\d+)-(\\w+),group=2", "", "sp3 latest"},
        {"MatchRegex", "refs/tags/V1.2", "type=match,pattern=/v(.*)/i,group=1", "", "1.2 latest"},
        {"MatchQuoted", "refs/tags/v123", "type=match,\"pattern=\\d{1,2}\"", "", "12 latest"},
        {"MatchNone", "refs/tags/x", "type=match,pattern=\\d", "", "|\\d does not match x."},
        {"MatchValue", main_branch, "type=match,pattern=b.,value=abc", "", "bc latest"},
        {"MatchGroupWord", tag, "type=match,pattern=v,group=x", "",
         "error: tags: \"type=match,pattern=v,group=x\": group: want a number"},
        // edge
        {"Edge", main_branch, "type=edge", "", "edge"},
        {"EdgeOther", feature, "type=edge", "", ""},
        {"EdgeNamed", "refs/heads/dev", "type=edge,branch=dev", "", "edge"},
        {"EdgeOnTag", tag, "type=edge", "", ""},
        // ref
        {"RefBranch", main_branch, "type=ref,event=branch", "", "main"},
        {"RefBranchAffixes", main_branch, "type=ref,event=branch,prefix=b-,suffix=-{{sha}}", "", "b-main-860c190"},
        {"RefTagSlash", "refs/tags/release/1", "type=ref,event=tag", "", "release-1 latest"},
        {"RefPull", "refs/pull/3/merge", "type=ref,event=pr", "", "pr-3", "pull_request"},
        {"RefPullPrefix", "refs/pull/3/merge", "type=ref,event=pr,prefix=", "", "3", "pull_request"},
        {"RefWithoutEvent", main_branch, "type=ref", "", "error: tags: \"type=ref\": event: want branch, tag or pr"},
        // raw
        {"Raw", main_branch, "type=raw,value=mine", "", "mine"},
        {"RawBare", main_branch, "mine", "", "mine"},
        {"RawExpression", main_branch, "type=raw,value={{branch}}-{{sha}}-{{base_ref}}{{tag}}", "", "main-860c190-dev"},
        {"RawDates", main_branch, "type=raw,value={{commit_date 'YYYY.M.D-HHmmss'}}\ntype=raw,value={{date 'X'}}", "",
         "2025.12.31-235958 1770091506"},
        {"RawZone", main_branch, "type=raw,value={{date 'YYYY' tz='Asia/Tokyo'}}", "",
         "error: tags: \"type=raw,value={{date 'YYYY' tz='Asia/Tokyo'}}\": \"{{date 'YYYY' tz='Asia/Tokyo'}}\": times "
         "are in UTC here, leave tz away"},
        {"RawEnabled", main_branch, "type=raw,value=stable,enable={{is_default_branch}}", "", "stable"},
        {"RawDisabled", feature, "type=raw,value=stable,enable={{is_default_branch}}", "", ""},
        {"RawNotDefault", feature, "type=raw,value=x,enable={{is_not_default_branch}}", "", "x"},
        {"RawEnableWrong", main_branch, "type=raw,value=x,enable=yes", "",
         "error: tags: \"type=raw,value=x,enable=yes\": enable is \"yes\", want true or false"},
        {"RawWithoutValue", main_branch, "type=raw", "", "error: tags: \"type=raw\": the attribute value is missing"},
        {"RawUnknownExpression", main_branch, "type=raw,value={{nope}}", "",
         "error: tags: \"type=raw,value={{nope}}\": \"{{nope}}\": unknown expression {{nope}}"},
        // sha
        {"Sha", main_branch, "type=sha", "", "sha-860c190"},
        {"ShaLong", main_branch, "type=sha,format=long,prefix=", "", "860c1904a1ce19322e91ac35af1ab07466440c37"},
        {"ShaFormat", main_branch, "type=sha,format=tiny", "",
         "error: tags: \"type=sha,format=tiny\": format: want short or long"},
        // Order and latest: the first one decides.
        {"Priorities", tag, "type=sha\ntype=raw,value=r\ntype=semver,pattern={{version}}", "",
         "1.2.3 r sha-860c190 latest"},
        {"PriorityGiven", tag, "type=semver,pattern={{version}}\ntype=raw,value=r,priority=2000", "", "r 1.2.3"},
        {"Twice", main_branch, "type=raw,value=x\nx", "", "x"},
        {"LatestOff", tag, "type=semver,pattern={{version}}", "latest=false", "1.2.3"},
        {"LatestOn", main_branch, "type=ref,event=branch", "latest=true", "main latest"},
        {"FlavorAffixes", tag, "type=semver,pattern={{version}}", "prefix=p-\nsuffix=-s", "p-1.2.3-s latest"},
        {"FlavorOnLatest", tag, "type=semver,pattern={{version}}",
         "prefix=p-,onlatest=true\nsuffix=-alpine,onlatest=true", "p-1.2.3-alpine p-latest-alpine"},
        {"RuleOverFlavor", main_branch, "type=ref,event=branch,suffix=", "suffix=-s", "main"},
        {"FlavorWrong", main_branch, "", "newest=true",
         "error: flavor: \"newest=true\": want latest=auto|true|false, prefix=, suffix= and onlatest=true|false"},
        {"UnknownType", main_branch, "type=semvar,pattern=x", "",
         "error: tags: \"type=semvar,pattern=x\": unknown type \"semvar\", want schedule, semver, pep440, match, edge, "
         "ref, raw or sha"},
    })),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::ci
