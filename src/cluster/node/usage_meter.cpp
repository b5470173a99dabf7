#include "cluster/node/usage_meter.h"

namespace slipway::cluster {
namespace {

// What is older says nothing of now; readings closer to each other than `step` are not kept.
constexpr std::chrono::seconds oldest{120}, step{5};

}  // namespace

std::optional<UsageMeter::Rate> UsageMeter::read(const std::string& id, std::chrono::nanoseconds total, WallTime began,
                                                 WallTime now, Millis shortest) {
  std::lock_guard lock(mutex_);
  auto& readings = readings_[id];
  // A clock that was set back, or a counter of another life.
  if (!readings.empty() && (readings.back().at > now || readings.back().total > total)) readings.clear();
  while (!readings.empty() && readings.front().at < now - oldest) readings.pop_front();
  std::optional<Reading> from;
  for (const auto& reading : readings)
    if (reading.at + shortest <= now) from = reading;
  if (!from && began <= now - shortest && began >= now - oldest) from = Reading{began, std::chrono::nanoseconds(0)};
  if (readings.empty() || readings.back().at + step <= now) readings.push_back({now, total});
  if (!from) return std::nullopt;
  auto window = now - from->at;
  auto nanos = static_cast<double>((total - from->total).count()) / std::chrono::duration<double>(window).count();
  return Rate{static_cast<std::int64_t>(nanos), std::chrono::duration_cast<Millis>(window)};
}

void UsageMeter::forget(WallTime now) {
  std::lock_guard lock(mutex_);
  std::erase_if(readings_, [&](const auto& entry) { return entry.second.back().at < now - oldest; });
}

}  // namespace slipway::cluster
