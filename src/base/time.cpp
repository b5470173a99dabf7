#include "base/time.h"

#include <algorithm>
#include <ctime>

#include "base/text.h"

namespace slipway {
namespace {

std::string print(WallTime t, int digits) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(t);
  std::time_t raw = std::chrono::system_clock::to_time_t(seconds);
  std::tm tm{};
  ::gmtime_r(&raw, &tm);
  auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                          tm.tm_hour, tm.tm_min, tm.tm_sec);
  auto micros = std::chrono::duration_cast<std::chrono::microseconds>(t - seconds).count();
  if (digits == 6) text += fmt::format(".{:06}", micros);
  if (digits == 3) text += fmt::format(".{:03}", micros / 1000);
  return text + "Z";
}

}  // namespace

std::string rfc3339(WallTime t) { return print(t, 0); }
std::string rfc3339_micro(WallTime t) { return print(t, 6); }
std::string rfc3339_millis(WallTime t) { return print(t, 3); }

Result<WallTime> parse_rfc3339(std::string_view text) {
  auto bad = [&] {
    return fail(Kind::invalid, "time \"{}\": want RFC 3339, like 2026-11-25T20:47:50Z", text.substr(0, 80));
  };
  auto number = [&](std::size_t at, std::size_t n) -> int {
    auto value = at + n <= text.size() ? to_int(text.substr(at, n)) : std::nullopt;
    return value && *value >= 0 ? static_cast<int>(*value) : -1;
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') ||
      text[13] != ':' || text[16] != ':')
    return bad();
  std::tm tm{};
  int year = number(0, 4);
  tm.tm_year = year - 1900, tm.tm_mon = number(5, 2) - 1, tm.tm_mday = number(8, 2);
  tm.tm_hour = number(11, 2), tm.tm_min = number(14, 2), tm.tm_sec = number(17, 2);
  if (year < 0 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
      tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
    return bad();
  std::size_t at = 19;
  std::chrono::nanoseconds fraction{0};
  if (at < text.size() && text[at] == '.') {
    long long scale = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      fraction += std::chrono::nanoseconds((text[at] - '0') * scale);
  }
  int offset = 0;
  if (at < text.size() && (text[at] == 'Z' || text[at] == 'z')) {
    ++at;
  } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') && text[at + 3] == ':') {
    int hours = number(at + 1, 2), minutes = number(at + 4, 2);
    if (hours < 0 || minutes < 0) return bad();
    offset = (text[at] == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
    at += 6;
  } else {
    return bad();
  }
  if (at != text.size()) return bad();
  // Nanoseconds reach from 1677 to 2262; what is farther away is as good as always, or never.
  constexpr std::time_t farthest = 9'223'372'035;
  return std::chrono::system_clock::from_time_t(std::clamp(::timegm(&tm) - offset, -farthest, farthest)) +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(fraction);
}

Result<Millis> parse_duration(std::string_view text) {
  auto bad = [&] {
    return fail(Kind::invalid, "duration \"{}\": want like 30s, 5m, 1h30m, 250ms", text.substr(0, 80));
  };
  if (text.empty()) return bad();
  if (auto seconds = to_int(text)) {
    if (*seconds > 1'000'000'000 || *seconds < -1'000'000'000) return bad();
    return Millis(*seconds * 1000);
  }
  auto rest = text;
  double sign = 1, total = 0;
  if (rest.starts_with('-') || rest.starts_with('+')) sign = rest[0] == '-' ? -1 : 1, rest.remove_prefix(1);
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    auto digits = rest.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return bad();
    auto value = to_double(rest.substr(0, digits));
    rest.remove_prefix(digits);
    auto unit_end = rest.find_first_of("0123456789.");
    auto unit = rest.substr(0, unit_end);
    rest.remove_prefix(unit.size());
    double scale = unit == "ms"                   ? 1
                   : unit == "s"                  ? 1e3
                   : unit == "m"                  ? 6e4
                   : unit == "h"                  ? 3.6e6
                   : unit == "d"                  ? 8.64e7
                   : unit == "us" || unit == "µs" ? 1e-3
                   : unit == "ns"                 ? 1e-6
                                                  : 0;
    if (!value || scale == 0) return bad();
    total += *value * scale;
  }
  if (total > 1e15) return bad();
  return Millis(static_cast<long long>(sign * total));
}

std::string print_duration(Millis d) {
  auto n = d.count();
  if (n == 0) return "0s";
  std::string text = n < 0 ? "-" : "";
  if (n < 0) n = -n;
  if (n < 1000) return text + fmt::format("{}ms", n);
  auto hours = n / 3'600'000, minutes = n / 60'000 % 60, millis = n % 60'000;
  if (hours > 0) text += fmt::format("{}h", hours);
  if (hours > 0 || minutes > 0) text += fmt::format("{}m", minutes);
  return text + (millis % 1000 == 0 ? fmt::format("{}s", millis / 1000)
                                    : fmt::format("{}s", static_cast<double>(millis) / 1000));
}

std::string human_duration(Millis d) {
  auto s = d.count() / 1000;
  if (s < 0) return "0s";
  if (s < 120) return fmt::format("{}s", s);
  if (s < 600) return s % 60 == 0 ? fmt::format("{}m", s / 60) : fmt::format("{}m{}s", s / 60, s % 60);
  if (s < 3 * 3600) return fmt::format("{}m", s / 60);
  if (s < 8 * 3600)
    return s / 60 % 60 == 0 ? fmt::format("{}h", s / 3600) : fmt::format("{}h{}m", s / 3600, s / 60 % 60);
  if (s < 48 * 3600) return fmt::format("{}h", s / 3600);
  if (s < 8 * 86400)
    return s / 3600 % 24 == 0 ? fmt::format("{}d", s / 86400) : fmt::format("{}d{}h", s / 86400, s / 3600 % 24);
  return fmt::format("{}d", s / 86400);
}

}  // namespace slipway
