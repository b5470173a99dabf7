// actions/setup-node, -python, -go, -java.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/toolchain.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

// lts/iron is 20; lts/* and lts/-1 are even majors, which is all that can be said without a list from elsewhere.
std::string node_range(std::string range) {
  constexpr std::pair<std::string_view, int> names[] = {
      {"argon", 4},    {"boron", 6},     {"carbon", 8}, {"dubnium", 10}, {"erbium", 12}, {"fermium", 14},
      {"gallium", 16}, {"hydrogen", 18}, {"iron", 20},  {"jod", 22},     {"krypton", 24}};
  auto word = lower(range);
  if (!word.starts_with("lts/")) return range;
  for (auto& [name, major] : names)
    if (word.substr(4) == name) return std::to_string(major);
  return "4 || 6 || 8 || 10 || 12 || 14 || 16 || 18 || 20 || 22 || 24 || 26 || 28 || 30";
}

Result<Dependencies> node_cache(ActionUse& use) {
  auto manager = use.input("cache");
  if (manager == "npm")
    return Dependencies{"node", {"~/.npm"}, {"package-lock.json", "npm-shrinkwrap.json", "yarn.lock"}};
  if (manager == "yarn") return Dependencies{"node", {"~/.cache/yarn", "~/.yarn/berry/cache"}, {"yarn.lock"}};
  if (manager == "pnpm") return Dependencies{"node", {"~/.local/share/pnpm/store"}, {"pnpm-lock.yaml"}};
  return fail(Kind::invalid, "Caching for '{}' is not supported, want npm, yarn or pnpm", manager);
}

Result<> write_npmrc(ActionUse& use) {
  auto registry = use.input("registry-url");
  if (registry.empty()) return {};
  if (!registry.ends_with('/')) registry += '/';
  auto scheme = registry.find("//");
  if (scheme == std::string::npos) return fail(Kind::invalid, "registry-url: got \"{}\", want https://HOST/", registry);
  auto scope = use.input("scope");
  if (scope.empty() && registry.contains("npm.pkg.github.com")) scope = use.job.plan().event.owner;
  if (!scope.empty()) scope = lower(scope.starts_with('@') ? scope : "@" + scope) + ":";
  auto text =
      fmt::format("{}:_authToken=${{NODE_AUTH_TOKEN}}\n{}registry={}\n", registry.substr(scheme), scope, registry);
  if (!use.input("always-auth").empty()) text += fmt::format("always-auth={}\n", use.input("always-auth"));
  auto file = use.job.folder().temp() + "/.npmrc";
  TRY_OK(use.job.folder().write(file, text, 0600));
  use.job.set_env(use.step, "NPM_CONFIG_USERCONFIG", use.job.inside(file));
  // npm refuses a file that names a variable which is not there.
  use.job.set_env(use.step, "NODE_AUTH_TOKEN", use.job.token().empty() ? "XXXXX-XXXXX-XXXXX-XXXXX" : use.job.token());
  return {};
}

const Toolchain node{"Node.js",  "node", "node", {"node"}, {"/usr/local/lib/nodejs/*/bin/node", "/opt/node*/bin/node"},
                     "--version"};
const Toolchain python{
    "Python",
    "python",
    "Python",
    {"python3", "python"},
    {"/usr/bin/python3.[0-9]*[0-9]", "/usr/local/bin/python3.[0-9]*[0-9]", "/opt/python*/bin/python3"},
    "--version"};
const Toolchain go{
    "Go", "go", "go", {"go"}, {"/usr/local/go/bin/go", "/usr/lib/go-*/bin/go", "\"$HOME\"/sdk/go*/bin/go"}, "version"};
const Toolchain java{"Java",    "java", "Java_*_jdk", {"java"}, {"/usr/lib/jvm/*/bin/java", "/opt/java/*/bin/java"},
                     "-version"};

// Scripts say `python`; Debian's only name is python3.
Result<> name_python(const Ctx& ctx, ActionUse& use, const Tool& tool) {
  auto bin = use.job.folder().tools() + "/bin";
  TRY(auto plain, output_of(ctx, use, "command -v python && command -v python3"));
  if (plain && fs::path(tool.program).filename() == "python3") return {};
  for (auto* name : {"python", "python3"})
    TRY_OK(use.job.folder().write(fmt::format("{}/{}", bin, name),
                                  fmt::format("#!/bin/sh\nexec {} \"$@\"\n", shell_quoted(tool.program)), 0755));
  use.job.add_path(use.step, use.job.inside(bin));
  return {};
}

Result<> python_cache(const Ctx& ctx, ActionUse& use) {
  auto manager = use.input("cache");
  if (manager == "pip")
    return keep_dependencies(
        ctx, use, {"setup-python-pip", {"~/.cache/pip"}, {"**/requirements.txt", "**/pyproject.toml"}, true, true});
  if (manager == "pipenv")
    return keep_dependencies(ctx, use, {"setup-python-pipenv", {"~/.local/share/virtualenvs"}, {"**/Pipfile.lock"}});
  if (manager == "poetry")
    return keep_dependencies(ctx, use, {"setup-python-poetry", {"~/.cache/pypoetry/virtualenvs"}, {"**/poetry.lock"}});
  return fail(Kind::invalid, "Caching for '{}' is not supported, want pip, pipenv or poetry", manager);
}

Result<> java_cache(const Ctx& ctx, ActionUse& use) {
  auto manager = use.input("cache");
  if (manager == "maven")
    return keep_dependencies(ctx, use, {"setup-java-maven", {"~/.m2/repository"}, {"**/pom.xml"}, true, true});
  if (manager == "gradle")
    return keep_dependencies(ctx, use,
                             {"setup-java-gradle",
                              {"~/.gradle/caches", "~/.gradle/wrapper"},
                              {"**/*.gradle*", "**/gradle-wrapper.properties", "buildSrc/**/Versions.kt",
                               "buildSrc/**/Dependencies.kt", "gradle/*.versions.toml", "**/versions.properties"},
                              true,
                              true});
  if (manager == "sbt")
    return keep_dependencies(ctx, use,
                             {"setup-java-sbt",
                              {"~/.ivy2/cache", "~/.sbt", "~/.cache/coursier"},
                              {"**/*.sbt", "**/project/build.properties", "**/project/**.scala"},
                              true,
                              true});
  return fail(Kind::invalid, "Caching for '{}' is not supported, want maven, gradle or sbt", manager);
}

std::string xml(std::string_view text) {
  return replace_all(replace_all(replace_all(std::string(text), "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
}

// The server that `mvn deploy` signs in to; the values stay in the environment of the step that runs it.
Result<> write_maven_settings(ActionUse& use) {
  if (use.input("server-id").empty() && use.input("settings-path").empty()) return {};
  TRY(auto folder, use.job.relative_of(use.input("settings-path", use.job.inside(".m2"))));
  auto file = folder + "/settings.xml";
  if (use.job.folder().has_file(file) && !use.flag("overwrite-settings", true)) return {};
  return use.job.folder().write(
      file,
      fmt::format("<settings>\n  <interactiveMode>false</interactiveMode>\n  <servers>\n    <server>\n"
                  "      <id>{}</id>\n      <username>${{env.{}}}</username>\n      <password>${{env.{}}}</password>\n"
                  "    </server>\n  </servers>\n</settings>\n",
                  xml(use.input("server-id", "github")), xml(use.input("server-username", "GITHUB_ACTOR")),
                  xml(use.input("server-password", "GITHUB_TOKEN"))));
}

}  // namespace

Result<> setup_node(const Ctx& ctx, ActionUse& use) {
  TRY(auto request, wanted_version(use, node, "node-version", "node-version-file"));
  request.range = node_range(request.range);
  TRY(auto tool, provide(ctx, use, node, request));
  use.output("node-version", "v" + tool.text);
  use.output("cache-hit", "false");
  TRY_OK(write_npmrc(use));
  if (use.input("cache").empty()) return {};
  TRY(auto what, node_cache(use));
  return keep_dependencies(ctx, use, std::move(what));
}

Result<> setup_python(const Ctx& ctx, ActionUse& use) {
  if (use.flag("freethreaded", false)) return fail(Kind::unavailable, "freethreaded: no such Python is kept here");
  TRY(auto request, wanted_version(use, python, "python-version", "python-version-file", {".python-version"}));
  // Several may be given, one a line: all must be there, the last is the one in use.
  Tool tool;
  auto ranges = lines(request.range);
  if (ranges.empty()) ranges.emplace_back("");
  for (auto range : ranges) {
    range = trim(range);
    if (range.starts_with("pypy") || range.starts_with("graalpy"))
      return Fail(Error(Kind::unavailable, fmt::format("python-version {}: CPython alone is provided", range))
                      .with_hint("run the job in an image that has it (container:)"));
    if (range.ends_with("-dev")) range.remove_suffix(4);
    VersionRequest one{replace_all(std::string(range), ",", " ")};  // ">=3.9,<4"
    one.range = replace_all(one.range, "~=", "~");
    TRY(tool, provide(ctx, use, python, one));
  }
  if (use.flag("update-environment", true)) {
    TRY_OK(name_python(ctx, use, tool));
    for (auto* name : {"pythonLocation", "Python_ROOT_DIR", "Python3_ROOT_DIR"})
      use.job.set_env(use.step, name, tool.home);
    use.job.set_env(use.step, "PKG_CONFIG_PATH", tool.home + "/lib/pkgconfig");
  }
  use.output("python-version", tool.text);
  use.output("python-path", tool.program);
  use.output("cache-hit", "false");
  if (!use.input("cache").empty()) TRY_OK(python_cache(ctx, use));
  if (auto install = use.input("pip-install"); !install.empty())
    return run_script(ctx, use, fmt::format("{} -m pip install {}", shell_quoted(tool.program), install));
  return {};
}

Result<> setup_go(const Ctx& ctx, ActionUse& use) {
  TRY(auto request, wanted_version(use, go, "go-version", "go-version-file"));
  if (request.range.starts_with("go")) request.range.erase(0, 2);
  TRY(auto tool, provide(ctx, use, go, request));
  use.job.set_env(use.step, "GOTOOLCHAIN", "local");  // as the action does: the one asked for is the one that runs
  use.job.add_path(use.step, use.job.inside("go/bin"));
  use.output("go-version", tool.text);
  use.output("cache-hit", "false");
  if (!use.flag("cache", true)) return {};
  return keep_dependencies(ctx, use, {"setup-go", {"~/go/pkg/mod", "~/.cache/go-build"}, {"go.sum"}, false});
}

Result<> setup_java(const Ctx& ctx, ActionUse& use) {
  if (!use.input("jdkFile").empty())
    return Fail(Error(Kind::unavailable, "jdkFile: archives are not unpacked here")
                    .with_hint("run the job in an image that has the JDK (container:)"));
  TRY(auto request, wanted_version(use, java, "java-version", "java-version-file"));
  if (request.range.empty())
    return fail(Kind::invalid, "Input required and not supplied: java-version or java-version-file");
  Tool tool;
  for (auto range : lines(request.range)) {
    range = trim(range.substr(0, range.find('-')));  // 21-ea
    VersionRequest one{std::string(range.starts_with("1.8") ? "8" : range)};
    TRY(tool, provide(ctx, use, java, one));
    TRY(auto real, output_of(ctx, use, "readlink -f " + shell_quoted(tool.program)));
    if (real && trim(*real).contains("/bin/"))
      tool.home = fs::path(std::string(trim(*real))).parent_path().parent_path().string();
    use.job.set_env(use.step,
                    fmt::format("JAVA_HOME_{}_{}", tool.version[0], host_architecture() == "x64" ? "X64" : "ARM64"),
                    tool.home);
  }
  use.job.set_env(use.step, "JAVA_HOME", tool.home);
  auto distribution = use.input("distribution", "jdkfile");
  if (!tool.words.empty() && !lower(tool.words).contains(lower(distribution)))
    use.say(fmt::format("distribution {}: the runner's own JDK is taken", distribution));
  use.output("distribution", distribution);
  use.output("version", tool.text);
  use.output("path", tool.home);
  use.output("cache-hit", "false");
  TRY_OK(write_maven_settings(use));
  return use.input("cache").empty() ? Result<>{} : java_cache(ctx, use);
}

}  // namespace slipway::ci
