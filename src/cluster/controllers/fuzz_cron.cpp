// First line a schedule, the rest a zone's file: refused, or the next time is later and comes in bounded time.
#include "base/text.h"
#include "cluster/controllers/cron.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 65536));
  auto [line, tzif] = cut(text, "\n").value_or(std::pair{text, std::string_view()});
  auto parsed = cluster::Zone::parse(tzif);
  auto zone = parsed ? *std::move(parsed) : cluster::Zone::load("UTC").value();
  auto schedule = cluster::Schedule::parse(line);
  if (!schedule) return 0;
  WallTime after{std::chrono::seconds(1'790'000'000)};
  for (int i = 0; i < 3; ++i) {
    auto next = schedule->next(after, zone);
    if (!next) break;
    SLP_ASSERT(*next > after);
    after = *next;
  }
  return 0;
}
