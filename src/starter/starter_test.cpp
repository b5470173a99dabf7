#include "starter/starter.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "base/text.h"
#include "ci/plan.h"
#include "lint/lint.h"
#include "manifest/kustomize.h"
#include "path/findings.h"

namespace slipway::starter {
namespace {

// Repositories as people have them, one file in testdata each: "== PATH" starts a file.
class Fake final : public manifest::FileSource {
 public:
  explicit Fake(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  Result<std::optional<std::string>> read(const std::string& path) override {
    auto found = files_.find(path);
    return found == files_.end() ? std::optional<std::string>() : std::optional(found->second);
  }
  Result<std::vector<Entry>> list(const std::string& folder) override {
    std::map<std::string, bool> names;
    for (const auto& [path, text] : files_) {
      if (!folder.empty() && !path.starts_with(folder + "/")) continue;
      auto rest = path.substr(folder.empty() ? 0 : folder.size() + 1);
      names[rest.substr(0, rest.find('/'))] = rest.contains('/');
    }
    std::vector<Entry> entries;
    for (const auto& [name, is_folder] : names) entries.push_back({name, is_folder});
    return entries;
  }
  Result<bool> is_dir(const std::string& path) override { return !files_.contains(path); }

 private:
  std::map<std::string, std::string> files_;
};

std::map<std::string, std::string> repository(const fs::path& file) {
  std::map<std::string, std::string> files;
  std::string* now = nullptr;
  auto text = must(read_file(file));
  for (auto line : lines(text)) {
    if (line.starts_with("== "))
      now = &files[std::string(line.substr(3))];
    else if (now != nullptr)
      *now += std::string(line) + "\n";
  }
  return files;
}

Facts look_at(std::map<std::string, std::string> files, const std::string& name = "shop") {
  Fake source(std::move(files));
  return must(look(Ctx{}, source, name));
}

std::string print(const Facts& facts) {
  std::string out;
  for (const auto& reason : facts.reasons) out += fmt::format("{}: {} ({})\n", reason.what, reason.value, reason.why);
  if (auto workflow = workflow_file(facts)) out += fmt::format("== {}\n{}", workflow->path, workflow->text);
  for (const auto& file : config_files(facts))
    if (file.path == "base/deployment.yaml" || file.path == "apps/pipeline.yaml")
      out += fmt::format("== {}\n{}", file.path, file.text);
  return out;
}

class Repositories : public testing::TestWithParam<const char*> {};

TEST_P(Repositories, GetAPath) {
  auto folder = fs::path(SLIPWAY_TESTDATA);
  auto facts = look_at(repository(folder / (std::string(GetParam()) + ".txt")));
  golden(folder / (std::string(GetParam()) + ".golden"), print(facts));
  if (auto workflow = workflow_file(facts)) {
    auto parsed = ci::parse_workflow(workflow->text, workflow->path);
    ASSERT_TRUE(parsed) << parsed.error().print() << workflow->text;
  }
}
INSTANTIATE_TEST_SUITE_P(Starter, Repositories,
                         testing::Values("go", "node", "python", "rust", "maven", "gradle", "cmake", "make",
                                         "own-workflow", "several", "compose"));

// What is written must be what the other rooms read: kustomize builds it, lint finds nothing wrong in it.
TEST(Starter, OverlaysBuildAndAreFreeOfErrors) {
  auto folder = must(TempDir::make("starter"));
  auto facts = look_at(repository(fs::path(SLIPWAY_TESTDATA) / "go.txt"));
  for (const auto& file : config_files(facts)) {
    ASSERT_TRUE(make_dirs((folder.path() / file.path).parent_path()));
    ASSERT_TRUE(write_file(folder.path() / file.path, file.text));
  }
  for (const char* environment : {"dev", "staging", "production"}) {
    auto objects = manifest::kustomize_build(Ctx{}, folder.path() / "overlays" / environment);
    ASSERT_TRUE(objects) << environment << ": " << objects.error().print();
    golden(fs::path(SLIPWAY_TESTDATA) / (std::string(environment) + ".yaml"), manifest::print_objects(*objects));
  }
  for (const auto& finding : must(lint::lint_folder(Ctx{}, folder.path())))
    EXPECT_NE(path::level_of(finding), "error") << finding.place.print() << " " << finding.message;
}

TEST(Starter, NamesAreMadeFit) {
  std::map<std::string, std::string> files{{"Dockerfile", "FROM scratch\nCOPY app /app\nEXPOSE 80\n"}};
  EXPECT_EQ(look_at(files, "My_App.io").name, "my-app-io");
  EXPECT_EQ(look_at(files, "2048-game").name, "game");
  Fake source(files);
  auto none = look(Ctx{}, source, "42");
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(Kind::invalid));
}

TEST(Starter, WithoutADockerfileItSaysSo) {
  Fake source({{"main.go", "package main\n"}, {"examples/Dockerfile", "FROM scratch\n"}});
  auto none = look(Ctx{}, source, "shop");
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(Kind::not_found)) << none.error().what();
  EXPECT_FALSE(none.error().hint().empty());
}

TEST(Starter, ADockerfileThatIsWrongIsNamedWithItsLine) {
  Fake source(std::map<std::string, std::string>{{"Dockerfile", "FROM scratch\nRUNN x\n"}});
  auto wrong = look(Ctx{}, source, "shop");
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().what().contains("Dockerfile:2")) << wrong.error().what();
}

TEST(Starter, TheContextIsWhereTheCopiedFilesAre) {
  EXPECT_EQ(look_at({{"build/Dockerfile", "FROM scratch\nCOPY src/app /app\n"}, {"src/app", "x"}}).context, ".");
  EXPECT_EQ(look_at({{"server/Dockerfile", "FROM scratch\nCOPY app /app\n"}, {"server/app", "x"}}).context, "server");
}

TEST(Starter, ImagesThatAreCopiedOrMountedFromAreBasesToo) {
  auto facts =
      look_at({{"Dockerfile",
                "FROM golang:1 AS build\nRUN --mount=type=bind,from=tools/lint:2,target=/l true\nFROM unused:1 AS "
                "other\nFROM scratch\nCOPY --from=build /a /a\nCOPY --from=alpine:3 /etc/ssl /etc/ssl\n"}});
  EXPECT_EQ(facts.bases, (std::vector<std::string>{"golang:1", "tools/lint:2", "alpine:3"}));
}

TEST(Starter, WithoutAnExposedPortItIsWhereTheSourcesListen) {
  std::string dockerfile = "FROM scratch\nCOPY a /a\n";
  EXPECT_EQ(look_at({{"Dockerfile", dockerfile}, {"main.go", "log.Fatal(http.ListenAndServe(\":80\", nil))\n"}}).port,
            80);
  EXPECT_EQ(look_at({{"Dockerfile", dockerfile}, {"server.js", "app.listen(process.env.PORT || 3000)\n"}}).port, 3000);
  EXPECT_EQ(look_at({{"Dockerfile", dockerfile}, {"app.py", "app.run(host='0.0.0.0', port=8000)\n"}}).port, 8000);
  EXPECT_EQ(look_at({{"Dockerfile", dockerfile + "CMD [\"gunicorn\", \"-b\", \"0.0.0.0:5000\"]\n"}}).port, 5000);
  EXPECT_EQ(look_at({{"Dockerfile", dockerfile}, {"tests/app.js", "app.listen(1)\n"}}).port, 8080);
}

TEST(Starter, VariablesOfBasesAndPortsAreResolved) {
  auto facts = look_at(
      {{"Dockerfile", "ARG TAG=20\nFROM node:${TAG}-alpine AS build\nFROM build\nENV PORT=3000\nEXPOSE $PORT\n"}});
  EXPECT_EQ(facts.bases, std::vector<std::string>{"node:20-alpine"});
  EXPECT_EQ(facts.port, 3000);
}

}  // namespace
}  // namespace slipway::starter
