// actions/setup-node, -python, -go, -java: the host's own toolchain, when it is of a version that satisfies.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/version_range.h"

namespace slipway::ci {
namespace {

struct Tool {
  std::string_view name, input, output;
  std::vector<std::string> programs;  // the first that is there
  std::vector<std::string> arguments;
};

// The whole output of a program in the job's container; nothing when it is not there.
std::optional<std::string> ask(const Ctx& ctx, JobRun& job, std::vector<std::string> argv) {
  Process process;
  process.argv = std::move(argv);
  process.env = {{"PATH", job.options().path},
                 {"HOME", fs::path(job.inside("x")).parent_path().string()},
                 {"GOTOOLCHAIN", "local"}};
  process.cwd = "/";
  auto place = job.sandbox(ctx);
  if (!place) return std::nullopt;
  std::string out;
  auto code = (*place)->run(ctx, process, [&](int, std::string_view piece) { out += piece; });
  return code && *code == 0 ? std::optional(out) : std::nullopt;
}

struct Request {
  std::string range;
  bool at_least = false;  // go.mod's "go 1.21" is the least version
};

Result<Request> wanted(ActionUse& use, const Tool& tool) {
  Request out{use.input(tool.input), false};
  auto file = use.input(std::string(tool.input) + "-file");
  if (!out.range.empty() || file.empty()) return out;
  TRY(auto relative, use.job.relative_of(file));
  TRY(auto text, use.job.folder().read(relative, 1 << 20));
  if (text.empty())
    return fail(Kind::not_found, "The specified {} version file at: {} does not exist", tool.name, file);
  if (fs::path(file).filename() == "go.mod" || fs::path(file).filename() == "go.work") {
    for (auto line : lines(text))
      if (trim(line).starts_with("go ")) out.range = std::string(trim(trim(line).substr(3))), out.at_least = true;
  } else if (fs::path(file).filename() == "package.json" || fs::path(file).extension() == ".toml") {
    return fail(Kind::unavailable, "{}-file: {} is not read; write the version as {}", tool.input, file, tool.input);
  } else {
    auto all = lines(text);
    out.range = all.empty() ? "" : std::string(trim(all[0]));
    auto parts = split(out.range, ' ');  // .tool-versions: "nodejs 20.1.0"
    if (parts.size() == 2) out.range = std::string(parts[1]);
  }
  return out;
}

Result<> set_up(const Ctx& ctx, ActionUse& use, const Tool& tool) {
  TRY(auto request, wanted(use, tool));
  std::optional<std::string> answer;
  std::string program;
  for (auto& candidate : tool.programs) {
    std::vector<std::string> argv = {candidate};
    argv.insert(argv.end(), tool.arguments.begin(), tool.arguments.end());
    answer = ask(ctx, use.job, std::move(argv));
    program = candidate;
    if (answer) break;
  }
  auto version = answer ? find_version(*answer) : std::nullopt;
  if (!version)
    return Fail(Error(Kind::not_found, fmt::format("{} is not installed where this job runs", tool.name))
                    .with_hint(fmt::format(
                        "install {} on the runner, or run the job in an image that has it (container:)", tool.name)));
  auto text = fmt::format("{}.{}.{}", (*version)[0], (*version)[1], (*version)[2]);
  bool fits = request.at_least ? satisfies(*version, ">=" + request.range) : satisfies(*version, request.range);
  if (!fits)
    return Fail(
        Error(Kind::not_found, fmt::format("{} {} is wanted, {} is installed here", tool.name, request.range, text))
            .with_hint(fmt::format("ask for {}.{}, or run the job in an image that has {} {} (container:)",
                                   (*version)[0], (*version)[1], tool.name, request.range)));
  use.say(fmt::format("{} {} of the runner satisfies \"{}\"", tool.name, text, request.range));
  use.output(std::string(tool.output), text);
  use.output("cache-hit", "false");
  if (tool.name == "Python" && program == "python3" && !ask(ctx, use.job, {"python", "--version"})) {
    // Scripts say `python`; Debian's only name is python3.
    TRY_OK(use.job.folder().write("work/_tool/bin/python", "#!/bin/sh\nexec python3 \"$@\"\n", 0755));
    use.job.add_path(use.step, use.job.inside("work/_tool/bin"));
  }
  return {};
}

}  // namespace

Result<> setup_node(const Ctx& ctx, ActionUse& use) {
  TRY_OK(set_up(ctx, use, {"Node.js", "node-version", "node-version", {"node"}, {"--version"}}));
  auto registry = use.input("registry-url");
  if (registry.empty()) return {};
  auto host = registry.substr(registry.find("//") == std::string::npos ? 0 : registry.find("//"));
  TRY_OK(use.job.folder().write(
      "work/_temp/.npmrc", fmt::format("{}/:_authToken=${{NODE_AUTH_TOKEN}}\nregistry={}\n", host, registry), 0600));
  use.job.set_env(use.step, "NPM_CONFIG_USERCONFIG", use.job.inside("work/_temp/.npmrc"));
  return {};
}
Result<> setup_python(const Ctx& ctx, ActionUse& use) {
  return set_up(ctx, use, {"Python", "python-version", "python-version", {"python3", "python"}, {"--version"}});
}
Result<> setup_go(const Ctx& ctx, ActionUse& use) {
  return set_up(ctx, use, {"Go", "go-version", "go-version", {"go"}, {"version"}});
}
Result<> setup_java(const Ctx& ctx, ActionUse& use) {
  return set_up(ctx, use, {"Java", "java-version", "version", {"java"}, {"-version"}});
}

}  // namespace slipway::ci
