// Any text: the linter ends, and its findings print.
#include "ci/lint.h"
#include "path/findings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  ci::LintOptions options;
  options.source = "w.yml";
  (void)path::print_text(ci::lint_workflow(std::string_view(reinterpret_cast<const char*>(data), size), options));
  return 0;
}
