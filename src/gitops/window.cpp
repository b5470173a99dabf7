// Sync windows: cron schedules that open for a while. Rule: Argo CD's sync windows.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "gitops/project.h"

namespace slipway::gitops {
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

std::vector<std::string> texts(doc::View list) {
  std::vector<std::string> all;
  for (const auto& item : list.items()) all.push_back(item.text());
  return all;
}

}  // namespace

bool SyncWindow::concerns(const Application& app) const {
  auto any = [](const std::vector<std::string>& patterns, std::string_view word) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const auto& p) { return p == "*" || glob_match(p, word); });
  };
  std::string_view cluster = app.cluster_name.empty() ? std::string_view("https://kubernetes.default.svc")
                                                      : std::string_view(app.cluster_name);
  struct Match {
    bool given, fits;
  };
  const std::array matches{Match{!applications.empty(), any(applications, app.key.name)},
                           Match{!namespaces.empty(), any(namespaces, app.ns)},
                           Match{!clusters.empty(), any(clusters, cluster) || any(clusters, "in-cluster")}};
  if (all_of) return std::all_of(matches.begin(), matches.end(), [](const Match& m) { return !m.given || m.fits; });
  return std::any_of(matches.begin(), matches.end(), [](const Match& m) { return m.fits; });
}

Result<SyncWindow> window_from(doc::View view) {
  SyncWindow window;
  auto kind = view["kind"].text();
  if (kind != "allow" && kind != "deny") return view["kind"].wrong("want allow or deny");
  window.allow = kind == "allow";
  window.manual = view["manualSync"].bool_or(false);
  TRY(window.schedule, view["schedule"].str());
  if (!names_minute(window.schedule, Minutes{}))
    return view["schedule"].wrong(fmt::format("got \"{}\", want five cron fields of numbers", window.schedule));
  TRY(window.duration, view["duration"].duration());
  if (window.duration <= Millis(0) || window.duration > std::chrono::hours(24 * 31))
    return view["duration"].wrong("want a time above 0, at most 31 days");
  auto zone = view["timeZone"].text();
  if (!zone.empty() && zone != "UTC" && zone != "Etc/UTC")
    return view["timeZone"].wrong(fmt::format("time zone {} is not supported, want UTC", zone));
  window.applications = texts(view["applications"]), window.namespaces = texts(view["namespaces"]),
  window.clusters = texts(view["clusters"]);
  window.all_of = view["andOperator"].bool_or(false);
  window.text = fmt::format("{} \"{}\" for {}", kind, window.schedule, print_duration(window.duration));
  return window;
}

bool is_open(const SyncWindow& window, WallTime now) {
  auto minute = std::chrono::floor<std::chrono::minutes>(now);
  for (auto opened = minute; now - opened < window.duration; opened -= std::chrono::minutes(1))
    if (names_minute(window.schedule, opened).value_or(false)) return true;
  return false;
}

}  // namespace slipway::gitops
