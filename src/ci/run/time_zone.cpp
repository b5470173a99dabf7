// Time zones as the system's database has them. Rule: RFC 8536 (TZif), POSIX TZ for the years after the last change.
#include <algorithm>
#include <cctype>

#include "base/files.h"
#include "base/text.h"
#include "ci/schedule.h"

namespace slipway::ci {
namespace {

constexpr const char* database = "/usr/share/zoneinfo";

// Big-endian numbers of a file that may end anywhere.
class Bytes {
 public:
  explicit Bytes(std::string_view text) : text_(text) {}
  std::int64_t number(int size) {
    if (text_.size() < static_cast<std::size_t>(size)) {
      ended_ = true;
      return 0;
    }
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(text_[static_cast<std::size_t>(i)]);
    text_.remove_prefix(static_cast<std::size_t>(size));
    return size == 4 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
  }
  void skip(std::int64_t count) {
    if (count < 0 || static_cast<std::uint64_t>(count) > text_.size())
      ended_ = true, text_ = {};
    else
      text_.remove_prefix(static_cast<std::size_t>(count));
  }
  std::string_view rest() const { return text_; }
  bool ended() const { return ended_; }

 private:
  std::string_view text_;
  bool ended_ = false;
};

struct Header {
  char version = 0;
  std::int64_t utc = 0, standard = 0, leap = 0, times = 0, types = 0, letters = 0;
  std::int64_t size(int time) const {
    return times * time + times + types * 6 + letters + leap * (time + 4) + standard + utc;
  }
};

std::optional<Header> header(Bytes& in) {
  if (!in.rest().starts_with("TZif") || in.rest().size() < 44) return {};
  Header h;
  h.version = in.rest()[4];
  in.skip(20);
  for (auto* count : {&h.utc, &h.standard, &h.leap, &h.times, &h.types, &h.letters}) {
    *count = in.number(4);
    if (*count < 0 || *count > 100'000) return {};
  }
  return h;
}

// Days since 1970 of a date, and back. Rule: Howard Hinnant's days_from_civil, as <chrono> has it.
std::int64_t days_of(int year, int month, int day) {
  using namespace std::chrono;
  return sys_days(std::chrono::year(year) / month / day).time_since_epoch().count();
}
int weekday_of(std::int64_t days) { return static_cast<int>(((days % 7) + 11) % 7); }  // 1970-01-01 was a Thursday

// A number with its sign, "h[:m[:s]]", as POSIX writes offsets and times.
std::optional<std::int64_t> clock_time(std::string_view& text) {
  std::int64_t sign = 1, total = 0;
  if (text.starts_with('-') || text.starts_with('+')) {
    sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  bool any = false;
  for (std::int64_t unit : {3600, 60, 1}) {
    std::int64_t value = 0;
    std::size_t digits = 0;
    while (digits < text.size() && digits < 4 && std::isdigit(static_cast<unsigned char>(text[digits])) != 0)
      value = value * 10 + (text[digits++] - '0');
    if (digits == 0) return any ? std::optional(sign * total) : std::nullopt;
    any = true;
    total += value * unit;
    text.remove_prefix(digits);
    if (unit == 1 || !text.starts_with(':')) break;
    text.remove_prefix(1);
  }
  return sign * total;
}

bool zone_name(std::string_view& text) {
  std::size_t end = 0;
  if (text.starts_with('<')) {
    end = text.find('>');
    if (end == std::string_view::npos) return false;
    ++end;
  } else {
    while (end < text.size() && std::isalpha(static_cast<unsigned char>(text[end])) != 0) ++end;
  }
  text.remove_prefix(end);
  return end >= 3;
}

bool good_name(std::string_view name) {
  return name.size() <= 100 && !name.contains("..") && !name.starts_with('/') &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '/' || c == '_' || c == '-' || c == '+';
         });
}

// Names of the same folder of the database, for a name that is not there.
std::optional<std::string> near_zone(const std::string& name) {
  auto slash = name.rfind('/');
  auto folder = slash == std::string::npos ? std::string() : name.substr(0, slash + 1);
  auto names = list_dir(fs::path(database) / folder);
  if (!names) return {};
  for (auto& one : *names) one = folder + one;
  return nearest(name, *names);
}

}  // namespace

Result<TimeZone> TimeZone::load(std::string_view name) {
  if (name.empty() || name == "UTC" || name == "Etc/UTC") return TimeZone();
  if (!good_name(name))
    return fail(Kind::invalid, "timezone \"{}\": want a name like Europe/Berlin", name.substr(0, 100));
  auto file = fs::path(database) / name;
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    if (!path_exists(database))
      return Fail(Error(Kind::not_found, fmt::format("timezone \"{}\": this machine has no time zones", name))
                      .with_hint("install tzdata, or leave timezone out: the schedule is in UTC then"));
    auto near = near_zone(std::string(name));
    auto error = Error(Kind::not_found, fmt::format("there is no timezone \"{}\"", name));
    return Fail(near ? std::move(error).with_hint(fmt::format("did you mean {}?", *near)) : std::move(error));
  }
  TRY(auto text, read_file(file));
  auto zone = parse(text);
  if (!zone) return Fail(std::move(zone).error().in(std::string(name)));
  return zone;
}

Result<TimeZone> TimeZone::parse(std::string_view tzif) {
  auto corrupt = [] { return fail(Kind::corrupt, "not a time zone of the system's database"); };
  Bytes in(tzif);
  auto head = header(in);
  if (!head) return corrupt();
  int size = 4;
  if (head->version >= '2') {
    in.skip(head->size(4));
    head = header(in);
    size = 8;
    if (!head) return corrupt();
  }
  TimeZone out;
  for (std::int64_t i = 0; i < head->times; ++i) out.changes_.push_back({in.number(size), 0});
  std::vector<std::int64_t> of;
  for (std::int64_t i = 0; i < head->times; ++i) of.push_back(in.number(1));
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < head->types; ++i) {
    offsets.push_back(in.number(4));
    in.skip(2);
    if (std::abs(offsets.back()) > 26 * 3600) return corrupt();
  }
  in.skip(head->letters + head->leap * (size + 4) + head->standard + head->utc);
  if (in.ended() || offsets.empty()) return corrupt();
  for (std::size_t i = 0; i < of.size(); ++i) {
    auto type = static_cast<std::size_t>(of[i] & 0xff);
    if (type >= offsets.size() || (i > 0 && out.changes_[i].at <= out.changes_[i - 1].at)) return corrupt();
    out.changes_[i].offset = offsets[type];
  }
  out.first_ = offsets[0];
  if (size == 8 && in.rest().starts_with('\n')) {
    auto footer = in.rest().substr(1);
    footer = footer.substr(0, footer.find('\n'));
    if (!footer.empty()) out.footer_ = read_footer(footer);
  }
  return out;
}

// "CET-1CEST,M3.5.0,M10.5.0/3". Other forms of rules do not occur in the database; without one the last offset stays.
std::optional<TimeZone::Footer> TimeZone::read_footer(std::string_view text) {
  Footer out;
  if (!zone_name(text)) return {};
  auto west = clock_time(text);
  if (!west) return {};
  out.standard = out.summer = -*west;
  if (text.empty()) return out;
  if (!zone_name(text)) return {};
  out.summer = out.standard + 3600;
  if (!text.starts_with(',')) {
    auto summer = clock_time(text);
    if (!summer) return {};
    out.summer = -*summer;
  }
  for (auto* rule : {&out.begins, &out.ends}) {
    if (!text.starts_with(",M")) return {};
    text.remove_prefix(2);
    Rule r;
    for (auto* part : {&r.month, &r.week, &r.day}) {
      std::size_t digits = 0;
      while (digits < text.size() && digits < 2 && std::isdigit(static_cast<unsigned char>(text[digits])) != 0)
        *part = *part * 10 + (text[digits++] - '0');
      if (digits == 0) return {};
      text.remove_prefix(digits);
      if (part != &r.day) {
        if (!text.starts_with('.')) return {};
        text.remove_prefix(1);
      }
    }
    if (r.month < 1 || r.month > 12 || r.week < 1 || r.week > 5 || r.day > 6) return {};
    if (text.starts_with('/')) {
      text.remove_prefix(1);
      auto time = clock_time(text);
      if (!time) return {};
      r.time = *time;
    }
    *rule = r;
  }
  return out;
}

// When the rule's moment of a year is, in UTC, `offset` being what holds before it.
std::int64_t TimeZone::moment(const Rule& rule, int year, std::int64_t offset) {
  auto first = days_of(year, rule.month, 1);
  auto day = first + (rule.day - weekday_of(first) + 7) % 7 + 7 * (rule.week - 1);
  auto next_month = rule.month == 12 ? days_of(year + 1, 1, 1) : days_of(year, rule.month + 1, 1);
  while (day >= next_month) day -= 7;
  return day * 86400 + rule.time - offset;
}

std::int64_t TimeZone::by_footer(std::int64_t utc) const {
  const auto& f = *footer_;
  if (!f.begins || !f.ends) return f.standard;
  using namespace std::chrono;
  auto date = year_month_day(floor<days>(sys_seconds(seconds(utc + f.standard))));
  int year = std::clamp(static_cast<int>(date.year()), -30000, 30000);
  auto begins = moment(*f.begins, year, f.standard), ends = moment(*f.ends, year, f.summer);
  bool summer = begins < ends ? utc >= begins && utc < ends : utc >= begins || utc < ends;
  return summer ? f.summer : f.standard;
}

TimeZone::Seconds TimeZone::offset(std::int64_t utc) const {
  if (changes_.empty() || utc >= changes_.back().at) {
    if (footer_) return Seconds(by_footer(utc));
    return Seconds(changes_.empty() ? first_ : changes_.back().offset);
  }
  auto next = std::upper_bound(changes_.begin(), changes_.end(), utc,
                               [](std::int64_t t, const Change& change) { return t < change.at; });
  return Seconds(next == changes_.begin() ? first_ : std::prev(next)->offset);
}

std::vector<std::int64_t> TimeZone::utc_of(std::int64_t local) const {
  std::vector<std::int64_t> out;
  // No zone moves its clocks twice within two days.
  for (auto probe : {local - 86400, local + 86400}) {
    auto utc = local - offset(probe).count();
    if (utc + offset(utc).count() == local && std::find(out.begin(), out.end(), utc) == out.end()) out.push_back(utc);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::int64_t> TimeZone::skipped_at(std::int64_t local) const {
  if (!utc_of(local).empty()) return {};
  // Between these two the clocks are put forward.
  std::int64_t low = local - 86400 - 26 * 3600, high = local + 86400 + 26 * 3600;
  low = local - offset(local - 86400).count() - 86400, high = local - offset(local + 86400).count() + 86400;
  auto before = offset(low);
  while (high - low > 1) {
    auto middle = low + (high - low) / 2;
    (offset(middle) == before ? low : high) = middle;
  }
  return high;
}

}  // namespace slipway::ci
