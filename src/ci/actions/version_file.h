#pragma once
// The version of a tool that a repository's own files ask for.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::ci {

struct VersionRequest {
  std::string range;      // as version_range.h reads it; "" nothing is said
  bool at_least = false;  // go.mod's "go 1.21" is the least version
};
// tool: node, python, go, java, ruby, bun, deno, pnpm, dotnet, php, gradle, uv, golangci-lint, rust. The file's name
// says what it is: .nvmrc, .node-version, package.json, .python-version, pyproject.toml, Pipfile, go.mod, go.work,
// .java-version, .sdkmanrc, .tool-versions, global.json, Gemfile, rust-toolchain(.toml), mise.toml; anything else holds
// the version on its first line. Errors: invalid (broken JSON).
Result<VersionRequest> parse_version_file(std::string_view tool, std::string_view file_name, std::string_view text);

}  // namespace slipway::ci
