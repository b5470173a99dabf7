#pragma once
// `on: schedule`: when a timer's line is next due. POSIX cron's five fields, in the time of a zone.
#include <array>
#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace slipway::ci {

// The rules of a time zone, from the system's database (TZif, RFC 8536). Threads: any.
class TimeZone {
 public:
  // "Europe/Berlin"; "" and "UTC" need no database. Errors: not_found, with a near name where there is one; invalid (no
  // name of a zone); corrupt.
  static Result<TimeZone> load(std::string_view name);
  // Errors: corrupt.
  static Result<TimeZone> parse(std::string_view tzif);

  using Seconds = std::chrono::seconds;
  Seconds offset(std::int64_t utc) const;  // local = utc + offset
  // When the clocks there show this time (seconds since 1970 as if it were UTC): never in an hour that is left out,
  // twice in one that is repeated; the earlier comes first.
  std::vector<std::int64_t> utc_of(std::int64_t local) const;
  // When the clocks leave the hour out that this time is in; nothing when they show it.
  std::optional<std::int64_t> skipped_at(std::int64_t local) const;

 private:
  struct Change {
    std::int64_t at;
    std::int64_t offset;
  };
  struct Rule {  // of the last years: Mm.w.d/time
    int month = 0, week = 0, day = 0;
    std::int64_t time = 7200;
  };
  struct Footer {
    std::int64_t standard = 0, summer = 0;
    std::optional<Rule> begins, ends;
  };
  static std::optional<Footer> read_footer(std::string_view text);
  static std::int64_t moment(const Rule& rule, int year, std::int64_t offset);
  std::int64_t by_footer(std::int64_t utc) const;

  std::vector<Change> changes_;  // by time
  std::int64_t first_ = 0;       // before the first change
  std::optional<Footer> footer_;
};

// minute hour day month weekday: *, lists, ranges, steps, names of months and days. Threads: any.
class Cron {
 public:
  // Errors: invalid, naming the field.
  static Result<Cron> parse(std::string_view text);
  // The first time after `after` at which it is due. Nothing: never (the 30th of February). A time that the clocks
  // leave out is due when they do; one that they show twice, once, but for lines of every hour.
  std::optional<WallTime> next(const TimeZone& zone, WallTime after) const;

 private:
  bool day_matches(int month, int day, int weekday) const;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool every_hour_ = false, any_day_ = false, any_weekday_ = false;
};

}  // namespace slipway::ci
