// A SARIF file that a job left: an error, or findings with places that make sense.
#include "ci/actions/sarif.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::ci;
  auto results = parse_sarif({reinterpret_cast<const char*>(data), size}, "r.sarif");
  if (!results) return 0;
  for (const auto& [finding, end_line] : *results)
    SLP_ASSERT(finding.place.line >= 0 && finding.place.column >= 0 && end_line >= 0);
  return 0;
}
