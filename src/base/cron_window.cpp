#include "base/cron_window.h"

#include <array>
#include <vector>

#include "base/text.h"

namespace slipway {
namespace {

struct Field {
  int low, high;
};
constexpr std::array fields{Field{0, 59}, Field{0, 23}, Field{1, 31}, Field{1, 12}, Field{0, 6}};
using Minutes = std::chrono::sys_time<std::chrono::minutes>;

// One part of a cron field: *, 5, 1-5, with /step. Nothing: not understood.
std::optional<bool> part_holds(std::string_view part, const Field& field, int value) {
  int step = 1;
  if (auto slash = cut(part, "/")) {
    auto n = to_int(slash->second);
    if (!n || *n < 1) return std::nullopt;
    step = static_cast<int>(*n), part = slash->first;
  }
  int low = field.low, high = field.high;
  if (part != "*") {
    auto range = cut(part, "-");
    auto from = to_int(range ? range->first : part);
    auto to = range ? to_int(range->second) : step > 1 ? std::optional<std::int64_t>(field.high) : from;
    // Sunday is 0 and 7.
    int most = field.high == 6 ? 7 : field.high;
    if (!from || !to || *from < field.low || *to > most || *from > *to) return std::nullopt;
    low = static_cast<int>(*from), high = static_cast<int>(*to);
    if (most == 7 && value == 0 && high == 7 && low > 0) value = 7;
  }
  return value >= low && value <= high && (value - low) % step == 0;
}

std::optional<bool> field_holds(std::string_view text, const Field& field, int value) {
  bool any = false;
  for (auto part : split(text, ',')) {
    auto holds = part_holds(part, field, value);
    if (!holds) return std::nullopt;
    any = any || *holds;
  }
  return any;
}

// Whether the schedule names this minute; nothing when it is no schedule.
std::optional<bool> names_minute(std::string_view schedule, Minutes minute) {
  std::vector<std::string_view> words;
  for (auto word : split(schedule, ' '))
    if (!word.empty()) words.push_back(word);
  if (words.size() != fields.size()) return std::nullopt;
  auto day = std::chrono::floor<std::chrono::days>(minute);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(minute - day);
  const std::array<int, 5> values{static_cast<int>(clock.minutes().count()), static_cast<int>(clock.hours().count()),
                                  static_cast<int>(static_cast<unsigned>(date.day())),
                                  static_cast<int>(static_cast<unsigned>(date.month())),
                                  static_cast<int>(std::chrono::weekday(day).c_encoding())};
  std::array<bool, 5> holds{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    auto one = field_holds(words[i], fields[i], values[i]);
    if (!one) return std::nullopt;
    holds[i] = *one;
  }
  // Day of month and day of week, both given: either will do.
  bool day_fits = words[2] != "*" && words[4] != "*" ? holds[2] || holds[4] : holds[2] && holds[4];
  return holds[0] && holds[1] && holds[3] && day_fits;
}

}  // namespace

bool is_cron(std::string_view schedule) { return names_minute(schedule, Minutes{}).has_value(); }

bool is_cron_open(std::string_view schedule, Millis duration, WallTime now) {
  auto minute = std::chrono::floor<std::chrono::minutes>(now);
  for (auto opened = minute; now - opened < duration; opened -= std::chrono::minutes(1))
    if (names_minute(schedule, opened).value_or(false)) return true;
  return false;
}

std::optional<WallTime> cron_changes(std::string_view schedule, Millis duration, WallTime now, Millis within) {
  auto minute = std::chrono::floor<std::chrono::minutes>(now);
  // The last minute that opened it decides when it closes.
  std::optional<Minutes> opened;
  for (auto at = minute; now - at < duration && !opened; at -= std::chrono::minutes(1))
    if (names_minute(schedule, at).value_or(false)) opened = at;
  for (auto at = minute + std::chrono::minutes(1); at - now <= within; at += std::chrono::minutes(1)) {
    bool named = names_minute(schedule, at).value_or(false);
    if (opened && at - *opened >= duration && !named) return WallTime(at);
    if (named && !opened) return WallTime(at);
    if (named) opened = at;
  }
  return std::nullopt;
}

}  // namespace slipway
