#pragma once
// One installed or required package, and what was found in one place.
#include <string>
#include <vector>

#include "doc/view.h"
#include "path/types.h"

namespace slipway::scan {

struct Package {
  std::string ecosystem;      // OSV's name: "Debian:12", "Alpine:v3.20", "npm", "PyPI", "Go", "crates.io"
  std::string name, version;  // as the package system writes them
  std::string source_name;    // distributions: what advisories name; "" same as name
  std::string source_version;
  std::string architecture;
  path::Place place;  // the file it was read from
  std::string layer;  // diff id of the layer that brought it, "" for a folder
  std::string license;

  const std::string& advisory_name() const { return source_name.empty() ? name : source_name; }
  const std::string& advisory_version() const { return source_version.empty() ? version : source_version; }
  friend bool operator==(const Package&, const Package&) = default;
};

// Package URL (purl-spec): pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12
std::string purl(const Package& package);

// The distribution as /etc/os-release names it.
struct Distribution {
  std::string id, version, name;  // debian, 12, "Debian GNU/Linux 12 (bookworm)"
  // "Debian:12", "Alpine:v3.20", "Ubuntu:22.04:LTS"; "" when there is none or it is not known.
  std::string ecosystem() const;
  friend bool operator==(const Distribution&, const Distribution&) = default;
};
Distribution parse_os_release(std::string_view text);

doc::Value to_doc(const Package& package);
Package package_from(doc::View view);

}  // namespace slipway::scan
