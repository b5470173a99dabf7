#pragma once
// Points in time as text, and durations as Go writes them (Kubernetes and Argo use both).
#include <chrono>
#include <string>
#include <string_view>

#include "base/ctx.h"

namespace slipway {

using WallTime = std::chrono::system_clock::time_point;

std::string rfc3339(WallTime t);                        // 2026-11-25T20:47:50Z
std::string rfc3339_micro(WallTime t);                  // 2026-11-25T20:47:50.123456Z
std::string rfc3339_millis(WallTime t);                 // 2026-11-25T20:47:50.123Z
Result<WallTime> parse_rfc3339(std::string_view text);  // any fraction, Z or offset

// "1h30m", "250ms", "10s"; a bare integer means seconds (as Argo Rollouts' pause takes it).
Result<Millis> parse_duration(std::string_view text);
std::string print_duration(Millis d);  // shortest exact Go form: "1h30m0s", "250ms"
std::string human_duration(Millis d);  // for tables, as kubectl's AGE: "5m12s", "3d4h"

}  // namespace slipway
