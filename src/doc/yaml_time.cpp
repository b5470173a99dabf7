#include <chrono>

#include "base/text.h"
#include "doc/yaml.h"

namespace slipway::doc {
namespace {

// Reads from the front of a text.
struct Front {
  std::string_view text;
  std::optional<int> number(std::size_t least, std::size_t most) {
    std::size_t n = 0;
    int value = 0;
    while (n < most && n < text.size() && text[n] >= '0' && text[n] <= '9') value = value * 10 + (text[n++] - '0');
    if (n < least) return std::nullopt;
    text.remove_prefix(n);
    return value;
  }
  bool take(char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  }
};

struct Time {
  int hour = 0, minute = 0, second = 0;
  std::string fraction;  // ".5", "" for none
};

std::optional<Time> time_of_day(Front& in) {
  auto hour = in.number(1, 2);
  auto minute = hour && in.take(':') ? in.number(1, 2) : std::nullopt;
  auto second = minute && in.take(':') ? in.number(1, 2) : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  Time time{*hour, *minute, *second, ""};
  if (in.text.size() > 1 && in.text[0] == '.' && in.text[1] >= '0' && in.text[1] <= '9') {
    auto end = std::min(in.text.find_first_not_of("0123456789", 1), in.text.size());
    time.fraction = in.text.substr(0, std::min<std::size_t>(end, 10));  // nanoseconds
    while (time.fraction.ends_with('0')) time.fraction.pop_back();
    if (time.fraction == ".") time.fraction.clear();
    in.text.remove_prefix(end);
  }
  return time;
}

// Z or +01:00, as it is printed.
std::optional<std::string> zone(Front& in) {
  if (in.take('Z')) return "Z";
  char sign = in.text.empty() ? ' ' : in.text[0];
  if (sign != '+' && sign != '-') return std::nullopt;
  in.text.remove_prefix(1);
  auto hours = in.number(2, 2);
  auto minutes = hours && in.take(':') ? in.number(2, 2) : std::nullopt;
  if (!minutes || *hours > 24 || *minutes > 59) return std::nullopt;
  return *hours == 0 && *minutes == 0 ? "Z" : fmt::format("{}{:02}:{:02}", sign, *hours, *minutes);
}

}  // namespace

std::optional<std::string> yaml_time(std::string_view text) {
  if (text.size() < 8 || text[4] != '-') return std::nullopt;
  Front in{text};
  auto year = in.number(4, 4);
  auto month = year && in.take('-') ? in.number(1, 2) : std::nullopt;
  auto day = month && in.take('-') ? in.number(1, 2) : std::nullopt;
  if (!day) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  auto shown = fmt::format("{:04}-{:02}-{:02}T", *year, *month, *day);
  if (in.text.empty()) return shown + "00:00:00Z";
  bool spaced = in.take(' ');
  if (!spaced && !in.take('T') && !in.take('t')) return std::nullopt;
  auto time = time_of_day(in);
  auto offset = !time ? std::nullopt : spaced ? std::optional<std::string>("Z") : zone(in);
  if (!offset || !in.text.empty()) return std::nullopt;
  return fmt::format("{}{:02}:{:02}:{:02}{}{}", shown, time->hour, time->minute, time->second, time->fraction, *offset);
}

}  // namespace slipway::doc
