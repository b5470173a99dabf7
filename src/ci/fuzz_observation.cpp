// What was seen of a job, as it is kept.
#include "base/text.h"
#include "ci/observe/observation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  auto parsed = ci::parse_observation({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  auto again = ci::parse_observation(print(*parsed));
  SLP_ASSERT(again && *again == *parsed);
  return 0;
}
