#include "image/dockerfile.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "image/expand.h"
#include "image/stages.h"

namespace slipway::image {
namespace {

TEST(DockerfileCorpus, ParsesAsBuildKitDoes) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora";
  int cases = 0;
  for (const auto& name : must(list_dir(*root / "dockerfiles/parser/testfiles"))) {
    auto folder = *root / "dockerfiles/parser/testfiles" / name;
    auto file = parse_dockerfile(must(read_file(folder / "Dockerfile")));
    ASSERT_TRUE(file) << name << ": " << file.error().what();
    EXPECT_EQ(std::string(trim(print_tree(*file))), std::string(trim(must(read_file(folder / "result"))))) << name;
    ++cases;
  }
  EXPECT_EQ(cases, 33);
}

TEST(DockerfileCorpus, RefusesWhatBuildKitRefuses) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora";
  for (const auto& name : must(list_dir(*root / "dockerfiles/parser/testfiles-negative")))
    EXPECT_FALSE(
        parse_dockerfile(must(read_file(*root / "dockerfiles/parser/testfiles-negative" / name / "Dockerfile"))))
        << name;
}

TEST(DockerfileCorpus, KnowsTheLinesOfInstructions) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora";
  auto file = must(parse_dockerfile(must(read_file(*root / "dockerfiles/parser/testfile-line/Dockerfile"))));
  std::string got;
  for (const auto& i : file.instructions) got += fmt::format("{}-{} ", i.line, i.end_line);
  EXPECT_EQ(got, "5-5 11-12 17-31 ");
}

TEST(DockerfileCorpus, RealOnesParse) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora";
  int parsed = 0, empty = 0;
  for (const auto& entry : fs::recursive_directory_iterator(*root / "dockerfiles/real")) {
    if (!entry.is_regular_file()) continue;
    auto file = parse_dockerfile(must(read_file(entry.path())), entry.path().native());
    // Two of them hold no instruction at all, which BuildKit refuses as well.
    bool nothing = !file && file.error().what().find(": no instructions") != std::string::npos;
    EXPECT_TRUE(file || nothing) << file.error().what();
    parsed += file ? 1 : 0;
    empty += nothing ? 1 : 0;
  }
  EXPECT_EQ(parsed, 646);
  EXPECT_EQ(empty, 2);
}

// Other builders' own Dockerfiles: parsed and planned, or refused with a place.
TEST(DockerfileCorpus, BuildersTestsArePlanned) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora";
  int planned = 0, refused = 0;
  for (const char* folder : {"integration", "kaniko-dockerfiles"}) {
    for (const auto& entry : fs::recursive_directory_iterator(*root / "dockerfiles" / folder)) {
      if (!entry.is_regular_file()) continue;
      auto file = parse_dockerfile(must(read_file(entry.path())), entry.path().filename().native());
      auto plan = file ? plan_stages(*file) : Fail(std::move(file).error());
      planned += plan ? 1 : 0;
      refused += plan ? 0 : 1;
      if (!plan && std::getenv("SLIPWAY_SHOW") != nullptr) fmt::print("{}\n", plan.error().what());
      if (!plan) {
        EXPECT_NE(plan.error().what().find(":"), std::string::npos);
      }
    }
  }
  EXPECT_GT(planned, refused * 9) << planned << " planned, " << refused << " refused";
}

TEST(ExpandCorpus, VariablesAsBuildKit) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora";
  auto text = must(read_file(*root / "dockerfiles/shell/envVarTest"));
  Lookup lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "PWD") return "/home";
    if (name == "SHELL") return "bash";
    if (name == "KOREAN") return "한국어";
    if (name == "NULL") return "";
    return std::nullopt;
  };
  int cases = 0;
  for (auto raw : lines(text)) {
    auto line = trim(raw);
    auto parts = split(line, '|');
    if (line.empty() || line.starts_with('#') || parts.size() != 3 || trim(parts[0]) == "W") continue;
    auto got = expand(trim(parts[1]), lookup);
    EXPECT_EQ(got ? *got : "error", std::string(trim(parts[2]))) << line << (got ? "" : got.error().what());
    ++cases;
  }
  EXPECT_GT(cases, 200);
}

TEST(ExpandCorpus, WordsAsBuildKit) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora";
  auto text = must(read_file(*root / "dockerfiles/shell/wordsTest"));
  std::map<std::string, std::string, std::less<>> env;
  Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
    auto it = env.find(name);
    return it == env.end() ? std::nullopt : std::optional(it->second);
  };
  for (auto line : lines(text)) {
    if (trim(line).empty() || line.starts_with('#')) continue;
    if (line.starts_with("ENV ")) {
      auto parts = *cut(line.substr(4), "=");
      env[std::string(trim(parts.first))] = parts.second;
      continue;
    }
    auto parts = *cut(line, "|");
    auto want = parts.second;
    while (want.starts_with(' ')) want.remove_prefix(1);
    auto got = expand_words(trim(parts.first), lookup);
    EXPECT_EQ(got ? join(*got, ",") : "error", std::string(want)) << line;
  }
}

struct ExpandCase {
  const char *name, *word, *want;
};
class Expand : public testing::TestWithParam<ExpandCase> {};
TEST_P(Expand, Gives) {
  Lookup lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "x") return "foo.tar.gz";
    if (name == "path") return "a/b/c";
    if (name == "e") return "";
    return std::nullopt;
  };
  auto got = expand(GetParam().word, lookup);
  EXPECT_EQ(got ? *got : "error: " + got.error().what(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Table, Expand,
                         testing::ValuesIn(std::to_array<ExpandCase>({
                             {"ShortestSuffix", "${x%.*}", "foo.tar"},
                             {"LongestSuffix", "${x%%.*}", "foo"},
                             {"ShortestPrefix", "${path#*/}", "b/c"},
                             {"LongestPrefix", "${path##*/}", "c"},
                             {"QuestionMark", "${x#f?o}", ".tar.gz"},
                             {"ReplaceFirst", "${path/\\//-}", "a-b/c"},
                             {"ReplaceAll", "${path//\\//-}", "a-b-c"},
                             {"ReplaceGreedy", "${x/o*r/X}", "fX.gz"},
                             {"MessageOfUnset", "${nope:?set it}", "error: nope: set it"},
                             {"EmptyRefused", "${e:?}", "error: e: is not allowed to be empty"},
                             {"EmptyTaken", "${e?}", ""},
                             {"Nested", "${nope:-${e:-${x}}}", "foo.tar.gz"},
                         })),
                         [](const auto& i) { return i.param.name; });

struct ErrorCase {
  const char *name, *text, *want;
};
class DockerfileError : public testing::TestWithParam<ErrorCase> {};
TEST_P(DockerfileError, Says) {
  auto file = parse_dockerfile(GetParam().text);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().what(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, DockerfileError,
    testing::ValuesIn(std::to_array<ErrorCase>({
        {"Empty", "", "Dockerfile:1:1: no instructions, want at least a FROM"},
        {"EnvWithoutValue", "FROM x\n  ENV A\n", "Dockerfile:2:3: ENV must have two arguments\n  2 |   ENV A"},
        {"OpenHeredoc", "FROM x\nRUN <<EOF\necho\n",
         "Dockerfile:2:1: heredoc is not closed: no line \"EOF\" follows\n  2 | RUN <<EOF"},
        {"TwoEscapes", "# escape=`\n# escape=`\nFROM x\n",
         "Dockerfile:2:1: only one escape directive can be used\n  2 | # escape=`"},
        {"JsonOfNumbers", "CMD [1]\n", "Dockerfile:1:1: a JSON list here may hold strings only\n  1 | CMD [1]"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Dockerfile, ReadsHeredocs) {
  auto file =
      must(parse_dockerfile("FROM x\nRUN <<EOF cat <<-'TWO' 3<<\"A B\"\none $x\nEOF\n\ttwo\n\tTWO\nthree\nA B\nCOPY "
                            "<<a <<b /d/\n1\na\n2\nb\nRUN <<.\nx\n.\n"));
  std::string got;
  for (const auto& i : file.instructions)
    for (const auto& h : i.heredocs)
      got += fmt::format("{}:{} {}{}{} {:?}\n", i.line, h.fd, h.name, h.expand ? "" : " quoted",
                         h.strip_tabs ? " tabs" : "", h.content);
  EXPECT_EQ(got,
            "2:0 EOF \"one $x\\n\"\n2:0 TWO quoted tabs \"\\ttwo\\n\"\n2:3 A B quoted \"three\\n\"\n"
            "9:0 a \"1\\n\"\n9:0 b \"2\\n\"\n14:0 . \"x\\n\"\n");
}

}  // namespace
}  // namespace slipway::image
