#pragma once
// Tools that are where the job runs: on its PATH, at the usual places, or in a tool cache (TOOL/VERSION/ARCH beside
// ARCH.complete). Nothing is fetched from other hosts.
#include "ci/actions/version_file.h"
#include "ci/actions/version_range.h"
#include "ci/detail/job_run.h"

namespace slipway::ci {

struct Toolchain {
  std::string name;                   // for people: "Node.js"
  std::string tool;                   // for version files: "node"
  std::string cached;                 // its folder in a tool cache, may hold *; "" none
  std::vector<std::string> programs;  // names on PATH, any of them
  std::vector<std::string> places;    // shell patterns of further ones
  std::string arguments;              // that make it say its version
};
struct Tool {
  Version version{};
  std::string text;           // "20.11.0"
  std::string program, home;  // paths as steps see them; home: the folder above bin
  std::string words;          // what it said of itself
  bool on_path = false;       // already the one that is found first
};
// All of them, those found first first.
Result<std::vector<Tool>> find_tools(const Ctx& ctx, ActionUse& use, const Toolchain& chain);
// The newest that satisfies, put on PATH. Errors: not_found, naming what is there and how to supply it.
Result<Tool> provide(const Ctx& ctx, ActionUse& use, const Toolchain& chain, const VersionRequest& request);
// Inputs `version` and `file`, then the first of `defaults` that is there and says something.
Result<VersionRequest> wanted_version(ActionUse& use, const Toolchain& chain, std::string_view version,
                                      std::string_view file, const std::vector<std::string>& defaults = {});

// What a command prints, in the job's environment; nothing when it fails. cwd: relative to the workspace.
Result<std::optional<std::string>> output_of(const Ctx& ctx, ActionUse& use, const std::string& script,
                                             const Environment& extra = {}, const std::string& cwd = {});
// A command of a step's own: its output is the step's, its failure as well.
Result<> run_script(const Ctx& ctx, ActionUse& use, const std::string& script, const Environment& extra = {},
                    const std::string& cwd = {});
std::string shell_quoted(std::string_view text);
std::string_view host_architecture();  // x64, arm64

// Dependencies kept between runs, keyed by lock files. Sets cache-hit.
struct Dependencies {
  std::string name;                // starts the key
  std::vector<std::string> paths;  // what is kept
  std::vector<std::string> locks;  // patterns in the workspace
  bool must = true;                // no lock file: an error, else a warning
  bool by_prefix = false;          // an older key does too
};
Result<> keep_dependencies(const Ctx& ctx, ActionUse& use, Dependencies what);

}  // namespace slipway::ci
