// Times, and Go's layouts of them ("2006-01-02 15:04:05").
#include "base/text.h"
#include "base/time_zone.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

using namespace std::chrono;
constexpr std::string_view months[] = {"January", "February", "March",     "April",   "May",      "June",
                                       "July",    "August",   "September", "October", "November", "December"};
constexpr std::string_view weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct Parts {
  int year = 1, month = 1, day = 1, hour = 0, minute = 0, second = 0, nano = 0, weekday = 0, yearday = 1;
  seconds offset{0};
  std::string zone;
};

Parts parts_of(WallTime t, const TimeZone& zone) {
  auto local = zone.at(t);
  auto shifted = t + local.offset;
  auto day = floor<days>(shifted);
  year_month_day date(day);
  hh_mm_ss clock(floor<nanoseconds>(shifted - day));
  Parts p;
  p.year = static_cast<int>(date.year()), p.month = static_cast<int>(static_cast<unsigned>(date.month())),
  p.day = static_cast<int>(static_cast<unsigned>(date.day()));
  p.hour = static_cast<int>(clock.hours().count()), p.minute = static_cast<int>(clock.minutes().count()),
  p.second = static_cast<int>(clock.seconds().count()), p.nano = static_cast<int>(clock.subseconds().count());
  p.weekday = static_cast<int>(weekday(day).c_encoding());
  p.yearday = static_cast<int>((day - sys_days(date.year() / January / 1)).count()) + 1;
  p.offset = local.offset, p.zone = local.abbreviation;
  return p;
}

// The words of a layout that stand for something; longer ones first where one begins another.
enum class Word {
  long_month,
  short_month,
  month2,
  month1,
  long_day,
  short_day,
  day2,
  day_space,
  day1,
  yearday,
  hour24,
  hour12_2,
  hour12,
  minute2,
  minute1,
  second2,
  second1,
  year4,
  year2,
  pm_upper,
  pm_lower,
  zone,
  colon_z,
  number_z,
  hour_z,
  colon_plain,
  number_plain,
  hour_plain
};
struct Spelling {
  std::string_view text;
  Word word;
};
constexpr Spelling spellings[] = {{"January", Word::long_month},
                                  {"Jan", Word::short_month},
                                  {"Monday", Word::long_day},
                                  {"Mon", Word::short_day},
                                  {"MST", Word::zone},
                                  {"2006", Word::year4},
                                  {"002", Word::yearday},
                                  {"01", Word::month2},
                                  {"02", Word::day2},
                                  {"03", Word::hour12_2},
                                  {"04", Word::minute2},
                                  {"05", Word::second2},
                                  {"06", Word::year2},
                                  {"15", Word::hour24},
                                  {"_2", Word::day_space},
                                  {"PM", Word::pm_upper},
                                  {"pm", Word::pm_lower},
                                  {"Z07:00", Word::colon_z},
                                  {"Z0700", Word::number_z},
                                  {"Z07", Word::hour_z},
                                  {"-07:00", Word::colon_plain},
                                  {"-0700", Word::number_plain},
                                  {"-07", Word::hour_plain},
                                  {"1", Word::month1},
                                  {"2", Word::day1},
                                  {"3", Word::hour12},
                                  {"4", Word::minute1},
                                  {"5", Word::second1}};

std::string offset_text(seconds offset, Word word) {
  bool z = word == Word::colon_z || word == Word::number_z || word == Word::hour_z;
  if (z && offset == seconds(0)) return "Z";
  auto minutes = std::abs(offset.count()) / 60;
  auto text = fmt::format("{}{:02}", offset < seconds(0) ? '-' : '+', minutes / 60);
  if (word == Word::hour_z || word == Word::hour_plain) return text;
  bool colon = word == Word::colon_z || word == Word::colon_plain;
  return text + fmt::format("{}{:02}", colon ? ":" : "", minutes % 60);
}

std::string part_text(const Parts& p, Word word) {
  auto twelve = p.hour % 12 == 0 ? 12 : p.hour % 12;
  switch (word) {
    case Word::long_month:
      return std::string(months[p.month - 1]);
    case Word::short_month:
      return std::string(months[p.month - 1].substr(0, 3));
    case Word::month2:
      return fmt::format("{:02}", p.month);
    case Word::month1:
      return std::to_string(p.month);
    case Word::long_day:
      return std::string(weekdays[p.weekday]);
    case Word::short_day:
      return std::string(weekdays[p.weekday].substr(0, 3));
    case Word::day2:
      return fmt::format("{:02}", p.day);
    case Word::day_space:
      return fmt::format("{:2}", p.day);
    case Word::day1:
      return std::to_string(p.day);
    case Word::yearday:
      return fmt::format("{:03}", p.yearday);
    case Word::hour24:
      return fmt::format("{:02}", p.hour);
    case Word::hour12_2:
      return fmt::format("{:02}", twelve);
    case Word::hour12:
      return std::to_string(twelve);
    case Word::minute2:
      return fmt::format("{:02}", p.minute);
    case Word::minute1:
      return std::to_string(p.minute);
    case Word::second2:
      return fmt::format("{:02}", p.second);
    case Word::second1:
      return std::to_string(p.second);
    case Word::year4:
      return fmt::format("{:04}", p.year);
    case Word::year2:
      return fmt::format("{:02}", p.year % 100);
    case Word::pm_upper:
      return p.hour >= 12 ? "PM" : "AM";
    case Word::pm_lower:
      return p.hour >= 12 ? "pm" : "am";
    case Word::zone:
      return p.zone.starts_with('+') || p.zone.starts_with('-') ? offset_text(p.offset, Word::hour_plain) : p.zone;
    default:
      return offset_text(p.offset, word);
  }
}

// .000 and .999: the digits of a second; 0 when there are none here.
std::size_t fraction_at(std::string_view layout) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',') || (layout[1] != '0' && layout[1] != '9')) return 0;
  auto end = std::min(layout.find_first_not_of(layout[1], 1), layout.size());
  if (end < layout.size() && std::isdigit(static_cast<unsigned char>(layout[end]))) return 0;
  return end;
}

const Spelling* spelling_at(std::string_view layout) {
  for (const auto& s : spellings) {
    if (!layout.starts_with(s.text)) continue;
    // "Month" is no "Mon", "January" is; so with letters behind a short name it is text.
    bool name = s.word == Word::short_month || s.word == Word::short_day;
    if (name && layout.size() > 3 && layout[3] >= 'a' && layout[3] <= 'z') continue;
    return &s;
  }
  return nullptr;
}

std::string formatted(WallTime t, std::string_view layout, const TimeZone& zone) {
  auto p = parts_of(t, zone);
  std::string out;
  while (!layout.empty()) {
    if (auto n = fraction_at(layout); n > 0) {
      auto digits = fmt::format("{:09}", p.nano).substr(0, std::min<std::size_t>(n - 1, 9));
      if (layout[1] == '9')
        while (digits.ends_with('0')) digits.pop_back();
      if (!digits.empty()) out += layout[0] + digits;
      layout.remove_prefix(n);
    } else if (const auto* s = spelling_at(layout)) {
      out += part_text(p, s->word);
      layout.remove_prefix(s->text.size());
    } else {
      out += layout[0];
      layout.remove_prefix(1);
    }
  }
  return out;
}

// Reads a time by a layout, as far as sprig's toDate is used: numbers, month names, zones by number.
class Reader {
 public:
  Reader(std::string_view layout, std::string_view text) : layout_(layout), text_(text) {}
  std::optional<WallTime> read() {
    while (!layout_.empty()) {
      if (auto n = fraction_at(layout_); n > 0) {
        layout_.remove_prefix(n);
        if (!fraction()) return std::nullopt;
      } else if (const auto* s = spelling_at(layout_)) {
        layout_.remove_prefix(s->text.size());
        if (!part(s->word)) return std::nullopt;
        if (s->word == Word::second2 && text_.starts_with('.') && fraction_at(layout_) == 0 && !fraction())
          return std::nullopt;
      } else if (text_.starts_with(layout_[0])) {
        layout_.remove_prefix(1), text_.remove_prefix(1);
      } else {
        return std::nullopt;
      }
    }
    year_month_day date(year(p_.year), month(static_cast<unsigned>(p_.month)), day(static_cast<unsigned>(p_.day)));
    if (!text_.empty() || !date.ok() || p_.hour > 23 || p_.minute > 59 || p_.second > 59) return std::nullopt;
    if (pm_ && p_.hour < 12) p_.hour += 12;
    return sys_days(date) + hours(p_.hour) + minutes(p_.minute) + seconds(p_.second) - p_.offset +
           duration_cast<WallTime::duration>(nanoseconds(p_.nano));
  }

 private:
  bool number(int& into, std::size_t most, std::size_t least = 1) {
    std::size_t n = 0;
    while (n < most && n < text_.size() && std::isdigit(static_cast<unsigned char>(text_[n]))) ++n;
    if (n < least) return false;
    into = static_cast<int>(*to_int(text_.substr(0, n)));
    text_.remove_prefix(n);
    return true;
  }
  bool name(std::span<const std::string_view> names, bool whole, int& into) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto want = whole ? names[i] : names[i].substr(0, 3);
      if (!iequals(text_.substr(0, want.size()), want)) continue;
      into = static_cast<int>(i);
      text_.remove_prefix(want.size());
      return true;
    }
    return false;
  }
  bool fraction() {
    if (!text_.starts_with('.') && !text_.starts_with(',')) return true;
    text_.remove_prefix(1);
    int n = 0;
    auto before = text_.size();
    if (!number(n, 9)) return false;
    for (auto digits = before - text_.size(); digits < 9; ++digits) n *= 10;
    p_.nano = n;
    return true;
  }
  bool zone(Word word) {
    if (text_.starts_with('Z')) {
      text_.remove_prefix(1);
      return true;
    }
    if (!text_.starts_with('+') && !text_.starts_with('-')) return false;
    int sign = text_[0] == '-' ? -1 : 1, h = 0, m = 0;
    text_.remove_prefix(1);
    if (!number(h, 2, 2)) return false;
    if (word == Word::colon_z || word == Word::colon_plain) {
      if (!text_.starts_with(':')) return false;
      text_.remove_prefix(1);
    }
    if (word != Word::hour_z && word != Word::hour_plain && !number(m, 2, 2)) return false;
    p_.offset = seconds(sign * (h * 3600 + m * 60));
    return true;
  }
  bool part(Word word) {
    int ignored = 0;
    switch (word) {
      case Word::long_month:
      case Word::short_month:
        if (!name(months, word == Word::long_month, p_.month)) return false;
        ++p_.month;
        return true;
      case Word::long_day:
      case Word::short_day:
        return name(weekdays, word == Word::long_day, ignored);
      case Word::month2:
        return number(p_.month, 2, 2);
      case Word::month1:
        return number(p_.month, 2);
      case Word::day2:
        return number(p_.day, 2, 2);
      case Word::day_space:
        if (text_.starts_with(' ')) text_.remove_prefix(1);
        return number(p_.day, 2);
      case Word::day1:
        return number(p_.day, 2);
      case Word::yearday:
        return number(ignored, 3, 3);
      case Word::hour24:
      case Word::hour12_2:
        return number(p_.hour, 2, 2);
      case Word::hour12:
        return number(p_.hour, 2);
      case Word::minute2:
        return number(p_.minute, 2, 2);
      case Word::minute1:
        return number(p_.minute, 2);
      case Word::second2:
        return number(p_.second, 2, 2);
      case Word::second1:
        return number(p_.second, 2);
      case Word::year4:
        return number(p_.year, 4, 4);
      case Word::year2:
        if (!number(p_.year, 2, 2)) return false;
        p_.year += p_.year >= 69 ? 1900 : 2000;
        return true;
      case Word::pm_upper:
      case Word::pm_lower:
        if (!iequals(text_.substr(0, 2), "am") && !iequals(text_.substr(0, 2), "pm")) return false;
        pm_ = (text_[0] | 0x20) == 'p';
        text_.remove_prefix(2);
        return true;
      case Word::zone: {
        auto end = std::min(text_.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), text_.size());
        text_.remove_prefix(end);
        return end >= 3;
      }
      default:
        return zone(word);
    }
  }
  std::string_view layout_, text_;
  Parts p_;
  bool pm_ = false;
};

class Time final : public Object {
 public:
  explicit Time(WallTime at) : at_(at) {}
  std::string go_type() const override { return "time.Time"; }
  std::string print() const override {
    return formatted(at_, "2006-01-02 15:04:05.999999999 -0700 MST", TimeZone::utc());
  }
  std::optional<Result<Value>> call(std::string_view name, const Items& a) const override {
    auto whole = [&](WallTime::duration::rep unit) { return Value(int64(at_.time_since_epoch().count() / unit)); };
    if (name == "Unix") return whole(1'000'000'000);
    if (name == "UnixMilli") return whole(1'000'000);
    if (name == "UnixNano") return whole(1);
    auto p = parts_of(at_, TimeZone::utc());
    if (name == "Year") return Value(p.year);
    if (name == "Day") return Value(p.day);
    if (name == "Hour") return Value(p.hour);
    if (name == "Minute") return Value(p.minute);
    if (name == "Second") return Value(p.second);
    if (name == "YearDay") return Value(p.yearday);
    if (name == "String") return Value(print());
    if (name != "Format") return std::nullopt;
    if (a.size() != 1 || !a[0].if_string()) return wrong("want one layout");
    return Value(formatted(at_, text(a[0]), TimeZone::utc()));
  }
  WallTime at() const { return at_; }

 private:
  WallTime at_;
};
Value time_value(WallTime t) { return Value(std::static_pointer_cast<const Object>(std::make_shared<Time>(t))); }

// Times themselves, and seconds since 1970; whatever else is now.
WallTime time_of(const Value& value) {
  if (const auto* time = dynamic_cast<const Time*>(value.if_object())) return time->at();
  if (const auto* n = value.if_int(); n != nullptr && std::abs(n->n) < 9'000'000'000) return WallTime(seconds(n->n));
  return real_clock().wall();
}

std::string in_zone(std::string_view layout, const Value& date, std::string_view zone) {
  // Where we run is UTC, as in Argo CD's containers.
  auto found = TimeZone::find(zone == "Local" ? "" : zone);
  return formatted(time_of(date), layout, found ? *found : TimeZone::utc());
}

Result<Value> modified(const Items& a) {
  const auto* time = dynamic_cast<const Time*>(a[1].if_object());
  if (time == nullptr) return wrong("wrong type for value; expected time.Time; got {}", go_type(a[1]));
  bool minus = text(a[0]).starts_with('-');
  auto by = parse_duration(std::string_view(text(a[0])).substr(minus || text(a[0]).starts_with('+') ? 1 : 0));
  if (!by) return a[1];
  return time_value(time->at() + (minus ? -*by : *by));
}

Result<Value> to_date(const Items& a, bool must) {
  auto t = Reader(text(a[0]), text(a[1])).read();
  if (!t && must) return wrong("parsing time {} as {}: cannot parse it", go_quote(text(a[1])), go_quote(text(a[0])));
  return time_value(t.value_or(WallTime{}));
}

std::string rounded(const Value& value) {
  Millis d{0};
  if (value.if_string()) {
    std::string_view s = text(value);
    d = parse_duration(s.starts_with('-') ? s.substr(1) : s).value_or(Millis(0));
  } else if (const auto* n = value.if_int()) {
    d = Millis(std::abs(n->n / 1'000'000));
  } else if (value.if_object()) {
    d = duration_cast<Millis>(real_clock().wall() - time_of(value));
  }
  struct Unit {
    hours size;
    std::string_view name;
  };
  for (auto [size, name] :
       {Unit{hours(24 * 365), "y"}, Unit{hours(24 * 30), "mo"}, Unit{hours(24), "d"}, Unit{hours(1), "h"}})
    if (d > size) return fmt::format("{}{}", d / size, name);
  if (d > minutes(1)) return fmt::format("{}m", d / minutes(1));
  return d > seconds(1) ? fmt::format("{}s", d / seconds(1)) : "0s";
}

std::string duration_text(const Value& value) {
  std::int64_t n = 0;
  if (value.if_string())
    n = to_int(text(value)).value_or(0);
  else if (value.if_int() && value.if_int()->wide)  // an int is none of the types it takes
    n = num(value);
  if (std::abs(n) > 9'000'000'000) n = 0;
  return n < 0 ? "-" + print_duration(seconds(-n)) : print_duration(seconds(n));
}

}  // namespace

Rows date_rows() {
  auto zoned = strings_to("sas", [](const Items& a) { return in_zone(text(a[0]), a[1], text(a[2])); });
  Function modify{"sa", modified};
  return {
      {"now", strings_to("", [](const Items&) { return time_value(real_clock().wall()); })},
      {"date", strings_to("sa", [](const Items& a) { return in_zone(text(a[0]), a[1], "UTC"); })},
      {"dateInZone", zoned},
      {"date_in_zone", zoned},
      {"htmlDate", strings_to("a", [](const Items& a) { return in_zone("2006-01-02", a[0], "UTC"); })},
      {"htmlDateInZone", strings_to("as", [](const Items& a) { return in_zone("2006-01-02", a[0], text(a[1])); })},
      {"dateModify", modify},
      {"date_modify", modify},
      {"mustDateModify", modify},
      {"must_date_modify", modify},
      {"toDate", {"ss", [](const Items& a) { return to_date(a, false); }}},
      {"mustToDate", {"ss", [](const Items& a) { return to_date(a, true); }}},
      {"unixEpoch", strings_to("a",
                               [](const Items& a) {
                                 return std::to_string(floor<seconds>(time_of(a[0])).time_since_epoch().count());
                               })},
      {"ago",
       strings_to("a",
                  [](const Items& a) { return print_duration(floor<seconds>(real_clock().wall() - time_of(a[0]))); })},
      {"duration", strings_to("a", [](const Items& a) { return duration_text(a[0]); })},
      {"durationRound", strings_to("a", [](const Items& a) { return rounded(a[0]); })},
  };
}

}  // namespace slipway::gotemplate::sprig
