#pragma once
// Cron schedules that open for a while: sync windows, hours in which promotions may happen. Five fields of numbers,
// UTC.
#include <optional>
#include <string_view>

#include "base/ctx.h"
#include "base/time.h"

namespace slipway {

// Whether this is a schedule: minute, hour, day of month, month, day of week; *, 5, 1-5, 1,3, */10.
bool is_cron(std::string_view schedule);
// Whether it names a minute of the last `duration`.
bool is_cron_open(std::string_view schedule, Millis duration, WallTime now);
// The first minute after `now`, at most `within` later, in which that answer is another.
std::optional<WallTime> cron_changes(std::string_view schedule, Millis duration, WallTime now, Millis within);

}  // namespace slipway
