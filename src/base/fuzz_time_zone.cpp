// A file of the time zone database: read or refused, and then every moment has an offset.
#include "base/time_zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  auto zone = TimeZone::parse("x", {reinterpret_cast<const char*>(data), size});
  if (!zone) return 0;
  for (std::int64_t t : {-4'000'000'000LL, -1LL, 0LL, 1'790'000'000LL, 4'000'000'000LL, 8'000'000'000LL})
    (void)zone->at(WallTime(std::chrono::seconds(t)));
  return 0;
}
