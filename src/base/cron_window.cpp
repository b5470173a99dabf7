#include "base/cron_window.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace slipway {
namespace {

using Minutes = std::chrono::sys_time<std::chrono::minutes>;  // of a wall clock, wherever it hangs

struct Field {
  int low, high;
  std::string_view names = {};  // of the values from `low` on, three letters each
};
constexpr std::array fields{Field{0, 59}, Field{0, 23}, Field{1, 31},
                            Field{1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"}, Field{0, 6, "sunmontuewedthufrisat"}};
constexpr std::uint64_t any_value = std::uint64_t(1) << 63;  // the field is *, not a list that holds all

std::optional<int> value_of(std::string_view text, const Field& field) {
  int most = field.high == 6 ? 7 : field.high;  // Sunday is 0 and 7
  auto word = lower(text);
  if (word.size() == 3)
    if (auto at = field.names.find(word); at != std::string_view::npos && at % 3 == 0)
      return field.low + static_cast<int>(at / 3);
  auto n = to_int(text);
  return n && *n >= field.low && *n <= most ? std::optional(static_cast<int>(*n)) : std::nullopt;
}

// The values of one part of a field, a bit each: *, 5, 1-5, with /step. Nothing: not understood.
std::optional<std::uint64_t> part_of(std::string_view part, const Field& field) {
  std::optional<std::int64_t> step;
  if (auto slash = cut(part, "/")) {
    step = to_int(slash->second);
    if (!step || *step < 1) return std::nullopt;
    step = std::min<std::int64_t>(*step, 60);
    part = slash->first;
  }
  bool all = part == "*" || part == "?";
  int low = field.low, high = field.high;
  if (!all) {
    auto range = cut(part, "-");
    auto from = value_of(range ? range->first : part, field);
    auto to = range ? value_of(range->second, field) : step ? std::optional(field.high) : from;
    if (!from || !to || *from > *to) return std::nullopt;
    low = *from, high = *to;
  }
  std::uint64_t values = all && step.value_or(1) == 1 ? any_value : 0;
  for (std::int64_t v = low; v <= high; v += step.value_or(1))
    values |= std::uint64_t(1) << (field.high == 6 && v == 7 ? 0 : v);
  return values;
}

class Schedule {
 public:
  static std::optional<Schedule> parse(std::string_view text) {
    std::vector<std::string_view> words;
    for (auto word : split(text, ' '))
      if (!word.empty()) words.push_back(word);
    if (words.size() != fields.size()) return std::nullopt;
    Schedule schedule;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      for (auto part : split(words[i], ',')) {
        auto values = part_of(part, fields[i]);
        if (!values) return std::nullopt;
        schedule.values_[i] |= *values;
      }
    }
    return schedule;
  }

  bool names(Minutes minute) const {
    auto day = std::chrono::floor<std::chrono::days>(minute);
    std::chrono::year_month_day date(day);
    std::chrono::hh_mm_ss clock(minute - day);
    auto holds = [&](std::size_t field, std::int64_t value) { return (values_[field] >> value & 1) != 0; };
    if (!holds(0, clock.minutes().count()) || !holds(1, clock.hours().count())) return false;
    if (!holds(3, static_cast<unsigned>(date.month()))) return false;
    bool of_month = holds(2, static_cast<unsigned>(date.day()));
    bool of_week = holds(4, std::chrono::weekday(day).c_encoding());
    // Day of month and day of week, both given: either will do.
    bool both = (values_[2] & any_value) == 0 && (values_[4] & any_value) == 0;
    return both ? of_month || of_week : of_month && of_week;
  }

  // The last minute that it names, up to and with this one, within `duration`.
  std::optional<Minutes> opened(std::chrono::sys_time<Millis> clock, Millis duration) const {
    auto minute = std::chrono::floor<std::chrono::minutes>(clock);
    for (; clock - minute < duration; minute -= std::chrono::minutes(1))
      if (names(minute)) return minute;
    return std::nullopt;
  }

 private:
  std::array<std::uint64_t, fields.size()> values_{};
};

std::chrono::sys_time<Millis> clock_at(WallTime t, const TimeZone& zone) {
  return std::chrono::floor<Millis>(t) + zone.at(t).offset;
}

}  // namespace

bool is_cron(std::string_view schedule) { return Schedule::parse(schedule).has_value(); }

bool is_cron_open(std::string_view text, Millis duration, WallTime now, const TimeZone& zone) {
  auto schedule = Schedule::parse(text);
  return schedule && schedule->opened(clock_at(now, zone), duration);
}

std::optional<WallTime> cron_changes(std::string_view text, Millis duration, WallTime now, Millis within,
                                     const TimeZone& zone) {
  auto schedule = Schedule::parse(text);
  if (!schedule) return std::nullopt;
  auto clock = clock_at(now, zone);
  auto opened = schedule->opened(clock, duration);
  bool was_open = opened.has_value();
  clock = std::chrono::floor<std::chrono::minutes>(clock);
  auto at = std::chrono::floor<std::chrono::minutes>(now) + std::chrono::minutes(1);
  for (; at - now <= within; at += std::chrono::minutes(1)) {
    auto shows = std::chrono::floor<std::chrono::minutes>(clock_at(at, zone));
    if (shows != clock + std::chrono::minutes(1))
      opened = schedule->opened(shows, duration);  // the clock was put forward or back
    else if (schedule->names(shows))
      opened = shows;
    clock = shows;
    bool is_open = opened && shows - *opened < duration;
    if (is_open != was_open) return WallTime(at);
  }
  return std::nullopt;
}

}  // namespace slipway
