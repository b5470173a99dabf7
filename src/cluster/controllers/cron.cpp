#include "cluster/controllers/cron.h"

#include "base/files.h"
#include "base/text.h"

namespace slipway::cluster {
namespace {

std::int64_t big_endian(std::string_view bytes) {
  std::int64_t value = static_cast<signed char>(bytes[0]);
  for (std::size_t i = 1; i < bytes.size(); ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

Result<Zone> Zone::parse(std::string_view data) {
  auto broken = [] { return fail(Kind::invalid, "time zone: not a TZif file"); };
  auto counts_at = [&](std::size_t at) -> std::optional<std::array<std::size_t, 6>> {
    if (data.size() < at + 44 || data.substr(at, 4) != "TZif") return std::nullopt;
    std::array<std::size_t, 6> counts;  // isut isstd leap time type char
    for (std::size_t i = 0; i < 6; ++i)
      counts[i] = static_cast<std::size_t>(big_endian(data.substr(at + 20 + 4 * i, 4)));
    for (auto count : counts)
      if (count > 100'000) return std::nullopt;
    return counts;
  };
  auto first = counts_at(0);
  if (!first) return broken();
  std::size_t at = 0, width = 4;
  if (data[4] >= '2') {
    auto [isut, isstd, leap, times, types, chars] = *first;
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut;
    width = 8;
  }
  auto counts = counts_at(at);
  if (!counts) return broken();
  auto times = (*counts)[3], types = (*counts)[4];
  auto time_start = at + 44, index_start = time_start + times * width, type_start = index_start + times;
  if (types == 0 || data.size() < type_start + types * 6) return broken();
  auto offset_of = [&](std::size_t type) {
    return static_cast<std::int32_t>(big_endian(data.substr(type_start + type * 6, 4)));
  };
  Zone zone;
  zone.first_ = offset_of(0);
  for (std::size_t i = 0; i < times; ++i) {
    auto type = static_cast<unsigned char>(data[index_start + i]);
    if (type >= types) return broken();
    zone.changes_.emplace_back(big_endian(data.substr(time_start + i * width, width)), offset_of(type));
  }
  return zone;
}

Result<Zone> Zone::load(const std::string& name) {
  if (name.empty() || name == "UTC" || name == "Etc/UTC") return Zone();
  bool clean =
      name.find("..") == std::string::npos && name.front() != '/' &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") == std::string::npos;
  if (!clean) return fail(Kind::invalid, "time zone \"{}\": want a name such as Europe/Berlin", name);
  auto data = read_file(fs::path("/usr/share/zoneinfo") / name, 1 << 20);
  if (!data) return Fail(std::move(data).error().in(fmt::format("time zone \"{}\"", name)));
  return parse(*data);
}

std::chrono::seconds Zone::offset(WallTime at) const {
  auto seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  auto it = std::upper_bound(changes_.begin(), changes_.end(), seconds,
                             [](std::int64_t t, const auto& change) { return t < change.first; });
  return std::chrono::seconds(it == changes_.begin() ? first_ : std::prev(it)->second);
}

namespace {

using Names = std::span<const std::string_view>;
constexpr std::string_view month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                            "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct FieldRule {
  std::string_view name;
  std::int64_t low, high;
  Names names;
};

Result<std::int64_t> one_value(std::string_view text, const FieldRule& rule) {
  auto small = lower(text);
  for (std::size_t i = 0; i < rule.names.size(); ++i)
    if (small == rule.names[i]) return static_cast<std::int64_t>(i) + rule.low;
  auto number = to_int(text);
  bool sunday = rule.name == "day of week" && number == 7;
  if (!number || *number < rule.low || (*number > rule.high && !sunday))
    return fail(Kind::invalid, "schedule: {} \"{}\": want {} to {}", rule.name, text, rule.low, rule.high);
  return *number;
}

template <std::size_t N>
Result<bool> read_field(std::string_view text, const FieldRule& rule, std::bitset<N>& bits) {
  bool any = false;
  for (auto part : split(text, ',')) {
    auto stepped = cut(part, "/");
    auto range = stepped ? stepped->first : part;
    std::int64_t step = 1, low = rule.low, high = rule.high;
    if (stepped) {
      step = to_int(stepped->second).value_or(0);
      if (step < 1) return fail(Kind::invalid, "schedule: {} \"{}\": want a step above 0", rule.name, part);
    }
    if (range == "*" || range == "?") {
      any |= step == 1;
    } else {
      auto ends = cut(range, "-");
      TRY(low, one_value(ends ? ends->first : range, rule));
      if (ends) {
        TRY(high, one_value(ends->second, rule));
      } else if (!stepped) {
        high = low;
      }
      if (high < low) return fail(Kind::invalid, "schedule: {} \"{}\": ends before it begins", rule.name, part);
    }
    for (auto i = low; i <= high; i += step) bits.set(static_cast<std::size_t>(rule.name == "day of week" ? i % 7 : i));
  }
  return any;
}

}  // namespace

Result<Schedule> Schedule::parse(std::string_view text) {
  text = trim(text);
  if (text.starts_with("TZ=") || text.starts_with("CRON_TZ="))
    return fail(Kind::invalid, "schedule \"{}\": a time zone goes into spec.timeZone", text);
  static const std::map<std::string_view, std::string_view> named = {
      {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
      {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};
  Schedule schedule;
  if (text.starts_with("@every ")) {
    TRY(auto period, parse_duration(trim(text.substr(7))));
    schedule.every_ = std::max(std::chrono::seconds(1), std::chrono::duration_cast<std::chrono::seconds>(period));
    return schedule;
  }
  if (auto it = named.find(text); it != named.end()) text = it->second;
  std::vector<std::string_view> fields;
  for (auto field : split(text, ' '))
    if (!field.empty()) fields.push_back(field);
  if (fields.size() != 5)
    return fail(Kind::invalid, "schedule \"{}\": want five fields, minute hour day month weekday", text);
  TRY(auto m, read_field(fields[0], {"minute", 0, 59, {}}, schedule.minutes_));
  TRY(auto h, read_field(fields[1], {"hour", 0, 23, {}}, schedule.hours_));
  TRY(schedule.any_day_, read_field(fields[2], {"day of month", 1, 31, {}}, schedule.days_));
  TRY(auto mo, read_field(fields[3], {"month", 1, 12, month_names}, schedule.months_));
  TRY(schedule.any_weekday_, read_field(fields[4], {"day of week", 0, 6, day_names}, schedule.weekdays_));
  (void)m, (void)h, (void)mo;
  return schedule;
}

bool Schedule::day_matches(std::chrono::year_month_day day) const {
  if (!months_.test(static_cast<unsigned>(day.month()))) return false;
  bool by_day = days_.test(static_cast<unsigned>(day.day()));
  bool by_weekday = weekdays_.test(std::chrono::weekday(std::chrono::sys_days(day)).c_encoding());
  // Both given: either will do. Rule: cron(5).
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<WallTime> Schedule::next(WallTime after, const Zone& zone) const {
  using namespace std::chrono;
  if (every_.count() > 0) return floor<seconds>(after) + every_;
  // Walks the local calendar; a local time that a clock change skips or repeats is found by its own offset.
  auto start = floor<minutes>(after) + minutes(1);
  auto local_day = floor<days>(start + zone.offset(start));
  for (int d = 0; d < 366 * 5; ++d, local_day += days(1)) {
    if (!day_matches(year_month_day(local_day))) continue;
    for (int hour = 0; hour < 24; ++hour) {
      if (!hours_.test(hour)) continue;
      for (int minute = 0; minute < 60; ++minute) {
        if (!minutes_.test(minute)) continue;
        auto local = local_day + hours(hour) + minutes(minute);
        WallTime guess = local - zone.offset(local);
        WallTime at = local - zone.offset(guess);
        if (at + zone.offset(at) != local) continue;  // skipped by the change to summer time
        if (at >= start) return at;
      }
    }
  }
  return std::nullopt;
}

}  // namespace slipway::cluster
