#include "image/checks.h"

#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::image {
namespace {

struct Case {
  const char *name, *text, *want;  // "RULE:LINE ..."
  const char* ignore = "";
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
class BuildCheck : public testing::TestWithParam<Case> {};
TEST_P(BuildCheck, Finds) {
  auto file = must(parse_dockerfile(GetParam().text));
  auto plan = must(plan_stages(file));
  auto ignore = must(IgnoreList::parse(GetParam().ignore));
  CheckOptions options{.args = {}, .ignore = ignore.empty() ? nullptr : &ignore, .env_of = {}, .config = {}};
  options.env_of = [](const std::string& image) -> std::optional<std::vector<std::string>> {
    if (image == "known") return std::vector<std::string>{"PATH=/bin", "FROM_BASE=1"};
    return std::nullopt;
  };
  auto checked = must(check_dockerfile(file, plan, options));
  std::vector<std::string> got;
  for (const auto& c : checked.found) got.push_back(fmt::format("{}:{}", c.rule, c.line));
  EXPECT_EQ(join(got, " "), GetParam().want) << (checked.found.empty() ? "" : checked.found[0].text);
}
INSTANTIATE_TEST_SUITE_P(
    Table, BuildCheck,
    testing::ValuesIn(std::to_array<Case>({
        {"Nothing", "FROM scratch AS a\nCOPY x /y\n", ""},
        {"StageNameCasing", "FROM scratch AS Up\n", "StageNameCasing:1"},
        {"FromAsCasing", "FROM scratch as a\n", "FromAsCasing:1"},
        {"FromAsCasingLower", "from scratch AS a\nlabel a=b\n", "FromAsCasing:1"},
        {"NoEmptyContinuation", "FROM scratch\nCOPY x \\\n\n /y\n", "NoEmptyContinuation:2"},
        {"ConsistentInstructionCasing", "FROM scratch\nCOPY x /y\ncopy x /y\nCopy x /y\n",
         "ConsistentInstructionCasing:3 ConsistentInstructionCasing:4"},
        {"DuplicateStageName", "FROM scratch AS a\nFROM scratch AS a\n", "DuplicateStageName:2"},
        {"ReservedStageName", "FROM scratch AS context\n", "ReservedStageName:1"},
        {"JSONArgsRecommended", "FROM scratch\nCMD x y\n", "JSONArgsRecommended:2"},
        {"JSONArgsWithShell", "FROM scratch\nSHELL [\"/sh\"]\nENTRYPOINT x y\n", ""},
        {"MaintainerDeprecated", "FROM scratch\nMAINTAINER me\n", "MaintainerDeprecated:2"},
        {"UndefinedArgInFrom", "ARG A=scratch\nFROM $A AS a\nFROM $B$A\n", "UndefinedArgInFrom:3"},
        {"WorkdirRelativePath", "FROM scratch\nWORKDIR a\nWORKDIR b\n", "WorkdirRelativePath:2"},
        {"WorkdirAbsolute", "FROM scratch\nWORKDIR /a\nWORKDIR b\n", ""},
        {"UndefinedVar", "FROM scratch\nARG BAR\nCOPY $FOO $BAR /\n", "UndefinedVar:3"},
        {"UndefinedVarOfUnknownBase", "FROM elsewhere\nCOPY $FOO /\n", ""},
        {"UndefinedVarOfKnownBase", "FROM known\nCOPY $FROM_BASE $FOO /\n", "UndefinedVar:2"},
        {"UndefinedVarInherited", "FROM scratch AS a\nENV X=1\nFROM a\nCOPY $X /\n", ""},
        {"UndefinedVarOwnLine", "FROM scratch\nENV A=1 B=$A\n", "UndefinedVar:2"},
        {"MultipleInstructionsDisallowed", "FROM scratch\nCMD [\"a\"]\nCMD [\"b\"]\n",
         "MultipleInstructionsDisallowed:2"},
        {"LegacyKeyValueFormat", "FROM scratch\nENV A b\nLABEL c d\n", "LegacyKeyValueFormat:2 LegacyKeyValueFormat:3"},
        {"RedundantTargetPlatform", "FROM --platform=$TARGETPLATFORM scratch\n", "RedundantTargetPlatform:1"},
        {"SecretsUsedInArgOrEnv", "FROM scratch\nARG API_TOKEN\nENV PUBLIC_KEY=a DB_PASSWORD=b\n",
         "SecretsUsedInArgOrEnv:2 SecretsUsedInArgOrEnv:3"},
        {"InvalidDefaultArgInFrom", "ARG V\nFROM busybox:$V\n", "InvalidDefaultArgInFrom:2"},
        {"InvalidDefaultArgGiven", "ARG V=1\nFROM busybox:$V\n", ""},
        {"FromPlatformFlagConstDisallowed", "FROM --platform=linux/amd64 scratch\n",
         "FromPlatformFlagConstDisallowed:1"},
        {"FromPlatformNamed", "FROM --platform=linux/amd64 scratch AS build_amd64\n", ""},
        {"CopyIgnoredFile", "FROM scratch\nCOPY a b/c /\nADD b/c /\nCOPY --from=x a /\n",
         "CopyIgnoredFile:2 CopyIgnoredFile:2 CopyIgnoredFile:3", "a\nb\n"},
        {"CopyIgnoredRoot", "FROM scratch\nCOPY . /\n", "CopyIgnoredFile:2", "*\n"},
        {"CopyIgnoredTakenBack", "FROM scratch\nCOPY a /\n", "", "*\n!a/b\n"},
        {"InvalidDefinitionDescription", "# check=experimental=all\n\n# bar is it\nFROM scratch AS foo\n",
         "InvalidDefinitionDescription:4"},
        {"InvalidDefinitionDescriptionFits", "# check=experimental=all\n\n# foo is it\nFROM scratch AS foo\n", ""},
        {"ExposeProtoCasing", "FROM scratch\nEXPOSE 80/TcP\n", "ExposeProtoCasing:2"},
        {"ExposeInvalidFormat", "FROM scratch\nEXPOSE 127.0.0.1:80:80 5000:5000\n",
         "ExposeInvalidFormat:2 ExposeInvalidFormat:2"},
        {"Skipped", "# check=skip=FromAsCasing,StageNameCasing\nFROM scratch as A\n", ""},
        {"SkippedAll", "# check=skip=all\nFROM scratch as A\nCMD x\n", ""},
        {"SkippedHere", "FROM scratch\n# check=skip=JSONArgsRecommended\nCMD x\nENTRYPOINT y\n",
         "JSONArgsRecommended:4"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(BuildCheck, ErrorsAreAsked) {
  for (bool error : {true, false}) {
    auto file = must(parse_dockerfile(fmt::format("# check=error={}\nFROM scratch as a\n", error)));
    EXPECT_EQ(must(check_dockerfile(file, must(plan_stages(file)))).fails, error);
  }
  auto file = must(parse_dockerfile("# check=nonsense\nFROM scratch\n"));
  EXPECT_FALSE(check_dockerfile(file, must(plan_stages(file))));
}

}  // namespace
}  // namespace slipway::image
