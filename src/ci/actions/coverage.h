#pragma once
// Coverage reports: lcov, Cobertura, JaCoCo, Clover and Go's profiles.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::ci {

struct CoverageReport {
  struct Count {
    std::uint64_t covered = 0, total = 0;  // lines; of Go statements
    double percent() const;
  };
  std::map<std::string, Count> files;
  Count all() const;
  void add(const CoverageReport& other);  // of a file that both have the larger count
  std::string print() const;              // Markdown: the sum, then files with the most that is not covered
};
// By what it begins with. Errors: invalid with source:line.
Result<CoverageReport> parse_coverage(std::string_view text, std::string_view source);

}  // namespace slipway::ci
