#include "base/text.h"
#include "ci/schedule.h"

namespace slipway::ci {
namespace {

struct Field {
  std::string_view what;
  int least, most;
  std::vector<std::string_view> names;
};

std::optional<int> number_of(std::string_view text, const Field& field) {
  for (std::size_t i = 0; i < field.names.size(); ++i)
    if (iequals(text, field.names[i])) return static_cast<int>(i) + field.least;
  auto n = to_int(text);
  if (!n || *n < field.least || *n > field.most) return {};
  return static_cast<int>(*n);
}

// value, a-b, */step, a-b/step, value/step: up to the end.
template <std::size_t N>
bool take_part(std::string_view text, const Field& field, std::bitset<N>& out) {
  std::int64_t step = 1;
  bool stepped = false;
  if (auto parts = cut(text, "/")) {
    auto n = to_int(parts->second);
    if (!n || *n < 1 || *n > 1000) return false;
    step = *n, text = parts->first, stepped = true;
  }
  int from = field.least, to = field.most;
  if (text != "*") {
    auto ends = cut(text, "-");
    auto a = number_of(ends ? ends->first : text, field);
    auto b = ends ? number_of(ends->second, field) : a;
    if (!a || !b || *b < *a) return false;
    from = *a, to = ends || !stepped ? *b : field.most;
  }
  for (std::int64_t n = from; n <= to; n += step) out.set(static_cast<std::size_t>(n));
  return true;
}

template <std::size_t N>
Result<> take(std::string_view text, const Field& field, std::bitset<N>& out) {
  for (auto part : split(text, ','))
    if (!take_part(part, field, out))
      return fail(Kind::invalid, "{} \"{}\": want {} to {}, lists, ranges and steps of them", field.what,
                  text.substr(0, 60), field.least, field.most);
  return {};
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  static const Field fields[] = {
      {"minute", 0, 59, {}},
      {"hour", 0, 23, {}},
      {"day", 1, 31, {}},
      {"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      {"weekday", 0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}};
  auto parts = split(text, ' ');
  std::erase(parts, "");
  if (parts.size() != 5)
    return fail(Kind::invalid, "cron \"{}\": want five fields: minute hour day month weekday", text.substr(0, 100));
  Cron out;
  TRY_OK(take(parts[0], fields[0], out.minutes_));
  TRY_OK(take(parts[1], fields[1], out.hours_));
  TRY_OK(take(parts[2], fields[2], out.days_));
  TRY_OK(take(parts[3], fields[3], out.months_));
  TRY_OK(take(parts[4], fields[4], out.weekdays_));
  out.every_hour_ = parts[1].starts_with('*');
  out.any_day_ = parts[2].starts_with('*'), out.any_weekday_ = parts[4].starts_with('*');
  return out;
}

// Rule: POSIX crontab: where both days are given, either will do.
bool Cron::day_matches(int month, int day, int weekday) const {
  if (!months_[static_cast<std::size_t>(month)]) return false;
  bool by_day = days_[static_cast<std::size_t>(day)], by_weekday = weekdays_[static_cast<std::size_t>(weekday)];
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<WallTime> Cron::next(const TimeZone& zone, WallTime after) const {
  using namespace std::chrono;
  constexpr int most_days = 366 * 9;  // the 29th of February may be eight years away
  auto since = floor<seconds>(after).time_since_epoch().count();
  auto today = floor<days>(sys_seconds(seconds(since) + zone.offset(since))) - days(1);
  std::optional<std::int64_t> best;
  for (int n = 0; n < most_days; ++n) {
    auto day = today + days(n);
    year_month_day date(day);
    auto month = static_cast<int>(static_cast<unsigned>(date.month()));
    if (!day_matches(month, static_cast<int>(static_cast<unsigned>(date.day())),
                     static_cast<int>(weekday(day).c_encoding())))
      continue;
    auto midnight = sys_seconds(day).time_since_epoch().count();
    for (std::size_t hour = 0; hour < 24; ++hour) {
      if (!hours_[hour]) continue;
      for (std::size_t minute = 0; minute < 60; ++minute) {
        if (!minutes_[minute]) continue;
        auto local = midnight + static_cast<std::int64_t>(hour * 3600 + minute * 60);
        auto times = zone.utc_of(local);
        if (times.empty() && !every_hour_) times.push_back(zone.skipped_at(local).value_or(local));
        if (!every_hour_ && times.size() > 1) times.resize(1);
        for (auto time : times)
          if (time > since && (!best || time < *best)) best = time;
      }
    }
    if (best && n >= 2) break;  // yesterday, today and tomorrow there have been looked at
  }
  if (!best) return {};
  return WallTime(seconds(*best));
}

}  // namespace slipway::ci
