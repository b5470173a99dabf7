// Lines of timers, and files of time zones: an error, or times that move on.
#include "ci/schedule.h"

#define CHECKED(x) \
  if (!(x)) __builtin_trap()

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ci::TimeZone utc;
  WallTime now{std::chrono::seconds(1'790'000'000)};
  if (text.starts_with("TZif")) {
    auto zone = ci::TimeZone::parse(text);
    auto cron = ci::Cron::parse("30 2 * * 0");
    if (zone && cron)
      if (auto next = cron->next(*zone, now)) CHECKED(*next > now);
    return 0;
  }
  auto cron = ci::Cron::parse(text);
  if (!cron) return 0;
  for (int n = 0; n < 3; ++n) {
    auto next = cron->next(utc, now);
    if (!next) break;
    CHECKED(*next > now);
    now = *next;
  }
  return 0;
}
