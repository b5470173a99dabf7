#pragma once
// Image references.
#include <string>
#include <string_view>

#include "base/hash.h"

namespace slipway::oci {

// [host[:port]/]path[:tag][@digest]. Docker's short names get their defaults ("web" -> docker.io/library/web:latest).
struct Reference {
  std::string host, repository, tag;  // tag "" only when a digest is given
  Digest digest;                      // may be empty
  std::string print() const;          // host/repository:tag@digest
  std::string name() const { return host + "/" + repository; }
  auto operator<=>(const Reference&) const = default;
};
// Rule: OCI distribution-spec 1.1 grammar plus Docker's defaults; `default_host` replaces docker.io for names
// without a host ("" keeps Docker's). Errors: invalid with the offset. Threads: any.
Result<Reference> parse_reference(std::string_view text, std::string_view default_host = "");

// The grammar's parts, for names that come without a reference (the registry's paths).
bool valid_repository(std::string_view name);
bool valid_tag(std::string_view tag);

}  // namespace slipway::oci
