// Languages, by their manifests, and how each is tested.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "starter/detail/look.h"

namespace slipway::starter::detail {
namespace {

bool any_file(const Tree& tree, const std::string& folder, const std::function<bool(const std::string&)>& test) {
  return std::any_of(tree.files().begin(), tree.files().end(), [&](const auto& file) {
    return (folder.empty() || file.starts_with(folder + "/")) && test(file);
  });
}

bool has_target(std::string_view makefile, std::string_view target) {
  for (auto line : lines(makefile))
    if (line.starts_with(target) && trim(line.substr(target.size())).starts_with(':') &&
        !trim(line.substr(target.size())).starts_with(":="))
      return true;
  return false;
}

std::string makefile_in(const Tree& tree, const std::string& folder) {
  for (const char* name : {"Makefile", "makefile", "GNUmakefile"})
    if (auto path = in_folder(folder, name); tree.has(path)) return path;
  return "";
}

void no_tests(const Module& module, std::vector<Reason>& reasons, std::string why) {
  reasons.push_back({fmt::format("tests of {}", to_string(module.language)), "none", std::move(why)});
}
void tests(Module& module, std::vector<Reason>& reasons, std::vector<std::string> commands, std::string why) {
  reasons.push_back({fmt::format("tests of {}", to_string(module.language)), commands.back(), std::move(why)});
  module.commands = std::move(commands);
}

void look_at_go(const Tree& tree, Module& module, std::vector<Reason>& reasons) {
  module.setup = "actions/setup-go@v5";
  module.with = {{"go-version-file", module.manifest}};
  if (any_file(tree, module.folder, [](const auto& f) { return f.ends_with("_test.go"); }))
    tests(module, reasons, {"go test ./..."}, "there are _test.go files");
  else
    tests(module, reasons, {"go vet ./..."}, "there are no _test.go files");
}

// Programs that ask a server which somebody else must have started.
std::string asks_a_server(std::string_view script) {
  for (std::string_view tool :
       {"httpyac", "newman", "k6 run", "artillery", "cypress", "playwright", "pa11y", "lighthouse", "selenium", "hurl"})
    if (script.contains(tool)) return std::string(tool);
  return "";
}

void look_at_node(const Tree& tree, Module& module, std::vector<Reason>& reasons) {
  auto parsed = doc::parse_json(tree.text(module.manifest), module.manifest);
  if (!parsed) return no_tests(module, reasons, parsed.error().what());
  doc::View package(*parsed, module.manifest);
  if (auto nvmrc = in_folder(module.folder, ".nvmrc"); tree.has(nvmrc))
    module.setup = "actions/setup-node@v4", module.with = {{"node-version-file", nvmrc}};
  else if (auto engine = package["engines"]["node"].text(); !engine.empty())
    module.setup = "actions/setup-node@v4", module.with = {{"node-version", engine}};
  auto script = package["scripts"]["test"].text();
  auto at = fmt::format("scripts.test in {}", module.manifest);
  if (script.empty()) return no_tests(module, reasons, at + " is not there");
  if (script.contains("no test specified")) return no_tests(module, reasons, at + " is npm's placeholder");
  if (auto tool = asks_a_server(script); !tool.empty())
    return no_tests(module, reasons,
                    fmt::format("{} runs {}, which asks a running server: a smoke test, not a unit test", at, tool));
  bool depends = !package["dependencies"].members().empty() || !package["devDependencies"].members().empty();
  std::vector<std::string> commands;
  auto has = [&](std::string_view name) { return tree.has(in_folder(module.folder, name)); };
  if (has("pnpm-lock.yaml"))
    commands = {"corepack enable pnpm", "pnpm install --frozen-lockfile", "pnpm test"};
  else if (has("yarn.lock"))
    commands = {"corepack enable yarn", "yarn install --frozen-lockfile", "yarn test"};
  else if (has("package-lock.json") && depends)
    commands = {"npm ci", "npm test"};
  else if (depends)
    commands = {"npm install", "npm test"};
  else
    commands = {"npm test"};
  tests(module, reasons, std::move(commands), at);
}

void look_at_python(const Tree& tree, Module& module, std::vector<Reason>& reasons) {
  if (auto version = in_folder(module.folder, ".python-version"); tree.has(version))
    module.setup = "actions/setup-python@v5", module.with = {{"python-version-file", version}};
  auto is_test = [](const std::string& f) {
    return f.ends_with(".py") &&
           (base_of(f).starts_with("test_") || f.ends_with("_test.py") || base_of(f) == "tests.py");
  };
  if (!any_file(tree, module.folder, is_test)) return no_tests(module, reasons, "there are no test_*.py files");
  auto settings = tree.text(in_folder(module.folder, "pyproject.toml"));
  bool pytest = settings.contains("pytest");
  std::vector<std::string> commands{"python3 -m venv \"$RUNNER_TEMP/venv\" && . \"$RUNNER_TEMP/venv/bin/activate\""};
  std::vector<std::string> wanted;
  for (const char* name : {"requirements.txt", "requirements-dev.txt", "requirements-test.txt", "dev-requirements.txt",
                           "test-requirements.txt", "requirements_dev.txt"}) {
    auto path = in_folder(module.folder, name);
    if (!tree.has(path)) continue;
    wanted.push_back(fmt::format("-r {}", name));
    pytest = pytest || tree.text(path).contains("pytest");
  }
  if (settings.contains("[project]") || settings.contains("[tool.poetry]") ||
      tree.has(in_folder(module.folder, "setup.py")))
    wanted.emplace_back(settings.contains("[project.optional-dependencies]") && settings.contains("\ntest = ")
                            ? ".[test]"
                        : settings.contains("\ndev = ") ? ".[dev]"
                                                        : ".");
  for (const auto& file : tree.files())
    if (!pytest && is_test(file)) pytest = tree.text(file).contains("pytest") || !tree.text(file).contains("unittest");
  if (pytest && !settings.contains("pytest") && std::none_of(wanted.begin(), wanted.end(), [&](const auto& w) {
        return w.starts_with("-r ") && tree.text(in_folder(module.folder, w.substr(3))).contains("pytest");
      }))
    wanted.emplace_back("pytest");
  if (!wanted.empty()) commands.push_back("pip install " + join(wanted, " "));
  // One shell: the environment it activates holds for what follows.
  commands.emplace_back(pytest ? "python -m pytest" : "python -m unittest discover");
  tests(module, reasons, {join(commands, "\n")}, "there are test_*.py files");
  reasons.back().value = commands.back();
}

void look_at_java(const Tree& tree, Module& module, std::vector<Reason>& reasons) {
  auto text = tree.text(module.manifest);
  auto between = [&](std::string_view open, std::string_view close) -> std::string {
    auto from = text.find(open);
    if (from == std::string::npos) return "";
    from += open.size();
    auto to = text.find(close, from);
    return to == std::string::npos ? "" : std::string(trim(std::string_view(text).substr(from, to - from)));
  };
  std::string version;
  for (auto [open, close] : {std::pair{"<maven.compiler.release>", "<"},
                             {"<java.version>", "<"},
                             {"<maven.compiler.source>", "<"},
                             {"JavaLanguageVersion.of(", ")"}})
    if (version.empty()) version = between(open, close);
  if (to_int(version))
    module.setup = "actions/setup-java@v4", module.with = {{"distribution", "temurin"}, {"java-version", version}};
  bool maven = base_of(module.manifest) == "pom.xml";
  bool wrapper = tree.has(in_folder(module.folder, maven ? "mvnw" : "gradlew"));
  if (!tree.has_folder(in_folder(module.folder, "src/test"))) return no_tests(module, reasons, "there is no src/test");
  std::string tool =
      maven ? (wrapper ? "./mvnw -B -ntp test" : "mvn -B -ntp test") : (wrapper ? "./gradlew test" : "gradle test");
  tests(module, reasons, {tool}, fmt::format("there is a src/test{}", wrapper ? ", and the build's own wrapper" : ""));
}

void look_at_rust(const Tree& tree, Module& module, std::vector<Reason>& reasons) {
  bool locked = tree.has(in_folder(module.folder, "Cargo.lock"));
  tests(module, reasons, {locked ? "cargo test --locked" : "cargo test"},
        locked ? "with the versions of Cargo.lock" : "cargo tests every crate");
}

void look_at_c(const Tree& tree, Module& module, std::vector<Reason>& reasons) {
  auto name = base_of(module.manifest);
  auto text = tree.text(module.manifest);
  if (name == "CMakeLists.txt") {
    std::vector<std::string> build{"cmake -S . -B build -DCMAKE_BUILD_TYPE=Release", "cmake --build build --parallel"};
    bool tested = any_file(tree, module.folder, [&](const auto& f) {
      return base_of(f) == "CMakeLists.txt" &&
             (tree.text(f).contains("enable_testing") || tree.text(f).contains("include(CTest)"));
    });
    if (tested) build.emplace_back("ctest --test-dir build --output-on-failure");
    return tests(module, reasons, std::move(build),
                 tested ? "CMake with enable_testing" : "CMake; it registers no tests, so that it builds must do");
  }
  if (name == "meson.build") return tests(module, reasons, {"meson setup build", "meson test -C build"}, "Meson");
  for (const char* target : {"test", "check"})
    if (has_target(text, target))
      return tests(module, reasons, {fmt::format("make {}", target)},
                   fmt::format("target {} of {}", target, module.manifest));
  if (name == "configure") return tests(module, reasons, {"./configure", "make check"}, "autotools");
  no_tests(module, reasons, fmt::format("{} has neither a target test nor check", module.manifest));
}

std::optional<Language> language_of(const Tree& tree, const std::string& file) {
  auto name = base_of(file);
  if (name == "go.mod") return Language::go;
  if (name == "package.json") return Language::node;
  if (name == "pyproject.toml" || name == "requirements.txt" || name == "setup.py") return Language::python;
  if (name == "Cargo.toml") return Language::rust;
  if (name == "pom.xml" || name == "build.gradle" || name == "build.gradle.kts") return Language::java;
  if (name == "CMakeLists.txt" || name == "meson.build" || name == "configure") return Language::c;
  if (file == makefile_in(tree, folder_of(file)) && any_file(tree, folder_of(file), [](const auto& f) {
        return f.ends_with(".c") || f.ends_with(".cc") || f.ends_with(".cpp");
      }))
    return Language::c;
  return std::nullopt;
}

}  // namespace

std::optional<Module> module_of(const Tree& tree, const std::string& manifest, std::vector<Reason>& reasons) {
  auto language = language_of(tree, manifest);
  if (!language) return std::nullopt;
  Module module{.language = *language,
                .folder = folder_of(manifest),
                .manifest = manifest,
                .setup = {},
                .with = {},
                .commands = {}};
  reasons.push_back({"language", std::string(to_string(*language)), manifest});
  switch (*language) {
    case Language::go:
      look_at_go(tree, module, reasons);
      break;
    case Language::node:
      look_at_node(tree, module, reasons);
      break;
    case Language::python:
      look_at_python(tree, module, reasons);
      break;
    case Language::java:
      look_at_java(tree, module, reasons);
      break;
    case Language::rust:
      look_at_rust(tree, module, reasons);
      break;
    case Language::c:
      look_at_c(tree, module, reasons);
      break;
  }
  return module;
}

// The shallowest manifest of each language: deeper ones belong to its parts.
void look_at_modules(const Tree& tree, Facts& facts) {
  std::set<Language> seen;
  for (const auto& file : tree.files()) {
    if (is_aside(file) || depth_of(file) > 3) continue;
    auto language = language_of(tree, file);
    if (!language || !seen.insert(*language).second) continue;
    if (auto module = module_of(tree, file, facts.reasons)) facts.modules.push_back(*std::move(module));
  }
  if (facts.modules.empty())
    facts.reasons.push_back(
        {"language", "unknown", "no manifest of C/C++, Go, Java, Node, Python or Rust: only the image is built"});
}

}  // namespace slipway::starter::detail
