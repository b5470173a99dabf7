// A test report that a job left: an error or counts that add up, printed and compared with itself.
#include "ci/report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::ci;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& report : {parse_junit(text, "r.xml"), parse_tap(text, "r.tap"), parse_test_report(text, "r")}) {
    if (!report) continue;
    auto counted = report->passed + report->failed + report->skipped;
    SLP_ASSERT(static_cast<std::size_t>(counted) == report->cases.size());
    (void)report->print();
    (void)flaky_tests({*report, *report});
  }
  return 0;
}
