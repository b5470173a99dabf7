// A file that names versions, under every name it may have: a range, or nothing.
#include "ci/actions/version_file.h"
#include "ci/actions/version_range.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::ci;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto* tool : {"node", "python", "go", "java", "ruby", "rust", "uv", "pnpm"})
    for (auto* name : {".nvmrc", "package.json", "pyproject.toml", "Pipfile", "go.mod", ".tool-versions", ".sdkmanrc",
                       "global.json", "Gemfile", "mise.toml", "rust-toolchain.toml"}) {
      auto request = parse_version_file(tool, name, text);
      if (!request) continue;
      SLP_ASSERT(request->range.size() <= size);
      (void)satisfies({1, 2, 3}, request->range);
    }
  (void)find_version(text);
  return 0;
}
