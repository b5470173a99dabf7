#pragma once
// Cron schedules and time zones. Private to the room.
#include <bitset>

#include "base/time.h"

namespace slipway::cluster {

// Offsets of a zone of the system's database (TZif, RFC 8536). Threads: any.
class Zone {
 public:
  static Result<Zone> load(const std::string& name);  // "" and "UTC" need no file. Errors: not_found, invalid
  static Result<Zone> parse(std::string_view tzif);
  std::chrono::seconds offset(WallTime at) const;

 private:
  std::vector<std::pair<std::int64_t, std::int32_t>> changes_;  // from when, seconds east of UTC
  std::int32_t first_ = 0;
};

// Five fields as robfig/cron's standard parser reads them, names, steps, @daily and friends, @every.
class Schedule {
 public:
  static Result<Schedule> parse(std::string_view text);  // errors: invalid, naming the field
  // The first time after `after`; nothing within the next five years.
  std::optional<WallTime> next(WallTime after, const Zone& zone) const;

 private:
  bool day_matches(std::chrono::year_month_day day) const;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = false, any_weekday_ = false;
  std::chrono::seconds every_{0};
};

}  // namespace slipway::cluster
