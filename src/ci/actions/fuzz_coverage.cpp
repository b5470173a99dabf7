// Coverage reports of steps: whatever they hold, what is covered is no more than what is there.
#include "ci/actions/coverage.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  auto report = ci::parse_coverage({reinterpret_cast<const char*>(data), size}, "report");
  if (!report) {
    SLP_ASSERT(report.error().what().starts_with("report:"));
    return 0;
  }
  for (auto& [file, count] : report->files) SLP_ASSERT(count.covered <= count.total);
  auto twice = *report;
  twice.add(*report);
  SLP_ASSERT(twice.print() == report->print());
  return 0;
}
