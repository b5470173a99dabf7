#include "ci/run/matchers.h"

#include "ci/testing.h"

namespace slipway::ci {
namespace {

constexpr const char* one_line =
    R"j({"problemMatcher":[{"owner":"cc","severity":"warning","pattern":[{"regexp":"^(.+):(\\d+):(\\d+): (error|warning): (.*)$","file":1,"line":2,"column":3,"severity":4,"message":5}]}]})j";
constexpr const char* many_lines =
    R"j({"problemMatcher":[{"owner":"lint","severity":"notice","pattern":[{"regexp":"^([^\\s].*)$","file":1},{"regexp":"^\\s+(\\d+):(\\d+)\\s+(?:(error|warning)\\s+)?(.+?)\\s+(\\S+)$","line":1,"column":2,"severity":3,"message":4,"code":5,"loop":true}]}]})j";

std::string issues(const char* json, std::string_view text) {
  Matchers matchers;
  if (auto added = matchers.add(json, "m.json"); !added) return "error: " + added.error().what();
  std::string out;
  for (auto line : lines(text))
    if (auto i = matchers.match(line))
      out += fmt::format("{} {}:{}:{} {} [{}]\n", i->severity, i->file, i->line, i->column, i->message, i->code);
  return out;
}

struct Case {
  const char* name;
  const char* json;
  const char* text;
  const char* want;
};
class MatchersTable : public testing::TestWithParam<Case> {};
TEST_P(MatchersTable, FindsIssues) { EXPECT_EQ(issues(GetParam().json, GetParam().text), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(
    Table, MatchersTable,
    testing::ValuesIn(std::to_array<Case>({
        {"OneLine", one_line, "a.c:3:7: error: no such thing\nok", "error a.c:3:7 no such thing []\n"},
        {"LoopKeepsTheFile", many_lines,
         "a.js\n  1:2  error  Bad thing  semi\n  3:4  Other  x\nb.js\n  5:6  warning  W  y\n",
         "error a.js:1:2 Bad thing [semi]\nnotice a.js:3:4 Other [x]\nwarning b.js:5:6 W [y]\n"},
        {"ALineThatDoesNotGoOnMayBeAFirstOne", many_lines, "noise\na.js\n  1:2  error  Bad  semi",
         "error a.js:1:2 Bad [semi]\n"},
        {"NoMessage", R"j({"problemMatcher":[{"owner":"a","pattern":[{"regexp":"x"}]}]})j", "",
         "error: m.json: matcher 'a': its last pattern gives no message"},
        {"LoopOfOne", R"j({"problemMatcher":[{"owner":"a","pattern":[{"regexp":"(x)","message":1,"loop":true}]}]})j",
         "", "error: m.json: matcher 'a': only the last of several patterns may loop"},
        {"NoPattern", R"j({"problemMatcher":[{"owner":"a","pattern":[]}]})j", "",
         "error: m.json: matcher 'a' has no pattern"},
        {"NotAMatcher", "{}", "", "error: m.json: want \"problemMatcher\", a list"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Matchers, TellsWhichGroupIsNotThere) {
  Matchers matchers;
  auto added =
      matchers.add(R"j({"problemMatcher":[{"owner":"a","pattern":[{"regexp":"(x)","message":2}]}]})j", "m.json");
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().what().find("group 2 is not in the expression, which has 1"), std::string::npos)
      << added.error().what();
  added = matchers.add(R"j({"problemMatcher":[{"owner":"a","pattern":[{"regexp":"(?=x)","message":1}]}]})j", "m.json");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().hint(), "patterns are RE2: without look-around and back references");
}

TEST(Matchers, OwnersReplaceEachOtherAndGo) {
  Matchers matchers;
  must(matchers.add(one_line, "m.json"));
  must(matchers.add(one_line, "m.json"));
  EXPECT_TRUE(matchers.match("a.c:3:7: error: x"));
  matchers.remove("CC");
  EXPECT_TRUE(matchers.empty());
}

using MatcherRunTest = RunnerTest;
TEST_F(MatcherRunTest, LinesBecomeAnnotations) {
  file("m.json", one_line);
  file("src/a.c", "x");
  auto ran = run(R"(on: push
jobs:
  a:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo '::add-matcher::m.json'
          printf '\033[1msrc/a.c\033[0m:3:7: error: bad\n'
          echo "$GITHUB_WORKSPACE/src/a.c:4:1: warning: why"
          echo 'nowhere.c:1:1: error: gone'
          echo '::remove-matcher owner=cc::'
          echo 'src/a.c:9:9: error: not seen'
)");
  std::string found;
  for (auto& a : ran.job("a").annotations) found += fmt::format("{}: {}\n", a.place.print(), a.message);
  EXPECT_EQ(found, "src/a.c:3:7: bad\nsrc/a.c:4:1: why\n: gone\n") << ran.words;
  EXPECT_NE(ran.words.find("##[error]src/a.c:3:7: error: bad"), std::string::npos) << ran.words;
  EXPECT_NE(ran.words.find("nowhere.c"), std::string::npos);
  EXPECT_EQ(ran.output, "src/a.c:9:9: error: not seen\n");
}

}  // namespace
}  // namespace slipway::ci
