// sigstore/cosign-installer, taiki-e/install-action, goreleaser/goreleaser-action: tools that are where the job runs.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/toolchain.h"

namespace slipway::ci {
namespace {

Toolchain single(const std::string& name, std::vector<std::string> programs, std::string arguments = "--version") {
  std::vector<std::string> places;
  for (auto& program : programs)
    for (const auto* folder :
         {"/usr/local/bin/", "\"$HOME\"/.cargo/bin/", "\"$HOME\"/.local/bin/", "\"$HOME\"/go/bin/"})
      places.push_back(folder + program);
  return {name, name, name, std::move(programs), std::move(places), std::move(arguments)};
}

bool is_tool_name(std::string_view name) {
  return !name.empty() && !name.starts_with('-') && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace

Result<> cosign_installer(const Ctx& ctx, ActionUse& use) {
  auto release = use.input("cosign-release");
  if (release == "main")
    return Fail(Error(Kind::unavailable, "cosign-release main: nothing is built from other hosts' sources")
                    .with_hint("ask for a release, or leave it away to take the one that is installed"));
  auto chain = single("cosign", {"cosign"}, "version");
  chain.places.emplace_back("\"$HOME\"/.cosign/cosign");
  TRY(auto tool, provide(ctx, use, chain, {release}));
  (void)tool;
  return {};
}

Result<> install_action(const Ctx& ctx, ActionUse& use) {
  auto wanted = use.input("tool");
  // taiki-e/install-action@nextest names the tool in place of a version.
  bool version =
      use.ref.starts_with('v') && use.ref.size() > 1 && std::isdigit(static_cast<unsigned char>(use.ref[1])) != 0;
  bool commit = use.ref.size() == 40 && use.ref.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (wanted.empty() && !version && !commit && use.ref != "main") wanted = use.ref;
  for (char& c : wanted)
    if (c == ',' || c == '\n') c = ' ';
  bool any = false;
  for (auto word : split(wanted, ' ')) {
    if (word.empty()) continue;
    any = true;
    auto pair = cut(word, "@");
    std::string name(pair ? pair->first : word);
    if (!is_tool_name(name)) return fail(Kind::invalid, "tool: \"{}\" is no name of a tool", word);
    TRY(auto tool, provide(ctx, use, single(name, {name, "cargo-" + name}), {pair ? std::string(pair->second) : ""}));
    (void)tool;
  }
  if (!any) return fail(Kind::invalid, "Input required and not supplied: tool");
  return {};
}

Result<> goreleaser(const Ctx& ctx, ActionUse& use) {
  auto distribution = use.input("distribution", "goreleaser");
  if (distribution != "goreleaser" && distribution != "goreleaser-pro")
    return fail(Kind::invalid, "distribution: got \"{}\", want goreleaser or goreleaser-pro", distribution);
  auto version = use.input("version", "~> v2");
  if (version == "nightly") version = "latest";
  TRY(auto tool, provide(ctx, use, single("goreleaser", {"goreleaser"}), {version}));
  if (use.flag("install-only", false)) return {};
  auto folder = use.input("workdir", ".");
  TRY_OK(run_script(ctx, use, fmt::format("{} {}", shell_quoted(tool.program), use.input("args")), {}, folder));
  TRY(auto relative, use.job.relative_of(folder));
  for (const auto* name : {"artifacts", "metadata"}) {
    auto file = fmt::format("{}/dist/{}.json", relative, name);
    if (!use.job.folder().has_file(file)) continue;
    TRY(auto text, use.job.folder().read(file, 1 << 20));
    use.output(name, std::string(trim(text)));
  }
  return {};
}

}  // namespace slipway::ci
