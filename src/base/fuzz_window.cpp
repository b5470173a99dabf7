// A cron schedule that opens for a while: where it says that its answer changes, it does.
#include "base/cron_window.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 200));
  if (!is_cron(text)) {
    SLP_ASSERT(!is_cron_open(text, std::chrono::hours(24), WallTime(std::chrono::hours(500'000))));
    return 0;
  }
  auto now = WallTime(std::chrono::seconds(1'792'800'000 + size * 977));
  for (Millis duration : {Millis(60'000), Millis(5'400'000)}) {
    auto change = cron_changes(text, duration, now, std::chrono::hours(6));
    bool open = is_cron_open(text, duration, now);
    if (change) SLP_ASSERT(is_cron_open(text, duration, *change) != open);
    if (!change) SLP_ASSERT(is_cron_open(text, duration, now + std::chrono::hours(5)) == open);
  }
  return 0;
}
