#include "cel/detail/text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "base/time_zone.h"

namespace slipway::cel::detail {
namespace {

constexpr std::int64_t billion = 1'000'000'000;
constexpr std::int64_t first_second = -62'135'596'800, last_second = 253'402'300'799;

// The fraction of nanoseconds without trailing zeros, with its point; "" when there is none.
std::string fraction(std::int64_t nanos) {
  if (nanos == 0) return "";
  auto text = fmt::format(".{:09}", nanos);
  return text.substr(0, text.find_last_not_of('0') + 1);
}

}  // namespace

std::string print_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  std::array<char, 32> buffer{};
  auto* end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  std::string text(buffer.data(), end);
  int exponent =
      static_cast<int>(to_int(text.substr(text.find('e') + (text[text.find('e') + 1] == '+' ? 2 : 1))).value_or(0));
  if (exponent < -4 || exponent >= 6) return text;
  std::array<char, 400> plain{};
  end = std::to_chars(plain.data(), plain.data() + plain.size(), value, std::chars_format::fixed).ptr;
  return {plain.data(), end};
}

std::string plain_text(const Value& value) {
  if (auto s = value.if_string()) return std::string(*s);
  if (auto s = value.if_bytes()) return std::string(*s);
  if (const auto* b = value.if_bool()) return *b ? "true" : "false";
  if (const auto* n = value.if_int()) return std::to_string(*n);
  if (const auto* n = value.if_uint()) return std::to_string(*n);
  if (const auto* d = value.if_double()) return print_double(*d);
  if (const auto* t = value.if_a<Timestamp>()) return print_time(*t);
  if (const auto* d = value.if_a<Duration>()) return print_duration(*d);
  if (const auto* t = value.if_a<TypeName>()) return std::string(t->name);
  if (const auto* object = value.if_object()) return object->print();
  return value.is_null() ? "null" : "";
}

std::string print_time(Timestamp t) {
  using namespace std::chrono;
  auto day = floor<days>(sys_seconds(seconds(t.seconds)));
  year_month_day date(day);
  auto second = t.seconds - day.time_since_epoch().count() * 86'400LL;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600,
                     second / 60 % 60, second % 60, fraction(t.nanos));
}

std::string print_duration(Duration d) {
  auto magnitude = d.nanos < 0 ? 0 - static_cast<std::uint64_t>(d.nanos) : static_cast<std::uint64_t>(d.nanos);
  return fmt::format("{}{}{}s", d.nanos < 0 ? "-" : "", magnitude / billion,
                     fraction(static_cast<std::int64_t>(magnitude % billion)));
}

bool in_range(const Timestamp& t) { return t.seconds >= first_second && t.seconds <= last_second; }

std::optional<Timestamp> parse_time(std::string_view text) {
  using namespace std::chrono;
  auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  year_month_day date(year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
                      day(static_cast<unsigned>(number(8, 2))));
  if (number(0, 4) < 0 || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return std::nullopt;
  std::size_t at = 19;
  std::int64_t nanos = 0;
  if (text[at] == '.') {
    std::int64_t scale = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      nanos += (text[at] - '0') * scale;
    if (at == 20) return std::nullopt;
  }
  std::int64_t offset = 0;
  if (at + 1 == text.size() && text[at] == 'Z') {
    // UTC
  } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') && text[at + 3] == ':') {
    int hours = number(at + 1, 2), minutes = number(at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    offset = (text[at] == '-' ? -60 : 60) * (hours * 60 + minutes);
  } else {
    return std::nullopt;
  }
  Timestamp t{sys_days(date).time_since_epoch().count() * 86'400LL + hour * 3600 + minute * 60 + second - offset,
              static_cast<std::int32_t>(nanos)};
  return in_range(t) ? std::optional(t) : std::nullopt;
}

std::optional<Duration> parse_duration(std::string_view text) {
  bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return Duration{};
  if (text.empty()) return std::nullopt;
  __int128 sum = 0;
  while (!text.empty()) {
    // Whole numbers and fraction apart: a double would lose nanoseconds.
    __int128 whole = 0, part = 0, scale = 1;
    std::size_t at = 0, digits = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      whole = whole * 10 + (text[at] - '0');
      if (whole > INT64_MAX) return std::nullopt;
    }
    if (at < text.size() && text[at] == '.')
      for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
        if (scale < 1'000'000'000'000'000) part = part * 10 + (text[at] - '0'), scale *= 10;
    if (digits == 0) return std::nullopt;
    text.remove_prefix(at);
    auto unit = text.substr(0, text.find_first_of("0123456789."));
    constexpr std::pair<std::string_view, std::int64_t> units[] = {
        {"ns", 1},         {"us", 1'000},  {"µs", 1'000},       {"μs", 1'000},
        {"ms", 1'000'000}, {"s", billion}, {"m", 60 * billion}, {"h", 3600 * billion}};
    std::int64_t size = 0;
    for (auto [name, nanos] : units)
      if (name == unit) size = nanos;
    if (size == 0) return std::nullopt;
    sum += whole * size + part * size / scale;
    if (sum > static_cast<__int128>(INT64_MAX) + (minus ? 1 : 0)) return std::nullopt;
    text.remove_prefix(unit.size());
  }
  return Duration{static_cast<std::int64_t>(minus ? -sum : sum)};
}

Result<std::int64_t> offset_of(const Timestamp& t, std::string_view zone) {
  auto sign = zone.starts_with('-') ? -1 : 1;
  auto clock = zone.starts_with('-') || zone.starts_with('+') ? zone.substr(1) : zone;
  if (clock.size() == 5 && clock[2] == ':') {
    auto hours = to_int(clock.substr(0, 2)), minutes = to_int(clock.substr(3));
    if (hours && minutes && *hours >= 0 && *hours <= 23 && *minutes >= 0 && *minutes <= 59)
      return sign * (*hours * 3600 + *minutes * 60);
    return fail(Kind::invalid, "the time zone \"{}\": want a name or an offset like +02:00", zone);
  }
  TRY(auto found, TimeZone::find(zone));
  // The system's clock does not reach as far as times do; zones do not change out there.
  constexpr std::int64_t farthest = 9'223'372'035;
  auto at = WallTime(std::chrono::seconds(std::clamp(t.seconds, -farthest, farthest)));
  return found.at(at).offset.count();
}

}  // namespace slipway::cel::detail
