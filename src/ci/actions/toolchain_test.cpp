// Providers of tools: on PATH, at other places, in a tool cache, or told what is missing.
#include "ci/actions/testing.h"

namespace slipway::ci {
namespace {

class ToolchainTest : public ActionsTest {
 protected:
  ToolchainTest() {
    own_path();
    for (auto& [name, says] : std::to_array<std::pair<const char*, const char*>>(
             {{"node", "v20.11.1"},
              {"python3", "Python 3.11.7"},
              {"python", "Python 3.11.7"},
              {"go", "go version go1.22.1 linux/amd64"},
              {"ruby", "ruby 3.2.1p31 (2023-02-08)"},
              {"dotnet", "8.0.100"},
              {"uv", "uv 0.5.1"},
              {"pnpm", "9.1.0"},
              {"deno", "deno 2.1.0 (stable)"},
              {"bun", "1.1.30"},
              {"php", "PHP 8.2.7 (cli)"},
              {"gradle", "Gradle 8.5"},
              {"golangci-lint", "golangci-lint has version 1.55.2 built with go1.21"},
              {"helm", "v3.14.0+g1"},
              {"kubectl", "Client Version: v1.29.0"},
              {"rustc", "rustc 1.80.0 (abc 2024-01-01)"},
              {"cargo", "cargo 1.80.0 (abc)"}}))
      tool(std::string("bin/") + name, says);
    tool("bin/java", "openjdk version \"17.0.9\" 2023");
  }
};

struct Case {
  const char* name;
  const char* step;  // after "uses: "
  const char* want;  // in what is said, printed or why it failed
};
class ToolchainTable : public ToolchainTest, public testing::WithParamInterface<Case> {};

TEST_P(ToolchainTable, Provides) {
  auto& c = GetParam();
  file("go.mod", "module x\ngo 1.21\n");
  file("new/go.mod", "module x\ngo 1.99\n");
  file("package.json", R"({"engines":{"node":">=18"},"packageManager":"pnpm@9.1.0"})");
  file(".ruby-version", "3.2\n");
  auto r = steps(
      fmt::format("- uses: actions/checkout@v4\n- id: t\n  uses: {}\n- run: echo '${{{{ toJSON(steps.t.outputs) }}}}'; "
                  "env | grep -E '^(JAVA_HOME|pythonLocation|DOTNET|NPM_CONFIG|UV_|PHP_|GOTOOLCHAIN)' || true\n",
                  c.step));
  auto all = r.output + r.words;
  EXPECT_TRUE(all.contains(c.want)) << all;
}

INSTANTIATE_TEST_SUITE_P(
    Table, ToolchainTable,
    testing::ValuesIn(std::to_array<Case>({
        {"Node", "actions/setup-node@v4\n  with: {node-version: 20.x}", "\"node-version\": \"v20.11.1\""},
        {"NodeFile", "actions/setup-node@v4\n  with: {node-version-file: package.json}",
         "Resolved package.json as >=18"},
        {"NodeLtsName", "actions/setup-node@v4\n  with: {node-version: lts/iron}", "\"v20.11.1\""},
        {"NodeLtsOther", "actions/setup-node@v4\n  with: {node-version: lts/jod}",
         "Node.js 22 is wanted, 20.11.1 is installed here"},
        {"NodeArchitecture", "actions/setup-node@v4\n  with: {node-version: 20, architecture: s390x}",
         "architecture s390x: this runner has"},
        {"NodeNoFile", "actions/setup-node@v4\n  with: {node-version-file: .nope}",
         "version file at: .nope does not exist"},
        {"NodeNoLock", "actions/setup-node@v4\n  with: {node-version: 20, cache: npm}",
         "Dependencies lock file is not found. Supported file patterns: package-lock.json"},
        {"NodeCacheKind", "actions/setup-node@v4\n  with: {node-version: 20, cache: bower}",
         "Caching for 'bower' is not supported, want npm, yarn or pnpm"},
        {"NodeUnknown", "actions/setup-node@v4\n  with: {node-versoin: 20}",
         "Unexpected input(s) 'node-versoin' (did you mean 'node-version'?)"},
        {"NodeRegistry", "actions/setup-node@v4\n  with: {registry-url: 'https://npm.example.org'}",
         "NPM_CONFIG_USERCONFIG="},
        {"Python", "actions/setup-python@v5\n  with: {python-version: '>=3.9,<4'}", "\"python-version\": \"3.11.7\""},
        {"PythonMissing", "actions/setup-python@v5\n  with: {python-version: '2.7'}", "Python 2.7 is wanted, "},
        {"PythonPypy", "actions/setup-python@v5\n  with: {python-version: pypy3.9}", "CPython alone is provided"},
        {"PythonLocation", "actions/setup-python@v5\n  with: {python-version: '3.11.7'}", "pythonLocation="},
        {"Go", "actions/setup-go@v5\n  with: {go-version: stable, cache: false}", "\"go-version\": \"1.22.1\""},
        {"GoMod", "actions/setup-go@v5\n  with: {go-version-file: go.mod}", "GOTOOLCHAIN=local"},
        {"GoModNewer", "actions/setup-go@v5\n  with: {go-version-file: new/go.mod}", "Go >=1.99 is wanted, "},
        {"GoNoSum", "actions/setup-go@v5\n  with: {go-version: '1.22'}",
         "Supported file patterns: go.sum: nothing is kept"},
        {"Java", "actions/setup-java@v4\n  with: {java-version: 17, distribution: temurin}", "\"version\": \"17.0.9\""},
        {"JavaHome", "actions/setup-java@v4\n  with: {java-version: 17, distribution: temurin}", "JAVA_HOME="},
        {"JavaNone", "actions/setup-java@v4\n  with: {distribution: temurin}",
         "not supplied: java-version or java-version-file"},
        {"Dotnet", "actions/setup-dotnet@v4\n  with: {dotnet-version: 8.0.x}", "\"dotnet-version\": \"8.0.100\""},
        {"DotnetMissing", "actions/setup-dotnet@v4\n  with: {dotnet-version: 5.0.x}",
         ".NET SDK 5.0.x is wanted, 8.0.100 is installed here"},
        {"Ruby", "ruby/setup-ruby@v1", "Resolved ./.ruby-version as 3.2"},
        {"RubyOther", "ruby/setup-ruby@v1\n  with: {ruby-version: jruby-9.4}", "released CRuby alone is provided"},
        {"Uv", "astral-sh/setup-uv@v5\n  with: {version: '>=0.5'}", "\"uv-version\": \"0.5.1\""},
        {"UvCacheFolder", "astral-sh/setup-uv@v5", "UV_CACHE_DIR="},
        {"Pnpm", "pnpm/action-setup@v4", "Resolved package.json as 9.1.0"},
        {"Deno", "denoland/setup-deno@v2\n  with: {deno-version: v2.x}", "\"deno-version\": \"2.1.0\""},
        {"Bun", "oven-sh/setup-bun@v2\n  with: {bun-version: latest}", "\"bun-version\": \"1.1.30\""},
        {"Php", "shivammathur/setup-php@v2\n  with: {php-version: '8.2'}", "\"php-version\": \"8.2.7\""},
        {"PhpExtension", "shivammathur/setup-php@v2\n  with: {php-version: '8.2', extensions: 'mbstring, intl'}",
         "PHP 8.2.7 here lacks the extension(s) mbstring, intl"},
        {"PhpIni", "shivammathur/setup-php@v2\n  with: {php-version: '8.2', ini-values: memory_limit=1G}",
         "PHP_INI_SCAN_DIR=:"},
        {"Gradle", "gradle/actions/setup-gradle@v4\n  with: {gradle-version: '8.5', cache-disabled: true}",
         "\"gradle-version\": \"8.5.0\""},
        {"GolangciLint", "golangci/golangci-lint-action@v6\n  with: {version: v1.55, args: --timeout=5m}",
         "' run --timeout=5m"},
        {"GolangciOther", "golangci/golangci-lint-action@v6\n  with: {version: v2.1}",
         "golangci-lint v2.1 is wanted, 1.55.2 is installed here"},
        {"Helm", "azure/setup-helm@v4\n  with: {version: v3.14.0}", "\"helm-path\":"},
        {"Kubectl", "azure/setup-kubectl@v4\n  with: {version: v1.30.0}", "kubectl v1.30.0 is wanted, "},
        {"Kind", "helm/kind-action@v1", "this runner makes no clusters"},
        {"RustStable", "dtolnay/rust-toolchain@stable", "\"name\": \"stable\""},
        {"RustChannel", "dtolnay/rust-toolchain@1.80", "satisfies \"1.80\""},
        {"RustOlder", "dtolnay/rust-toolchain@1.60", "Rust 1.60 is wanted, "},
        {"RustNightly", "dtolnay/rust-toolchain@nightly", "Rust nightly is wanted, "},
        {"RustMaster", "dtolnay/rust-toolchain@master", "not supplied: toolchain"},
        {"Cargo", "actions-rs/cargo@v1\n  with: {command: build, args: --release}", "cargo 'build' --release"},
        {"CargoCross", "actions-rs/cargo@v1\n  with: {command: build, use-cross: true}",
         "cross builds in images from elsewhere"},
        {"RustCache", "Swatinem/rust-cache@v2\n  with: {shared-key: s}", "Cache not found for key: v0-rust-s-Linux-"},
    })),
    [](const auto& i) { return i.param.name; });

TEST_F(ToolchainTest, TheToolCacheHoldsWhatThePathLacks) {
  auto r = steps(R"W(
- run: |
    for v in 18.20.1 22.3.0 23.0.0; do
      d="$RUNNER_TOOL_CACHE/node/$v/$( [ "$RUNNER_ARCH" = ARM64 ] && echo arm64 || echo x64 )"
      mkdir -p "$d/bin"; printf '#!/bin/sh\necho v%s\n' "$v" > "$d/bin/node"; chmod +x "$d/bin/node"
      [ "$v" = 23.0.0 ] || touch "$d.complete"
    done
- {id: n, uses: actions/setup-node@v4, with: {node-version: '>=22'}}
- run: node --version
- {uses: actions/setup-node@v4, with: {node-version: 18}}
- run: node --version
- {uses: actions/setup-node@v4, with: {node-version: 23}}
)W");
  EXPECT_TRUE(r.output.starts_with("v22.3.0\nv18.20.1\n")) << r.output << r.words;
  EXPECT_TRUE(r.words.contains("Node.js 23 is wanted, ")) << r.words;
  EXPECT_TRUE(r.words.contains("22.3.0 (")) << r.words;
}

TEST_F(ToolchainTest, DependenciesAreKeptBetweenRuns) {
  file("package-lock.json", "{}");
  const std::string text = R"W(
- uses: actions/checkout@v4
- {id: n, uses: actions/setup-node@v4, with: {node-version: 20, cache: npm}}
- run: echo "hit=${{ steps.n.outputs.cache-hit }} $(cat ~/.npm/x 2>/dev/null)"; mkdir -p ~/.npm; echo kept > ~/.npm/x
)W";
  auto first = steps(text);
  EXPECT_EQ(first.output, "hit=false \n") << first.words;
  auto second = steps(text);
  EXPECT_EQ(second.output, "hit=true kept\n") << second.words;
}

TEST_F(ToolchainTest, NpmrcSaysWhereAndWithWhat) {
  auto r = steps(
      "- uses: actions/setup-node@v4\n  with: {registry-url: 'https://npm.example.org', scope: '@Shop'}\n"
      "- run: cat \"$NPM_CONFIG_USERCONFIG\"; echo \"$NODE_AUTH_TOKEN\"\n");
  EXPECT_EQ(r.output,
            "//npm.example.org/:_authToken=${NODE_AUTH_TOKEN}\n@shop:registry=https://npm.example.org/\n"
            "XXXXX-XXXXX-XXXXX-XXXXX\n")
      << r.words;
}

TEST_F(ToolchainTest, WrappersAreComparedWithTheChecksumsGiven) {
  file("gradle/wrapper/gradle-wrapper.jar", "no jar");
  auto r = steps("- uses: actions/checkout@v4\n- uses: gradle/actions/wrapper-validation@v4\n");
  EXPECT_TRUE(r.words.contains("1 of 1 Gradle Wrapper jars are not what they should be")) << r.words;
  file("gradle/wrapper/gradle-wrapper.jar", "PK\x03\x04rest");
  auto sum = sha256_hex("PK\x03\x04rest");
  auto fine = steps(fmt::format(
      "- uses: actions/checkout@v4\n- uses: gradle/actions/wrapper-validation@v4\n  with: {{allow-checksums: {}}}\n",
      sum));
  EXPECT_EQ(fine.conclusions(), "j=success") << fine.words;
}

}  // namespace
}  // namespace slipway::ci
