// Every package list: what comes out has a name and a version, and a purl.
#include "scan/parsers.h"

using namespace slipway::scan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& list :
       {parse_package_lock(text, "f"), parse_requirements(text, "f"), parse_toml_lock(text, "crates.io", "f"),
        parse_toml_lock(text, "PyPI", "f"), parse_go_mod(text, "f"), parse_yarn_lock(text, "f"),
        parse_pnpm_lock(text, "f"), parse_pipfile_lock(text, "f"), parse_composer_lock(text, "f"),
        parse_gemfile_lock(text, "f"), parse_python_metadata(text, "f"), parse_pom_properties(text, "f"),
        parse_package_json(text, "f"), parse_go_binary(text, "f"), parse_dpkg_status(text, "f"),
        parse_apk_installed(text, "f")})
    for (const auto& p : list) SLP_ASSERT(!p.name.empty() && !p.version.empty() && purl(p).starts_with("pkg:"));
  return 0;
}
