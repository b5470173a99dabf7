// The other setup actions: the tool is found where the job runs, and what belongs to it is kept between runs.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/actions/toolchain.h"

namespace slipway::ci {
namespace {

const Toolchain dotnet{".NET SDK",
                       "dotnet",
                       "dotnet",
                       {"dotnet"},
                       {"/usr/share/dotnet/dotnet", "/usr/lib/dotnet/dotnet", "\"$HOME\"/.dotnet/dotnet"},
                       "--version"};
const Toolchain ruby{"Ruby", "ruby", "Ruby", {"ruby"}, {"/opt/ruby*/bin/ruby", "/usr/bin/ruby[0-9]*"}, "--version"};
const Toolchain uv{"uv", "uv", "uv", {"uv"}, {"\"$HOME\"/.local/bin/uv", "\"$HOME\"/.cargo/bin/uv"}, "--version"};
const Toolchain pnpm{"pnpm", "pnpm", "pnpm", {"pnpm"}, {}, "--version"};
const Toolchain deno{"Deno", "deno", "deno", {"deno"}, {"\"$HOME\"/.deno/bin/deno"}, "--version"};
const Toolchain bun{"Bun", "bun", "bun", {"bun"}, {"\"$HOME\"/.bun/bin/bun"}, "--version"};
const Toolchain php{"PHP", "php", "php", {"php"}, {"/usr/bin/php[0-9]*"}, "--version"};
const Toolchain gradle{"Gradle", "gradle", "gradle", {"gradle"}, {"/opt/gradle*/bin/gradle"}, "--version"};
const Toolchain golangci{
    "golangci-lint", "golangci-lint", "golangci-lint", {"golangci-lint"}, {"\"$HOME\"/go/bin/golangci-lint"},
    "--version"};

// Words as people separate them: commas, blanks, lines.
std::vector<std::string> words_of(std::string text) {
  for (char& c : text)
    if (c == ',' || c == '\n' || c == '\t') c = ' ';
  std::vector<std::string> out;
  for (auto word : split(text, ' '))
    if (!word.empty()) out.emplace_back(word);
  return out;
}

std::string beside(const Tool& tool, std::string_view name) {
  return (fs::path(tool.program).parent_path() / name).string();
}

// What `-m` of the interpreter says is loaded, for the extensions that are asked for.
Result<> check_extensions(const Ctx& ctx, ActionUse& use, const Tool& tool) {
  auto wanted = words_of(use.input("extensions"));
  if (wanted.empty()) return {};
  TRY(auto loaded, output_of(ctx, use, shell_quoted(tool.program) + " -m"));
  std::set<std::string> there;
  auto text = lower(loaded.value_or(""));
  for (auto line : lines(text)) there.emplace(trim(line));
  std::vector<std::string> missing;
  for (auto& word : wanted) {
    auto name = lower(word.substr(0, word.find_first_of("-@")));
    if (word.starts_with(':') || name == "none") continue;  // takes one away
    if (name == "opcache") name = "zend opcache";
    if (!there.contains(name)) missing.push_back(word);
  }
  if (missing.empty()) return {};
  auto all = join(std::span<const std::string>(missing), ", ");
  return Fail(Error(Kind::not_found, fmt::format("PHP {} here lacks the extension(s) {}", tool.text, all))
                  .with_hint("install them on the runner, or run the job in an image that has them (container:)"));
}

Result<> check_tools(const Ctx& ctx, ActionUse& use) {
  for (auto& word : words_of(use.input("tools"))) {
    auto name = word.substr(word.starts_with(':') ? 1 : 0, word.find_first_of(":@", 1));
    if (name == "none") continue;
    TRY(auto found, output_of(ctx, use, "command -v " + shell_quoted(name)));
    if (!found) use.say(fmt::format("##[warning]tools: {} is not installed where this job runs", word));
  }
  return {};
}

Result<> bundle_install(const Ctx& ctx, ActionUse& use) {
  auto folder = use.input("working-directory", ".");
  TRY(auto relative, use.job.relative_of(folder));
  relative = fs::path(relative).lexically_normal().string();
  auto vendor = (fs::path(use.job.inside(relative)) / "vendor/bundle").string();
  auto in_workspace = fs::path(relative).lexically_relative(use.job.folder().workspace());
  TRY(auto hash, hash_of(ctx, use,
                         {(in_workspace / "Gemfile.lock").lexically_normal().string(),
                          (in_workspace / "gems.locked").lexically_normal().string()}));
  TRY(auto abi, output_of(ctx, use, "ruby -e 'print RUBY_ENGINE, \"-\", RUBY_VERSION'"));
  auto prefix = fmt::format("setup-ruby-bundler-cache-v6-Linux-{}-{}-{}-", host_architecture(), abi.value_or("ruby"),
                            use.input("cache-version", "0"));
  KeptFiles kept{{vendor}, prefix + hash, {prefix}, !hash.empty()};
  TRY(auto found, keep_files(ctx, use, kept));
  return run_script(ctx, use,
                    fmt::format("bundle config --local path {}\n{}bundle install --jobs 4", shell_quoted(vendor),
                                hash.empty() ? "" : "bundle config --local deployment true\n"),
                    {}, folder);
}

}  // namespace

Result<> setup_dotnet(const Ctx& ctx, ActionUse& use) {
  TRY(auto request, wanted_version(use, dotnet, "dotnet-version", "global-json-file", {"global.json"}));
  Tool tool;
  auto ranges = lines(request.range);
  if (ranges.empty()) ranges.emplace_back("");
  TRY(auto listed, output_of(ctx, use, "dotnet --list-sdks"));
  for (auto range : ranges) {
    // The SDKs stand side by side below one program: any of them will do.
    bool beside_others = false;
    auto sdks = listed.value_or("");
    for (auto line : lines(sdks))
      if (auto version = find_version(line.substr(0, line.find(' '))); version && satisfies(*version, trim(range))) {
        tool.text = fmt::format("{}.{}.{}", (*version)[0], (*version)[1], (*version)[2]);
        beside_others = true;
      }
    if (beside_others) {
      use.say(fmt::format(".NET SDK {} satisfies \"{}\"", tool.text, trim(range)));
      continue;
    }
    VersionRequest one{std::string(trim(range))};
    TRY(tool, provide(ctx, use, dotnet, one));
    use.job.set_env(use.step, "DOTNET_ROOT", fs::path(tool.program).parent_path().string());
  }
  use.job.set_env(use.step, "DOTNET_CLI_TELEMETRY_OPTOUT", "1");
  use.job.set_env(use.step, "DOTNET_NOLOGO", "1");
  use.output("dotnet-version", tool.text);
  use.output("cache-hit", "false");
  if (auto workloads = words_of(use.input("workloads")); !workloads.empty())
    TRY_OK(run_script(ctx, use, "dotnet workload install " + join(std::span<const std::string>(workloads), " ")));
  if (!use.flag("cache", false)) return {};
  return keep_dependencies(ctx, use, {"dotnet", {"~/.nuget/packages"}, {"**/packages.lock.json"}});
}

Result<> setup_ruby(const Ctx& ctx, ActionUse& use) {
  auto given = use.input("ruby-version", "default");
  if (given == "default" || given == ".ruby-version" || given == ".tool-versions" || given == "mise.toml") {
    if (auto own = use.inputs.find("ruby-version"); own != use.inputs.end()) own->second.clear();
    given.clear();
  }
  auto where = use.input("working-directory", ".") + "/";
  TRY(auto request, wanted_version(use, ruby, "ruby-version", "",
                                   {where + ".ruby-version", where + ".tool-versions", where + "mise.toml"}));
  if (request.range.starts_with("ruby-")) request.range.erase(0, 5);
  for (std::string_view other : {"jruby", "truffleruby", "head", "mruby", "debug"})
    if (request.range.starts_with(other))
      return Fail(
          Error(Kind::unavailable, fmt::format("ruby-version {}: released CRuby alone is provided", request.range))
              .with_hint("run the job in an image that has it (container:)"));
  TRY(auto tool, provide(ctx, use, ruby, request));
  use.output("ruby-prefix", tool.home);
  if (auto gems = use.input("rubygems", "default"); gems != "default" && gems != "latest")
    use.say(fmt::format("##[warning]rubygems {}: the one of Ruby {} is taken", gems, tool.text));
  if (!use.flag("bundler-cache", false)) return {};
  return bundle_install(ctx, use);
}

Result<> setup_uv(const Ctx& ctx, ActionUse& use) {
  TRY(auto request, wanted_version(use, uv, "version", "version-file", {"uv.toml", "pyproject.toml"}));
  if (request.range.starts_with("==")) request.range.erase(0, 2);
  request.range = replace_all(replace_all(request.range, ",", " "), "~=", "~");
  TRY(auto tool, provide(ctx, use, uv, request));
  use.output("uv-version", tool.text);
  use.output("uv-path", tool.program);
  use.output("uvx-path", beside(tool, "uvx"));
  auto folder = use.input("working-directory");
  if (auto version = use.input("python-version"); !version.empty()) {
    use.job.set_env(use.step, "UV_PYTHON", version);
    use.output("python-version", version);
  }
  for (auto& [input, name] : {std::pair{"tool-dir", "UV_TOOL_DIR"}, {"tool-bin-dir", "UV_TOOL_BIN_DIR"}})
    if (auto path = use.input(input); !path.empty()) use.job.set_env(use.step, name, path);
  use.job.add_path(use.step, use.job.inside(".local/bin"));
  if (use.flag("activate-environment", false)) {
    TRY(auto relative, use.job.relative_of(use.input("venv-path", (folder.empty() ? "" : folder + "/") + ".venv")));
    auto venv = use.job.inside(fs::path(relative).lexically_normal().string());
    TRY_OK(run_script(ctx, use, "uv venv " + shell_quoted(venv), {}, folder));
    use.job.set_env(use.step, "VIRTUAL_ENV", venv);
    use.job.add_path(use.step, venv + "/bin");
    use.output("venv", venv);
  }
  use.output("cache-hit", "false");
  auto enabled = lower(use.input("enable-cache", "auto"));
  if (enabled == "false") return {};
  auto path = use.input("cache-local-path", use.job.inside(".cache/uv"));
  use.job.set_env(use.step, "UV_CACHE_DIR", path);
  auto globs = use.list("cache-dependency-glob");
  if (globs.empty())
    globs = {"**/*requirements*.txt", "**/*requirements*.in", "**/*constraints*.txt", "**/pyproject.toml",
             "**/uv.lock"};
  TRY(auto hash, hash_of(ctx, use, globs));
  auto suffix = use.input("cache-suffix");
  KeptFiles kept{{path},
                 fmt::format("setup-uv-2-Linux-{}-{}-{}{}", host_architecture(), use.input("python-version", "any"),
                             hash.empty() ? "no-dependency-glob" : hash, suffix.empty() ? "" : "-" + suffix),
                 {},
                 use.flag("save-cache", true),
                 !use.flag("restore-cache", true)};
  TRY(auto found, keep_files(ctx, use, kept));
  use.output("cache-hit", found ? "true" : "false");
  use.output("cache-key", kept.key);
  return {};
}

Result<> setup_pnpm(const Ctx& ctx, ActionUse& use) {
  auto manifest = use.input("package_json_file", "package.json");
  TRY(auto request, wanted_version(use, pnpm, "version", "", {manifest}));
  TRY(auto tool, provide(ctx, use, pnpm, request));
  use.output("dest", use.job.inside("setup-pnpm"));
  use.output("bin_dest", fs::path(tool.program).parent_path().string());
  use.job.set_env(use.step, "PNPM_HOME", use.job.inside("setup-pnpm"));
  if (use.flag("cache", false)) {
    auto lock = use.list("cache_dependency_path");
    TRY_OK(keep_dependencies(ctx, use,
                             {"pnpm",
                              {"~/.local/share/pnpm/store", "~/setup-pnpm/store"},
                              lock.empty() ? std::vector<std::string>{"pnpm-lock.yaml"} : lock}));
  }
  auto install = lower(use.input("run_install", "null"));
  if (install == "null" || install == "false") return {};
  if (install == "true") return run_script(ctx, use, "pnpm install --recursive");
  return Fail(Error(Kind::unavailable, "run_install: true or false are understood, lists of arguments are not")
                  .with_hint("write the install as a `run:` step"));
}

Result<> setup_deno(const Ctx& ctx, ActionUse& use) {
  TRY(auto request, wanted_version(use, deno, "deno-version", "deno-version-file"));
  for (std::string_view channel : {"canary", "rc", "lts"})
    if (request.range == channel && channel != "lts")
      return fail(Kind::unavailable, "deno-version {}: released versions alone are provided", request.range);
  if (request.range.empty() || request.range == "vx.x.x" || request.range == "v1.x" || request.range == "v2.x")
    request.range = request.range.starts_with("v1") ? "1" : request.range.starts_with("v2") ? "2" : "";
  TRY(auto tool, provide(ctx, use, deno, request));
  use.output("deno-version", tool.text);
  use.output("release-channel", "stable");
  use.job.add_path(use.step, use.job.inside(".deno/bin"));
  if (auto name = use.input("deno-binary-name", "deno"); name != "deno") {
    auto bin = use.job.folder().tools() + "/bin";
    TRY_OK(use.job.folder().write(fmt::format("{}/{}", bin, fs::path(name).filename().string()),
                                  fmt::format("#!/bin/sh\nexec {} \"$@\"\n", shell_quoted(tool.program)), 0755));
    use.job.add_path(use.step, use.job.inside(bin));
  }
  use.output("cache-hit", "false");
  if (!use.flag("cache", !use.input("cache-hash").empty())) return {};
  TRY(auto hash, hash_of(ctx, use, {"**/deno.lock"}));
  auto key = fmt::format("deno-cache-Linux-{}-{}", host_architecture(), use.input("cache-hash", hash));
  TRY(auto found, keep_files(ctx, use, {{"~/.cache/deno"}, key, {}}));
  use.output("cache-hit", found == key ? "true" : "false");
  return {};
}

Result<> setup_bun(const Ctx& ctx, ActionUse& use) {
  TRY(auto request,
      wanted_version(use, bun, "bun-version", "bun-version-file", {"package.json", ".bun-version", ".tool-versions"}));
  if (request.range == "canary")
    return fail(Kind::unavailable, "bun-version canary: released versions alone are provided");
  TRY(auto tool, provide(ctx, use, bun, request));
  use.output("bun-version", tool.text);
  use.output("bun-path", tool.program);
  use.output("cache-hit", "true");
  TRY(auto revision, output_of(ctx, use, shell_quoted(tool.program) + " --revision"));
  use.output("bun-revision", std::string(trim(revision.value_or(""))));
  use.job.add_path(use.step, use.job.inside(".bun/bin"));
  auto registry = use.input("registry-url"), scope = use.input("scope");
  if (registry.empty()) return {};
  auto text = scope.empty()
                  ? fmt::format("[install]\nregistry = {{ url = \"{}\", token = \"$BUN_AUTH_TOKEN\" }}\n", registry)
                  : fmt::format("[install.scopes]\n\"{}\" = {{ url = \"{}\", token = \"$BUN_AUTH_TOKEN\" }}\n",
                                scope.starts_with('@') ? scope : "@" + scope, registry);
  return use.job.folder().write(use.job.folder().workspace() + "/bunfig.toml", text);
}

Result<> setup_php(const Ctx& ctx, ActionUse& use) {
  TRY(auto request, wanted_version(use, php, "php-version", "php-version-file", {".php-version", ".tool-versions"}));
  if (request.range == "highest" || request.range == "nightly" || request.range == "lowest") request.range = "*";
  if (request.range == "pre-installed") request.range.clear();
  TRY(auto tool, provide(ctx, use, php, request));
  use.output("php-version", tool.text);
  TRY_OK(check_extensions(ctx, use, tool));
  TRY_OK(check_tools(ctx, use));
  auto ini = words_of(use.input("ini-values"));
  auto coverage = lower(use.input("coverage"));
  if (coverage == "xdebug" || coverage == "xdebug3") ini.emplace_back("xdebug.mode=coverage");
  if (coverage == "none") use.job.set_env(use.step, "XDEBUG_MODE", "off");
  if (coverage == "pcov") ini.emplace_back("pcov.enabled=1");
  if (ini.empty()) return {};
  auto folder = use.job.folder().temp() + "/php";
  TRY_OK(use.job.folder().write(folder + "/99-workflow.ini", join(std::span<const std::string>(ini), "\n") + "\n"));
  // A leading ":" keeps the folders that are built in.
  use.job.set_env(use.step, "PHP_INI_SCAN_DIR", ":" + use.job.inside(folder));
  return {};
}

Result<> setup_gradle(const Ctx& ctx, ActionUse& use) {
  if (auto version = use.input("gradle-version"); !version.empty() && version != "wrapper") {
    VersionRequest request{version == "current" ? "*" : version};
    TRY(auto tool, provide(ctx, use, gradle, request));
    use.output("gradle-version", tool.text);
  }
  if (use.flag("validate-wrappers", false)) TRY_OK(gradle_wrapper(ctx, use));
  use.output("cache-hit", "false");
  if (!use.flag("cache-disabled", false)) {
    TRY(auto hash, hash_of(ctx, use, {"**/*.gradle*", "**/gradle-wrapper.properties", "gradle/*.versions.toml"}));
    // Entries of branches are read there; only the default branch writes, as the action has it.
    bool writes = use.job.plan().event.ref == "refs/heads/" + use.job.plan().event.default_branch;
    auto prefix = fmt::format("gradle-home-v1-Linux-{}-", host_architecture());
    KeptFiles kept{{"~/.gradle/caches", "~/.gradle/wrapper", "~/.gradle/notifications"},
                   prefix + hash,
                   {prefix},
                   !use.flag("cache-read-only", !writes)};
    TRY(auto found, keep_files(ctx, use, kept));
    use.output("cache-hit", found == kept.key ? "true" : "false");
  }
  auto arguments = use.input("arguments");
  if (arguments.empty()) return {};
  return run_script(ctx, use,
                    "if [ -x ./gradlew ]; then ./gradlew " + arguments + "; else gradle " + arguments + "; fi", {},
                    use.input("build-root-directory"));
}

Result<> golangci_lint(const Ctx& ctx, ActionUse& use) {
  auto folder = use.input("working-directory");
  TRY(auto request, wanted_version(use, golangci, "version", "version-file", {".golangci-lint-version"}));
  TRY(auto tool, provide(ctx, use, golangci, request));
  if (use.flag("install-only", false)) return {};
  auto arguments = use.input("args");
  if (use.flag("only-new-issues", false)) {
    auto& event = use.job.plan().event;
    auto since = event.name.starts_with("pull_request") ? event.base_sha : event.before;
    if (since.empty() || since == git::zero_oid)
      use.say("##[warning]only-new-issues: the event names no commit to compare with; all issues are told");
    else
      arguments += " --new-from-rev=" + shell_quoted(since);
  }
  if (!folder.empty() && !arguments.contains("--path-prefix")) arguments += " --path-prefix=" + shell_quoted(folder);
  return run_script(ctx, use, fmt::format("{} run {}", shell_quoted(tool.program), arguments), {}, folder);
}

}  // namespace slipway::ci
