// dtolnay/rust-toolchain, actions-rs/toolchain, actions-rs/cargo, swatinem/rust-cache.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/actions/toolchain.h"

namespace slipway::ci {
namespace {

const Toolchain rust{
    "Rust",
    "rust",
    "rust",
    {"rustc"},
    {"\"$HOME\"/.cargo/bin/rustc", "/usr/local/cargo/bin/rustc", "\"$RUSTUP_HOME\"/toolchains/*/bin/rustc",
     "/usr/local/rustup/toolchains/*/bin/rustc", "/opt/rust*/bin/rustc"},
    "--version"};

std::vector<std::string> words_of(std::string text) {
  for (char& c : text)
    if (c == ',' || c == '\n') c = ' ';
  std::vector<std::string> out;
  for (auto word : split(text, ' '))
    if (!word.empty()) out.emplace_back(word);
  return out;
}

// The channel: of the input, else of the action's own ref (dtolnay/rust-toolchain@1.75), else of the repository.
Result<std::string> channel_of(ActionUse& use) {
  auto given = use.input("toolchain");
  if (!given.empty()) return given;
  if (iequals(use.uses, "dtolnay/rust-toolchain") && use.ref != "master" && use.ref != "v1") {
    if (use.ref.size() == 40)  // a commit: which channel it was is not said
      return fail(Kind::invalid, "dtolnay/rust-toolchain@{}: a commit names no channel; say toolchain: as well",
                  use.ref.substr(0, 12));
    return use.ref;
  }
  TRY(auto request, wanted_version(use, rust, "toolchain", "", {"rust-toolchain.toml", "rust-toolchain"}));
  if (request.range.empty() && iequals(use.uses, "dtolnay/rust-toolchain"))
    return fail(Kind::invalid, "Input required and not supplied: toolchain");
  return request.range.empty() ? std::string("stable") : request.range;
}

bool has_suffix(const Tool& tool, std::string_view channel) { return tool.words.contains("-" + std::string(channel)); }

Result<Tool> choose(const Ctx& ctx, ActionUse& use, const std::string& channel) {
  bool dated = channel.starts_with("nightly") || channel.starts_with("beta");
  if (!dated) {
    // "stable minus 3 releases" is what has been tested against: any newer one than that is fine.
    VersionRequest request{channel.starts_with("stable") ? "*" : channel};
    return provide(ctx, use, rust, request);
  }
  TRY(auto tools, find_tools(ctx, use, rust));
  for (auto& tool : tools) {
    if (!has_suffix(tool, channel.substr(0, channel.find('-')))) continue;
    if (!tool.on_path) use.job.add_path(use.step, fs::path(tool.program).parent_path().string());
    return tool;
  }
  return Fail(Error(Kind::not_found, fmt::format("Rust {} is wanted, {} is installed here", channel,
                                                 tools.empty() ? std::string("none") : tools[0].text))
                  .with_hint("ask for stable, or run the job in an image that has it (container:)"));
}

Result<> check_parts(const Ctx& ctx, ActionUse& use, const Tool& tool) {
  auto targets = words_of(use.input("targets") + " " + use.input("target"));
  for (auto& target : targets) {
    TRY(auto found, output_of(ctx, use,
                              fmt::format("[ -d \"$({} --print sysroot)/lib/rustlib/\"{}/lib ]",
                                          shell_quoted(tool.program), shell_quoted(target))));
    if (!found)
      return Fail(
          Error(Kind::not_found, fmt::format("target {}: its standard library is not installed here", target))
              .with_hint(fmt::format("rustup target add {} on the runner, or a container: that has it", target)));
  }
  for (auto& part : words_of(use.input("components"))) {
    static const std::map<std::string, std::string, std::less<>> programs = {
        {"clippy", "cargo-clippy"}, {"rustfmt", "rustfmt"}, {"rust-analyzer", "rust-analyzer"}, {"miri", "cargo-miri"}};
    auto program = programs.find(part);
    if (program == programs.end()) continue;
    TRY(auto found, output_of(ctx, use, "command -v " + program->second));
    if (!found)
      return Fail(Error(Kind::not_found, fmt::format("component {}: {} is not installed here", part, program->second))
                      .with_hint("install it on the runner, or run the job in an image that has it (container:)"));
  }
  return {};
}

Result<std::string> told(const Ctx& ctx, ActionUse& use, const std::string& script) {
  TRY(auto text, output_of(ctx, use, script));
  return std::string(trim(text.value_or("")));
}

}  // namespace

Result<> setup_rust(const Ctx& ctx, ActionUse& use) {
  TRY(auto channel, channel_of(use));
  TRY(auto tool, choose(ctx, use, channel));
  TRY_OK(check_parts(ctx, use, tool));
  use.job.add_path(use.step, use.job.inside(".cargo/bin"));
  use.job.set_env(use.step, "CARGO_INCREMENTAL", "0");
  use.job.set_env(use.step, "CARGO_TERM_COLOR", "always");
  TRY(auto verbose, told(ctx, use, shell_quoted(tool.program) + " -vV"));
  auto key = sha256_hex(verbose).substr(0, 12);
  use.output("name", channel);
  use.output("cachekey", key);
  use.output("rustc", tool.text), use.output("rustc-version", tool.text);
  for (auto line : lines(verbose))
    if (line.starts_with("commit-hash: ")) use.output("rustc_hash", std::string(line.substr(13)));
  TRY(auto cargo_words, told(ctx, use, "cargo --version"));
  auto at = cargo_words.find(' ');
  auto version = at == std::string::npos ? "" : cargo_words.substr(at + 1, cargo_words.find(' ', at + 1) - at - 1);
  use.output("cargo", version), use.output("cargo-version", version);
  if (auto flags = use.input("rustflags"); !flags.empty()) use.job.set_env(use.step, "RUSTFLAGS", flags);
  if (iequals(use.uses, "actions-rust-lang/setup-rust-toolchain") && use.flag("cache", true))
    return rust_cache(ctx, use);
  return {};
}

Result<> cargo(const Ctx& ctx, ActionUse& use) {
  if (use.flag("use-cross", false))
    return Fail(Error(Kind::unavailable, "use-cross: cross builds in images from elsewhere")
                    .with_hint("run the job in an image that has the target (container:), with use-cross: false"));
  auto channel = use.input("toolchain");
  if (channel.starts_with('+')) channel.erase(0, 1);
  if (!channel.empty()) {
    TRY(auto tool, choose(ctx, use, channel));
    (void)tool;
  }
  return run_script(ctx, use, fmt::format("cargo {} {}", shell_quoted(use.input("command")), use.input("args")));
}

Result<> rust_cache(const Ctx& ctx, ActionUse& use) {
  std::vector<std::string> paths = {"~/.cargo/registry/index", "~/.cargo/registry/cache", "~/.cargo/git/db",
                                    "~/.cargo/.crates.toml",   "~/.cargo/.crates2.json",  "~/.cargo/bin"};
  auto workspaces = use.list("workspaces");
  if (workspaces.empty()) workspaces = use.list("cache-workspaces");
  if (workspaces.empty()) workspaces = {"."};
  std::vector<std::string> locks;
  for (auto& line : workspaces) {  // "folder -> target folder within it"
    auto pair = cut(line, "->");
    std::string folder(trim(pair ? pair->first : line)), target(pair ? trim(pair->second) : "target");
    if (use.flag("cache-targets", true)) paths.push_back((fs::path(folder) / target).lexically_normal().string());
    for (auto* name :
         {"**/Cargo.toml", "**/Cargo.lock", "**/rust-toolchain", "**/rust-toolchain.toml", ".cargo/config.toml"})
      locks.push_back((fs::path(folder) / name).lexically_normal().string());
  }
  for (auto& line : use.list("cache-directories")) paths.push_back(line);
  TRY(auto compiler, told(ctx, use, "rustc -vV; env | grep -E '^(CARGO|CC|CFLAGS|CXX|CMAKE|RUST)' | sort"));
  TRY(auto hash, hash_of(ctx, use, locks));
  auto shared = use.input("shared-key");
  auto own = use.input("key", use.input("cache-key"));
  auto prefix = use.input("prefix-key", "v0-rust") + "-" +
                (!shared.empty() ? shared
                                 : own + (own.empty() ? "" : "-") +
                                       (use.flag("add-job-id-key", true) ? use.job.result().id : std::string()));
  prefix += fmt::format("-Linux-{}-{}", host_architecture(), sha256_hex(compiler).substr(0, 8));
  KeptFiles kept{paths,
                 fmt::format("{}-{}", prefix, hash.substr(0, 8)),
                 {prefix},
                 use.flag("save-if", true),
                 use.flag("lookup-only", false),
                 use.flag("cache-on-failure", false)};
  TRY(auto found, keep_files(ctx, use, kept));
  use.job.set_env(use.step, "CARGO_INCREMENTAL", "0");
  use.job.set_env(use.step, "CACHE_ON_FAILURE", use.flag("cache-on-failure", false) ? "true" : "false");
  use.output("cache-hit", found == kept.key ? "true" : "false");
  return {};
}

}  // namespace slipway::ci
