#include "ci/actions/version_file.h"

#include "base/testing/golden.h"

namespace slipway::ci {
namespace {

struct Case {
  const char* name;
  const char* tool;
  const char* file;
  const char* text;
  const char* want;
};
class VersionFileTable : public testing::TestWithParam<Case> {};

TEST_P(VersionFileTable, Says) {
  auto& c = GetParam();
  auto got = parse_version_file(c.tool, c.file, c.text);
  EXPECT_EQ(got ? (got->at_least ? ">=" : "") + got->range : "error: " + got.error().what(), c.want);
}

INSTANTIATE_TEST_SUITE_P(
    Table, VersionFileTable,
    testing::ValuesIn(std::to_array<Case>({
        {"Nvmrc", "node", ".nvmrc", "v20.11.0\n", "20.11.0"},
        {"NvmrcWord", "node", ".nvmrc", "# ours\nlts/iron\n", "lts/iron"},
        {"NodeVersion", "node", ".node-version", "20\n", "20"},
        {"Engines", "node", "package.json", R"({"engines":{"node":">=18 <21"}})", ">=18 <21"},
        {"Volta", "node", "package.json", R"({"volta":{"node":"20.1.0"},"engines":{"node":"18"}})", "20.1.0"},
        {"DevEngines", "node", "package.json", R"({"devEngines":{"runtime":{"name":"node","version":"^22"}}})", "^22"},
        {"DevEnginesList", "bun", "package.json",
         R"({"devEngines":{"runtime":[{"name":"node","version":"1"},{"name":"bun","version":"1.1"}]}})", "1.1"},
        {"NoEngines", "node", "package.json", "{}", ""},
        {"BrokenJson", "node", "package.json", "{", "error: package.json:1:2: want a key in double quotes"},
        {"PackageManager", "pnpm", "package.json", R"({"packageManager":"pnpm@9.1.0+sha512.abc"})", "9.1.0"},
        {"OtherManager", "pnpm", "package.json", R"({"packageManager":"yarn@4.0.0"})", ""},
        {"PythonVersion", "python", ".python-version", "3.11.7\n", "3.11.7"},
        {"Project", "python", "pyproject.toml", "[project]\nrequires-python = \">=3.9,<4\"  # yes\n", ">=3.9,<4"},
        {"Poetry", "python", "pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.10\"\n", "^3.10"},
        {"PoetryTable", "python", "pyproject.toml", "[tool.poetry.dependencies]\npython = { version = \"^3.8\" }\n",
         "^3.8"},
        {"OtherSection", "python", "pyproject.toml", "[tool.x]\nrequires-python = \"2\"\n", ""},
        {"Pipfile", "python", "Pipfile", "[requires]\npython_version = \"3.9\"\n", "3.9"},
        {"GoMod", "go", "go.mod", "module x\n\ngo 1.21 // least\n", ">=1.21"},
        {"GoModToolchain", "go", "go.mod", "module x\ngo 1.21\ntoolchain go1.22.3\n", ">=1.22.3"},
        {"GoWork", "go", "go.work", "go 1.20\nuse ./a\n", ">=1.20"},
        {"GoVersion", "go", ".go-version", "go1.22.1\n", "1.22.1"},
        {"JavaVersion", "java", ".java-version", "temurin-17.0.9+9\n", "17.0.9"},
        {"Sdkman", "java", ".sdkmanrc", "# x\njava=21.0.1-tem\n", "21.0.1"},
        {"ToolVersions", "node", ".tool-versions", "python 3.11\nnodejs 20.1.0 18.0.0 # two\n", "20.1.0"},
        {"ToolVersionsGo", "go", ".tool-versions", "golang 1.22\n", "1.22"},
        {"ToolVersionsJava", "java", ".tool-versions", "java temurin-17.0.1+12\n", "17.0.1"},
        {"ToolVersionsNone", "ruby", ".tool-versions", "nodejs 20\n", ""},
        {"RubyVersion", "ruby", ".ruby-version", "ruby-3.2.1\n", "3.2.1"},
        {"Gemfile", "ruby", "Gemfile", "source 'x'\nruby '3.1.2'\n", "3.1.2"},
        {"GlobalJson", "dotnet", "global.json", R"({"sdk":{"version":"8.0.100"}})", "8.0.100"},
        {"RustToolchain", "rust", "rust-toolchain.toml", "[toolchain]\nchannel = \"1.75.0\"\n", "1.75.0"},
        {"RustToolchainPlain", "rust", "rust-toolchain", "nightly-2024-01-01\n", "nightly-2024-01-01"},
        {"Mise", "node", "mise.toml", "[tools]\nnode = '22'\n", "22"},
        {"Uv", "uv", "pyproject.toml", "[tool.uv]\nrequired-version = \">=0.5\"\n", ">=0.5"},
        {"Mark", "node", ".nvmrc",
         "\xef\xbb\xbf"
         "20\n",
         "20"},
        {"Empty", "node", ".nvmrc", "", ""},
    })),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::ci
