#include "image/ignore.h"

#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::image {
namespace {

struct Case {
  const char *name, *patterns, *path;
  bool excluded;
};
class Ignore : public testing::TestWithParam<Case> {};
TEST_P(Ignore, Decides) {
  EXPECT_EQ(must(IgnoreList::parse(GetParam().patterns)).excludes(GetParam().path), GetParam().excluded);
}
INSTANTIATE_TEST_SUITE_P(Table, Ignore,
                         testing::ValuesIn(std::to_array<Case>({
                             {"Plain", "a", "a", true},
                             {"PlainIsAtTheTop", "a", "b/a", false},
                             {"LeadingSlash", "/a", "a", true},
                             {"TrailingSlash", "a/", "a", true},
                             {"BelowAFolder", "a", "a/b/c", true},
                             {"DotExcludesNothing", ".", "a", false},
                             {"CleanedPath", "a/../b/./c", "b/c", true},
                             {"CommentOnlyInColumnOne", " #a", "#a", true},
                             {"Comment", "#a", "#a", false},
                             {"StarStaysInAComponent", "*.md", "x/y.md", false},
                             {"Star", "*.md", "y.md", true},
                             {"StarInFolder", "*/temp*", "a/temporary.txt", true},
                             {"DoubleStar", "**/*.md", "x/z/y.md", true},
                             {"DoubleStarAtTop", "**/*.md", "y.md", true},
                             {"DoubleStarEnd", "a/**", "a/b", true},
                             {"DoubleStarEndNotItself", "a/**", "a", false},
                             {"DoubleStarMiddle", "a/**/z", "a/b/c/z", true},
                             {"DoubleStarMiddleZero", "a/**/z", "a/z", true},
                             {"QuestionMark", "a?c", "abc", true},
                             {"QuestionMarkNoSlash", "a?c", "a/c", false},
                             {"QuestionMarkWholeCharacter", "a?c", "aüc", true},
                             {"Class", "[a-c]x", "bx", true},
                             {"ClassNegated", "[^a-c]x", "bx", false},
                             {"Escape", "a\\*", "a*", true},
                             {"EscapeNotStar", "a\\*", "ab", false},
                             {"TakenBack", "*\n!keep", "keep", false},
                             {"TakenBackBelow", "dir\n!dir/keep", "dir/keep", false},
                             {"LastWins", "!a\na", "a", true},
                             {"Allowlist", "*\n!src\n!src/**\nsrc/x", "src/x", true},
                             {"AllowlistKept", "*\n!src", "src/deep/file", false},
                             {"Bom",
                              "\xEF\xBB\xBF"
                              "a",
                              "a", true},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST(Ignore, RefusesBrokenPatterns) {
  EXPECT_EQ(IgnoreList::parse("ok\n[a").error().what(), ".dockerignore:2:1: pattern \"[a\": broken [ ]");
  EXPECT_EQ(IgnoreList::parse("!").error().what(), ".dockerignore:1:1: a lone ! keeps nothing");
  EXPECT_EQ(IgnoreList::parse("a\\").error().what(), ".dockerignore:1:1: pattern \"a\\\\\": ends in a lone backslash");
}

TEST(Ignore, HostilePatternsEnd) {
  std::string stars;
  for (int i = 0; i < 30; ++i) stars += "**a";
  EXPECT_FALSE(must(IgnoreList::parse(stars + "b")).excludes(std::string(200, 'a')));
}

}  // namespace
}  // namespace slipway::image
