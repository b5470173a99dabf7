// What parses prints to something that parses to the same.
#include "oci/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::oci;
  if (auto r = parse_reference({reinterpret_cast<const char*>(data), size}))
    SLP_ASSERT(parse_reference(r->print()).value() == *r);
  return 0;
}
