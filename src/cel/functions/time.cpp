// Parts of times and durations.
#include <chrono>

#include "cel/detail/function.h"
#include "cel/detail/text.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;
constexpr std::int64_t second = 1'000'000'000;

struct Clock {
  std::chrono::year_month_day date;
  std::int64_t days = 0;     // since 1970
  std::int64_t seconds = 0;  // of the day
};

template <auto part>
Result<Value> of_time(Run& run, Args a) {
  const auto& t = *a[0].if_a<Timestamp>();
  std::int64_t offset = 0;
  if (a.size() == 2) {
    TRY_OK(run.spend(100));  // a zone is a file to be read
    TRY(offset, offset_of(t, *a[1].if_string()));
  }
  auto local = t.seconds + offset;
  auto days = local / 86'400 - (local % 86'400 < 0 ? 1 : 0);
  Clock clock{std::chrono::sys_days(std::chrono::days(days)), days, local - days * 86'400};
  return Value(static_cast<std::int64_t>(part(clock, t)));
}

constexpr auto year = [](const Clock& c, const Timestamp&) { return static_cast<int>(c.date.year()); };
constexpr auto month = [](const Clock& c, const Timestamp&) { return static_cast<unsigned>(c.date.month()) - 1; };
constexpr auto date = [](const Clock& c, const Timestamp&) { return static_cast<unsigned>(c.date.day()); };
constexpr auto day_of_month = [](const Clock& c, const Timestamp&) { return static_cast<unsigned>(c.date.day()) - 1; };
constexpr auto day_of_week = [](const Clock& c, const Timestamp&) { return ((c.days + 4) % 7 + 7) % 7; };
constexpr auto day_of_year = [](const Clock& c, const Timestamp&) {
  auto first = std::chrono::sys_days(c.date.year() / std::chrono::January / 1);
  return c.days - first.time_since_epoch().count();
};
constexpr auto hours = [](const Clock& c, const Timestamp&) { return c.seconds / 3600; };
constexpr auto minutes = [](const Clock& c, const Timestamp&) { return c.seconds / 60 % 60; };
constexpr auto seconds = [](const Clock& c, const Timestamp&) { return c.seconds % 60; };
constexpr auto millis = [](const Clock&, const Timestamp& t) { return t.nanos / 1'000'000; };

template <std::int64_t unit>
Result<Value> of_duration(Run&, Args a) {
  return Value(a[0].if_a<Duration>()->nanos / unit);
}
Result<Value> millis_of_duration(Run&, Args a) { return Value(a[0].if_a<Duration>()->nanos % second / 1'000'000); }

constexpr Overload all[] = {
    {"getFullYear", ".t", of_time<year>},
    {"getFullYear", ".ts", of_time<year>},
    {"getMonth", ".t", of_time<month>},
    {"getMonth", ".ts", of_time<month>},
    {"getDate", ".t", of_time<date>},
    {"getDate", ".ts", of_time<date>},
    {"getDayOfMonth", ".t", of_time<day_of_month>},
    {"getDayOfMonth", ".ts", of_time<day_of_month>},
    {"getDayOfWeek", ".t", of_time<day_of_week>},
    {"getDayOfWeek", ".ts", of_time<day_of_week>},
    {"getDayOfYear", ".t", of_time<day_of_year>},
    {"getDayOfYear", ".ts", of_time<day_of_year>},
    {"getHours", ".t", of_time<hours>},
    {"getHours", ".ts", of_time<hours>},
    {"getHours", ".D", of_duration<3600 * second>},
    {"getMinutes", ".t", of_time<minutes>},
    {"getMinutes", ".ts", of_time<minutes>},
    {"getMinutes", ".D", of_duration<60 * second>},
    {"getSeconds", ".t", of_time<seconds>},
    {"getSeconds", ".ts", of_time<seconds>},
    {"getSeconds", ".D", of_duration<second>},
    {"getMilliseconds", ".t", of_time<millis>},
    {"getMilliseconds", ".ts", of_time<millis>},
    {"getMilliseconds", ".D", millis_of_duration},
};

}  // namespace

Overloads time_functions() { return all; }

}  // namespace slipway::cel::detail
