#pragma once
// Package lists in the form each package system leaves them. All read outside input: what does not make sense is
// skipped, nothing is trusted. `file` goes into the place of each package. Threads: any.
#include <string_view>
#include <vector>

#include "scan/package.h"

namespace slipway::scan {

using Packages = std::vector<Package>;

// Installed packages of /var/lib/dpkg/status or one file of status.d; removed ones are skipped. The ecosystem stays
// "Debian": the image's distribution completes it.
Packages parse_dpkg_status(std::string_view text, std::string_view file);
// /lib/apk/db/installed; the ecosystem stays "Alpine".
Packages parse_apk_installed(std::string_view text, std::string_view file);

Packages parse_package_lock(std::string_view json, std::string_view file);     // npm, lockfile versions 1 to 3
Packages parse_package_json(std::string_view json, std::string_view file);     // an installed one, in node_modules
Packages parse_python_metadata(std::string_view text, std::string_view file);  // *.dist-info/METADATA, PKG-INFO
Packages parse_requirements(std::string_view text, std::string_view file);     // only pinned with "=="
Packages parse_toml_lock(std::string_view text, std::string_view ecosystem,
                         std::string_view file);                         // poetry, uv, Cargo
Packages parse_yarn_lock(std::string_view text, std::string_view file);  // versions 1 and 2+
Packages parse_pnpm_lock(std::string_view text, std::string_view file);  // lockfile versions 5 to 9
Packages parse_pipfile_lock(std::string_view json, std::string_view file);
Packages parse_composer_lock(std::string_view json, std::string_view file);  // Packagist
Packages parse_gemfile_lock(std::string_view text, std::string_view file);   // RubyGems
Packages parse_go_mod(std::string_view text, std::string_view file);
// A Go program's build information (Go 1.18 on): main module, dependencies, the standard library as "stdlib".
Packages parse_go_binary(std::string_view bytes, std::string_view file);
Packages parse_pom_properties(std::string_view text, std::string_view file);  // META-INF/maven/*/*/pom.properties

}  // namespace slipway::scan
