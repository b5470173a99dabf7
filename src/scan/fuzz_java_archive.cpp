// An archive out of an image, with archives in it: packages with names and versions, in bounded time.
#include "scan/detail/contents.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::scan;
  for (const auto& package : detail::read_java_archive({reinterpret_cast<const char*>(data), size}, "a.jar"))
    SLP_ASSERT(!package.name.empty() && !package.version.empty());
  return 0;
}
