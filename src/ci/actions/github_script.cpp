// actions/github-script: the script runs by the node of where the job runs, within what github_script.js gives it.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"

asm(".section .rodata\n"
    ".balign 16\n"
    ".global slipway_ci_github_script_begin\n"
    ".global slipway_ci_github_script_end\n"
    "slipway_ci_github_script_begin:\n"
    ".incbin \"" SLIPWAY_CI_GITHUB_SCRIPT
    "\"\n"
    "slipway_ci_github_script_end:\n"
    ".previous\n");
extern "C" const char slipway_ci_github_script_begin[], slipway_ci_github_script_end[];

namespace slipway::ci {

Result<> github_script(const Ctx& ctx, ActionUse& use) {
  std::string_view bytes(slipway_ci_github_script_begin,
                         static_cast<std::size_t>(slipway_ci_github_script_end - slipway_ci_github_script_begin));
  auto encoding = use.input("result-encoding", "json");
  if (encoding != "json" && encoding != "string")
    return fail(Kind::invalid, "\"result-encoding\" must be either \"string\" or \"json\", got \"{}\"", encoding);
  auto& folder = use.job.folder();
  auto file = fmt::format("{}/github-script-{}.cjs", folder.temp(), sha256_hex(bytes).substr(0, 12));
  TRY_OK(folder.write(file, bytes));
  // The script itself goes by the environment: it may be anything, and is never part of a command line.
  Environment env = {{"SLIPWAY_SCRIPT", use.inputs.find("script")->second},
                     {"SLIPWAY_SCRIPT_ENCODING", encoding},
                     {"SLIPWAY_SCRIPT_TOKEN", use.input("github-token", use.job.token())},
                     {"SLIPWAY_SCRIPT_BASE_URL", use.input("base-url")}};
  for (auto& [name, value] : use.inputs) {
    std::string variable = "INPUT_";
    for (char c : name) variable += c == ' ' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (name != "github-token") env[variable] = value;
  }
  auto code = use.job.process(ctx, use.step, {"node", use.job.inside(file)}, use.job.inside(folder.workspace()), env);
  if (!code && code.error().is(Kind::not_found))
    return Fail(Error(Kind::not_found,
                      "actions/github-script runs its script by node, which is not installed where this job "
                      "runs")
                    .with_hint("install node on the runner, or run the job in an image that has it (container:)"));
  TRY_OK(code);
  if (*code != 0) return fail(Kind::invalid, "the script ended with exit code {}", *code);
  return {};
}

}  // namespace slipway::ci
