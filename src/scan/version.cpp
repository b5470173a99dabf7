#include "scan/version.h"

#include "scan/detail/versions.h"

namespace slipway::scan {
namespace {

// Runs of digits and runs of letters in turn; whatever stands between them only separates. A number is above a word,
// and a longer version above its own start.
int compare_generic(std::string_view a, std::string_view b) {
  auto next = [](std::string_view& text) {
    while (!text.empty() && !detail::is_digit(text[0]) && !detail::is_alpha(text[0])) text.remove_prefix(1);
    if (text.empty() || detail::is_digit(text[0])) return detail::take_digits(text);
    std::size_t n = 0;
    while (n < text.size() && detail::is_alpha(text[n])) ++n;
    auto word = text.substr(0, n);
    text.remove_prefix(n);
    return word;
  };
  while (true) {
    auto x = next(a), y = next(b);
    if (x.empty() || y.empty()) return static_cast<int>(!x.empty()) - static_cast<int>(!y.empty());
    bool number_x = detail::is_digit(x[0]), number_y = detail::is_digit(y[0]);
    if (number_x != number_y) return number_x ? 1 : -1;
    int order = number_x ? detail::compare_digits(x, y) : detail::sign(x.compare(y));
    if (order != 0) return order;
  }
}

}  // namespace

int compare_versions(Scheme scheme, std::string_view a, std::string_view b) {
  switch (scheme) {
    case Scheme::dpkg:
      return detail::compare_dpkg(a, b);
    case Scheme::apk:
      return detail::compare_apk(a, b);
    case Scheme::rpm:
      return detail::compare_rpm(a, b);
    case Scheme::semver:
      return detail::compare_semver(a, b);
    case Scheme::pep440:
      return detail::compare_pep440(a, b);
    case Scheme::maven:
      return detail::compare_maven(a, b);
    case Scheme::gem:
      return detail::compare_gem(a, b);
    case Scheme::nuget:
      return detail::compare_nuget(a, b);
    case Scheme::composer:
      return detail::compare_composer(a, b);
    case Scheme::generic:
      return compare_generic(a, b);
  }
  return 0;
}

Scheme scheme_of(std::string_view ecosystem) {
  auto base = ecosystem.substr(0, ecosystem.find(':'));
  struct Row {
    std::string_view name;
    Scheme scheme;
  };
  static constexpr Row rows[] = {
      {"Debian", Scheme::dpkg},
      {"Ubuntu", Scheme::dpkg},
      {"Alpine", Scheme::apk},
      {"Alpaquita", Scheme::apk},
      {"BellSoft Hardened Containers", Scheme::apk},
      {"Wolfi", Scheme::apk},
      {"Chainguard", Scheme::apk},
      {"MinimOS", Scheme::apk},
      {"AlmaLinux", Scheme::rpm},
      {"Rocky Linux", Scheme::rpm},
      {"Red Hat", Scheme::rpm},
      {"SUSE", Scheme::rpm},
      {"openSUSE", Scheme::rpm},
      {"Mageia", Scheme::rpm},
      {"openEuler", Scheme::rpm},
      {"Photon OS", Scheme::rpm},
      {"Azure Linux", Scheme::rpm},
      {"npm", Scheme::semver},
      {"Go", Scheme::semver},
      {"crates.io", Scheme::semver},
      {"Hex", Scheme::semver},
      {"Bitnami", Scheme::semver},
      {"SwiftURL", Scheme::semver},
      {"Julia", Scheme::semver},
      {"Kubernetes", Scheme::semver},
      {"Pub", Scheme::semver},
      {"PyPI", Scheme::pep440},
      {"Maven", Scheme::maven},
      {"RubyGems", Scheme::gem},
      {"NuGet", Scheme::nuget},
      {"Packagist", Scheme::composer},
  };
  for (const auto& row : rows)
    if (row.name == base) return row.scheme;
  return Scheme::generic;
}

}  // namespace slipway::scan
