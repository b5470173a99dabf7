// Any text: a finding stands inside it and never shows the secret whole.
#include "scan/secrets.h"

using namespace slipway::scan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& f : find_secrets("config/.env", text))
    SLP_ASSERT(f.place.line >= 1 && f.place.column >= 1 && !f.rule.empty());
  return 0;
}
