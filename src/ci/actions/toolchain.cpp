#include "ci/actions/toolchain.h"

#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/archive.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_answer = 1 << 20;

// Asks every program what it is; names on PATH first, further places only when none of them does.
std::string path_probe(const Toolchain& chain) {
  std::string script = fmt::format(
      "try() {{ v=$(GOTOOLCHAIN=local \"$@\" {} 2>&1 </dev/null) && "
      "printf 'P\\t%s\\t%s\\n' \"$1\" \"$(printf %s \"$v\" | tr '\\n\\t' '  ' | cut -c1-400)\"; }}\n",
      chain.arguments);
  for (auto& name : chain.programs) script += fmt::format("f=$(command -v {}) && try \"$f\"\n", shell_quoted(name));
  return script;
}
std::string further_probe(const Toolchain& chain) {
  auto script = path_probe(chain);
  for (auto& place : chain.places) script += fmt::format("for f in {}; do [ -x \"$f\" ] && try \"$f\"; done\n", place);
  if (!chain.cached.empty())
    script += fmt::format(
        "for r in \"$RUNNER_TOOL_CACHE\" \"$AGENT_TOOLSDIRECTORY\" /opt/hostedtoolcache; do [ -n \"$r\" ] || continue\n"
        "for m in \"$r\"/{}/*/{}.complete; do [ -e \"$m\" ] || continue; d=${{m%.complete}}\n"
        "printf 'C\\t%s\\t%s\\n' \"$d\" \"$([ -d \"$d/bin\" ] && echo bin)\"; done; done\n",
        chain.cached, host_architecture());
  return script;
}

std::string print(const Version& v) { return fmt::format("{}.{}.{}", v[0], v[1], v[2]); }

// Java called itself 1.8 once.
Version normal(const Toolchain& chain, Version v) {
  return chain.tool == "java" && v[0] == 1 ? Version{v[1], v[2], 0} : v;
}

std::string what_is_there(const std::vector<Tool>& tools) {
  std::vector<std::string> out;
  for (auto& tool : tools) {
    auto one = out.empty() ? tool.text : fmt::format("{} ({})", tool.text, tool.program);
    if (out.size() < 8) out.push_back(std::move(one));
  }
  return join(std::span<const std::string>(out), ", ");
}

Fail none_fits(const Toolchain& chain, const VersionRequest& request, const std::vector<Tool>& tools) {
  std::string supply = "install it on the runner, or run the job in an image that has it (container:)";
  if (!chain.cached.empty() && !chain.cached.contains('*'))
    supply = fmt::format("unpack it to /opt/hostedtoolcache/{}/VERSION/{} with {}.complete beside it, {}", chain.cached,
                         host_architecture(), host_architecture(), supply);
  if (tools.empty())
    return Fail(
        Error(Kind::not_found, fmt::format("{} is not installed where this job runs, and nothing is fetched from "
                                           "other hosts",
                                           chain.name))
            .with_hint(supply));
  return Fail(Error(Kind::not_found, fmt::format("{} {}{} is wanted, {} is installed here", chain.name,
                                                 request.at_least ? ">=" : "", request.range, what_is_there(tools)))
                  .with_hint(fmt::format("ask for {}.{}; or {}", tools[0].version[0], tools[0].version[1], supply)));
}

}  // namespace

std::string shell_quoted(std::string_view text) { return "'" + replace_all(std::string(text), "'", "'\\''") + "'"; }

std::string_view host_architecture() {
#if defined(__aarch64__)
  return "arm64";
#else
  return "x64";
#endif
}

namespace {
Result<std::string> folder_of(ActionUse& use, const std::string& cwd) {
  if (cwd.empty()) return use.job.folder().workspace();
  TRY(auto relative, use.job.relative_of(cwd));
  if (!use.job.folder().has_folder(relative)) return fail(Kind::not_found, "{}: no such folder", cwd);
  return relative;
}
}  // namespace

Result<std::optional<std::string>> output_of(const Ctx& ctx, ActionUse& use, const std::string& script,
                                             const Environment& extra, const std::string& cwd) {
  auto file = fmt::format("{}/_runner_file_commands/answer_{}", use.job.folder().temp(), random_hex(6));
  TRY_OK(use.job.folder().write(file, "", 0666));
  TRY(auto folder, folder_of(use, cwd));
  auto env = extra;
  env["SLIPWAY_ANSWER"] = use.job.inside(file);
  auto code = use.job.process(ctx, use.step, {"sh", "-c", fmt::format("{{ {}\n}} >\"$SLIPWAY_ANSWER\"", script)},
                              use.job.inside(folder), env);
  if (!code) {
    if (code.error().is(Kind::not_found)) return std::optional<std::string>();  // an image without a shell
    return Fail(std::move(code).error());
  }
  if (*code != 0) return std::optional<std::string>();
  TRY(auto text, use.job.folder().read(file, max_answer));
  return std::optional(std::move(text));
}

Result<> run_script(const Ctx& ctx, ActionUse& use, const std::string& script, const Environment& extra,
                    const std::string& cwd) {
  TRY(auto folder, folder_of(use, cwd));
  for (auto line : lines(script)) use.say("##[command]" + std::string(line));
  TRY(auto code, use.job.process(ctx, use.step, {"sh", "-e", "-c", script}, use.job.inside(folder), extra));
  if (code != 0) return fail(Kind::invalid, "Process completed with exit code {}.", code);
  return {};
}

namespace {

Result<> check_architecture(ActionUse& use) {
  auto asked = lower(use.input("architecture", host_architecture()));
  if (asked == "amd64" || asked == "x86_64") asked = "x64";
  if (asked == "aarch64") asked = "arm64";
  if (asked == host_architecture()) return {};
  return Fail(
      Error(Kind::unavailable, fmt::format("architecture {}: this runner has {} alone", asked, host_architecture()))
          .with_hint("leave it away, or run the job where that architecture is"));
}

Result<std::vector<Tool>> probe(const Ctx& ctx, ActionUse& use, const Toolchain& chain, const std::string& script) {
  TRY(auto answer, output_of(ctx, use, script + "true"));
  std::vector<Tool> out;
  std::set<std::string> seen;
  auto text = answer.value_or("");
  for (auto line : lines(text)) {
    auto words = split(line, '\t');
    if (words.size() < 3 || !seen.insert(std::string(words[1])).second) continue;
    Tool tool;
    fs::path path{std::string(words[1])};
    bool from_cache = words[0] == "C";
    auto version = find_version(from_cache ? path.parent_path().filename().string() : std::string(words[2]));
    if (!version) continue;
    tool.version = normal(chain, *version);
    tool.text = print(tool.version);
    tool.words = from_cache ? "" : std::string(words[2]);
    tool.home = from_cache ? path.string() : path.parent_path().parent_path().string();
    tool.program = from_cache ? (path / std::string(words[2]) / chain.programs.at(0)).string() : path.string();
    tool.on_path = !from_cache && out.empty();
    out.push_back(std::move(tool));
  }
  return out;
}

bool fits(const Tool& tool, const VersionRequest& request) {
  return satisfies(tool.version, request.at_least ? ">=" + request.range : request.range);
}

}  // namespace

Result<std::vector<Tool>> find_tools(const Ctx& ctx, ActionUse& use, const Toolchain& chain) {
  TRY_OK(check_architecture(use));
  return probe(ctx, use, chain, further_probe(chain));
}

Result<Tool> provide(const Ctx& ctx, ActionUse& use, const Toolchain& chain, const VersionRequest& request) {
  TRY_OK(check_architecture(use));
  TRY(auto tools, probe(ctx, use, chain, path_probe(chain)));
  // The one in use will do when it satisfies; else the newest of all that does.
  if (tools.empty() || !fits(tools[0], request)) {
    TRY(tools, probe(ctx, use, chain, further_probe(chain)));
  }
  const Tool* best = tools.empty() || !fits(tools[0], request) ? nullptr : &tools[0];
  if (!best)
    for (auto& tool : tools)
      if (fits(tool, request) && (!best || tool.version > best->version)) best = &tool;
  if (!best) return none_fits(chain, request, tools);
  if (!best->on_path) use.job.add_path(use.step, fs::path(best->program).parent_path().string());
  use.say(fmt::format("{} {} ({}) {}", chain.name, best->text, best->program,
                      request.range.empty()
                          ? std::string("is the one in use here")
                          : fmt::format("satisfies \"{}{}\"", request.at_least ? ">=" : "", request.range)));
  return *best;
}

Result<VersionRequest> wanted_version(ActionUse& use, const Toolchain& chain, std::string_view version,
                                      std::string_view file, const std::vector<std::string>& defaults) {
  auto given = use.input(version);
  auto from = file.empty() ? std::string() : use.input(file);
  if (!given.empty() && !from.empty())
    use.say(
        fmt::format("##[warning]Both {} and {} inputs are specified, only {} will be used", version, file, version));
  if (!given.empty()) return VersionRequest{given};
  auto read = [&](const std::string& name) -> Result<std::optional<VersionRequest>> {
    TRY(auto relative, use.job.relative_of(name));
    if (!use.job.folder().has_file(relative)) return std::optional<VersionRequest>();
    TRY(auto text, use.job.folder().read(relative, max_answer));
    TRY(auto request, parse_version_file(chain.tool, fs::path(name).filename().string(), text));
    return std::optional(std::move(request));
  };
  if (!from.empty()) {
    TRY(auto request, read(from));
    if (!request)
      return Fail(
          Error(Kind::not_found, fmt::format("The specified {} version file at: {} does not exist", chain.name, from))
              .with_hint("is there an actions/checkout step before?"));
    if (request->range.empty()) return fail(Kind::invalid, "{}: says no version of {}", from, chain.name);
    use.say(fmt::format("Resolved {} as {}", from, request->range));
    return *request;
  }
  for (auto& name : defaults) {
    TRY(auto request, read(name));
    if (!request || request->range.empty()) continue;
    use.say(fmt::format("Resolved {} as {}", name, request->range));
    return *request;
  }
  return VersionRequest{};
}

Result<> keep_dependencies(const Ctx& ctx, ActionUse& use, Dependencies what) {
  auto own = use.list("cache-dependency-path");
  if (!own.empty()) what.locks = own;
  TRY(auto hash, hash_of(ctx, use, what.locks));
  use.output("cache-hit", "false");
  if (hash.empty()) {
    auto text = fmt::format("Dependencies lock file is not found. Supported file patterns: {}",
                            join(std::span<const std::string>(what.locks), ", "));
    if (what.must)
      return Fail(Error(Kind::not_found, text)
                      .with_hint("is there an actions/checkout step before? else name it in cache-dependency-path"));
    use.say("##[warning]" + text + ": nothing is kept");
    return {};
  }
  auto prefix = fmt::format("{}-cache-Linux-{}-", what.name, host_architecture());
  KeptFiles kept{what.paths, prefix + hash, what.by_prefix ? std::vector{prefix} : std::vector<std::string>{}};
  TRY(auto found, keep_files(ctx, use, kept));
  use.output("cache-hit", found == kept.key ? "true" : "false");
  return {};
}

}  // namespace slipway::ci
