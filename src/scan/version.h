#pragma once
// The order of versions, exactly as each package system defines it. Threads: any.
#include <optional>
#include <string_view>

namespace slipway::scan {

enum class Scheme {
  dpkg,      // Debian policy 5.6.12
  apk,       // apk-tools: number{.number}[letter]{_suffix[number]}[~hash][-rN]
  rpm,       // rpmvercmp with ~ and ^
  semver,    // semver.org 2.0: npm, Go, crates.io, Hex, Bitnami
  pep440,    // packaging.python.org: PyPI
  maven,     // ComparableVersion as of Maven 3.8
  gem,       // Gem::Version
  nuget,     // four numbers, pre-release without case
  composer,  // Packagist: stability words
  generic    // numbers and words by turns
};

// Below, equal or above 0. Never fails: a version that its scheme does not allow is ordered by its readable start.
int compare_versions(Scheme scheme, std::string_view a, std::string_view b);

// By OSV's ecosystem name, its release suffix ignored: "Debian:12" is dpkg.
Scheme scheme_of(std::string_view ecosystem);

}  // namespace slipway::scan
