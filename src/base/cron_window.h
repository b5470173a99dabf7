#pragma once
// Cron schedules that open for a while: sync windows, hours in which promotions may happen. Five fields, told by the
// wall clock of a time zone: a window is open when that clock shows a time in it. Where the clock is put forward, what
// began in the hour that is left out is open for its rest; where it is put back, an hour comes twice.
#include <optional>
#include <string_view>

#include "base/ctx.h"
#include "base/time_zone.h"

namespace slipway {

// Whether this is a schedule: minute, hour, day of month, month, day of week; *, 5, 1-5, 1,3, */10, MON, JAN.
bool is_cron(std::string_view schedule);
// Whether it names a minute of the last `duration`.
bool is_cron_open(std::string_view schedule, Millis duration, WallTime now, const TimeZone& zone = TimeZone::utc());
// The first minute after `now`, at most `within` later, in which that answer is another.
std::optional<WallTime> cron_changes(std::string_view schedule, Millis duration, WallTime now, Millis within,
                                     const TimeZone& zone = TimeZone::utc());

}  // namespace slipway
