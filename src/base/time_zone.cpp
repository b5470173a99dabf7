#include "base/time_zone.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/files.h"
#include "base/text.h"

namespace slipway {
namespace {

using std::chrono::seconds;
using Seconds = std::chrono::sys_seconds;
using Local = TimeZone::Local;

// When a year changes to or from summer time: the footer's Mm.w.d, Jn or n, with a time of day.
struct Rule {
  enum class Kind { month, julian, day } kind = Kind::day;
  int month = 1, week = 1, day = 0;
  seconds time{7200};
  // In local time of the year.
  std::chrono::local_seconds in(std::chrono::year year) const {
    using namespace std::chrono;
    auto first = local_days(year / January / 1);
    if (kind == Kind::day) return first + days(day) + time;
    if (kind == Kind::julian) return first + days(day - 1 + (year.is_leap() && day > 59 ? 1 : 0)) + time;
    weekday wanted(static_cast<unsigned>(day));
    std::chrono::month m(static_cast<unsigned>(month));
    if (week == 5) return local_days(year / m / wanted[last]) + time;
    return local_days(year / m / wanted[static_cast<unsigned>(week)]) + time;
  }
};
// What holds after the last transition of the file: "CET-1CEST,M3.5.0,M10.5.0/3".
struct Footer {
  Local standard, summer;
  bool changes = false;
  Rule starts, ends;
};

class FooterReader {
 public:
  explicit FooterReader(std::string_view text) : s_(text) {}
  std::optional<Footer> read() {
    Footer f;
    if (!name(f.standard) || !offset(f.standard.offset)) return std::nullopt;
    f.standard.offset = -f.standard.offset;
    if (s_.empty()) return f;
    f.changes = f.summer.summer = true;
    if (!name(f.summer)) return std::nullopt;
    f.summer.offset = f.standard.offset + seconds(3600);
    if (!s_.empty() && s_[0] != ',') {
      if (!offset(f.summer.offset)) return std::nullopt;
      f.summer.offset = -f.summer.offset;
    }
    if (!rule(f.starts) || !rule(f.ends) || !s_.empty()) return std::nullopt;
    return f;
  }

 private:
  bool take(char c) {
    if (s_.empty() || s_[0] != c) return false;
    s_.remove_prefix(1);
    return true;
  }
  bool name(Local& local) {
    if (take('<')) {
      auto end = s_.find('>');
      if (end == std::string_view::npos) return false;
      local.abbreviation = s_.substr(0, end);
      s_.remove_prefix(end + 1);
      return true;
    }
    auto end = s_.find_first_of("+-0123456789,");
    local.abbreviation = s_.substr(0, end);
    s_.remove_prefix(std::min(end, s_.size()));
    return local.abbreviation.size() >= 3;
  }
  bool number(int& n) {
    auto end = std::min(s_.find_first_not_of("0123456789"), s_.size());
    auto value = to_int(s_.substr(0, end));
    if (!value || end > 4) return false;
    n = static_cast<int>(*value);
    s_.remove_prefix(end);
    return true;
  }
  bool offset(seconds& into) {
    bool negative = take('-');
    if (!negative) take('+');
    int hours = 0, minutes = 0, more = 0;
    if (!number(hours)) return false;
    if (take(':') && (!number(minutes) || (take(':') && !number(more)))) return false;
    if (hours > 167 || minutes > 59 || more > 59) return false;
    into = seconds(hours * 3600 + minutes * 60 + more) * (negative ? -1 : 1);
    return true;
  }
  bool rule(Rule& r) {
    if (!take(',')) return false;
    if (take('M')) {
      r.kind = Rule::Kind::month;
      if (!number(r.month) || !take('.') || !number(r.week) || !take('.') || !number(r.day)) return false;
      if (r.month < 1 || r.month > 12 || r.week < 1 || r.week > 5 || r.day > 6) return false;
    } else {
      r.kind = take('J') ? Rule::Kind::julian : Rule::Kind::day;
      if (!number(r.day) || r.day > 365) return false;
    }
    return !take('/') || offset(r.time);
  }
  std::string_view s_;
};

std::int64_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < size; ++i) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
  if (size == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(n));
  return static_cast<std::int64_t>(n);
}

struct Counts {
  std::size_t utc, standard, leaps, times, types, letters;
  std::size_t size(std::size_t wide) const {
    return times * (wide + 1) + types * 6 + letters + leaps * (wide + 4) + standard + utc;
  }
};
constexpr std::size_t header = 44;
std::optional<Counts> counts_at(std::string_view bytes, std::size_t at) {
  if (bytes.size() < at + header || !bytes.substr(at).starts_with("TZif")) return std::nullopt;
  std::array<std::size_t, 6> n{};
  for (std::size_t i = 0; i < n.size(); ++i) {
    auto value = big_endian(bytes, at + 20 + i * 4, 4);
    if (value < 0 || value > 100'000) return std::nullopt;
    n[i] = static_cast<std::size_t>(value);
  }
  return Counts{n[0], n[1], n[2], n[3], n[4], n[5]};
}

bool well_formed(std::string_view name) {
  if (name.size() > 64 || name.starts_with('/') || name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  });
}

}  // namespace

struct TimeZone::Rep {
  std::string name;
  std::vector<std::pair<std::int64_t, std::size_t>> changes;  // from this second on, which of `locals`
  std::vector<Local> locals;
  std::optional<Footer> footer;
};

TimeZone TimeZone::utc() {
  static const auto rep = std::make_shared<const Rep>(Rep{"UTC", {}, {{seconds(0), "UTC", false}}, {}});
  return TimeZone(rep);
}

const std::string& TimeZone::name() const { return rep_->name; }

Result<TimeZone> TimeZone::find(std::string_view name) {
  if (name.empty() || name == "UTC" || name == "Etc/UTC") return utc();
  if (!well_formed(name)) return fail(Kind::invalid, "time zone \"{}\": no such name, want one as Europe/Berlin", name);
  auto bytes = read_file(fs::path("/usr/share/zoneinfo") / name);
  if (!bytes)
    return Fail(
        Error(Kind::invalid, fmt::format("time zone \"{}\": not in this system's time zone database", name))
            .with_hint("names are those of the IANA database, as Europe/Berlin; they come with package tzdata"));
  return parse(name, *bytes);
}

Result<TimeZone> TimeZone::parse(std::string_view name, std::string_view bytes) {
  auto bad = [&] { return fail(Kind::invalid, "time zone \"{}\": its file cannot be read", name); };
  auto first = counts_at(bytes, 0);
  if (!first) return bad();
  std::size_t at = 0, wide = 4;
  auto counts = *first;
  if (bytes[4] >= '2') {
    at = header + first->size(4), wide = 8;
    auto second = counts_at(bytes, at);
    if (!second) return bad();
    counts = *second;
  }
  at += header;
  if (counts.types == 0 || bytes.size() < at + counts.size(wide)) return bad();
  auto rep = std::make_shared<Rep>();
  rep->name = name;
  auto indexes = at + counts.times * wide, types = indexes + counts.times, letters = types + counts.types * 6;
  for (std::size_t i = 0; i < counts.types; ++i) {
    auto row = types + i * 6;
    auto from = static_cast<std::size_t>(static_cast<unsigned char>(bytes[row + 5]));
    if (from >= counts.letters) return bad();
    auto abbreviation = bytes.substr(letters + from, counts.letters - from);
    rep->locals.push_back({seconds(big_endian(bytes, row, 4)),
                           std::string(abbreviation.substr(0, abbreviation.find('\0'))), bytes[row + 4] != 0});
  }
  for (std::size_t i = 0; i < counts.times; ++i) {
    auto local = static_cast<std::size_t>(static_cast<unsigned char>(bytes[indexes + i]));
    if (local >= counts.types) return bad();
    rep->changes.emplace_back(big_endian(bytes, at + i * wide, wide), local);
  }
  if (!std::is_sorted(rep->changes.begin(), rep->changes.end(),
                      [](const auto& a, const auto& b) { return a.first < b.first; }))
    return bad();
  if (wide == 8) {
    auto tail = bytes.substr(at + counts.size(wide));
    if (tail.starts_with('\n')) rep->footer = FooterReader(tail.substr(1, tail.find('\n', 1) - 1)).read();
  }
  return TimeZone(std::move(rep));
}

TimeZone::Local TimeZone::at(WallTime t) const {
  auto now = std::chrono::floor<seconds>(t);
  auto count = now.time_since_epoch().count();
  const auto& changes = rep_->changes;
  bool beyond = changes.empty() || count >= changes.back().first;
  if (beyond && rep_->footer) {
    const auto& f = *rep_->footer;
    if (!f.changes) return f.standard;
    auto day = std::chrono::floor<std::chrono::days>(now + f.standard.offset);
    auto year = std::chrono::year_month_day(day).year();
    // Each change is told in the time that holds before it.
    auto starts = f.starts.in(year).time_since_epoch() - f.standard.offset;
    auto ends = f.ends.in(year).time_since_epoch() - f.summer.offset;
    auto point = now.time_since_epoch();
    bool summer = starts < ends ? point >= starts && point < ends : point >= starts || point < ends;
    return summer ? f.summer : f.standard;
  }
  auto after = std::upper_bound(changes.begin(), changes.end(), count,
                                [](std::int64_t value, const auto& change) { return value < change.first; });
  if (after != changes.begin()) return rep_->locals[std::prev(after)->second];
  auto standard = std::find_if(rep_->locals.begin(), rep_->locals.end(), [](const Local& l) { return !l.summer; });
  return standard != rep_->locals.end() ? *standard : rep_->locals.front();
}

}  // namespace slipway
