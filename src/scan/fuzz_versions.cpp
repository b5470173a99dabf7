// Two versions, split at the first newline: the order is antisymmetric and every version equals itself.
#include "base/result.h"
#include "scan/version.h"

using namespace slipway::scan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  auto at = text.find('\n');
  auto a = text.substr(0, at), b = at == text.npos ? std::string_view() : text.substr(at + 1);
  for (int s = 0; s <= static_cast<int>(Scheme::generic); ++s) {
    auto scheme = static_cast<Scheme>(s);
    int forward = compare_versions(scheme, a, b), back = compare_versions(scheme, b, a);
    SLP_ASSERT((forward > 0) == (back < 0) && (forward == 0) == (back == 0));
    SLP_ASSERT(compare_versions(scheme, a, a) == 0);
  }
  return 0;
}
