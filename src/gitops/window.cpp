// Sync windows: cron schedules that open for a while. Rule: Argo CD's sync windows.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "gitops/project.h"

namespace slipway::gitops {
namespace {

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
  // By server or by name, whichever the Application says: a window is for the cluster.
  auto cluster = [&](const std::vector<std::string>& patterns) {
    bool own = app.server == own_server || (app.server.empty() && app.cluster_name.empty());
    return (!app.server.empty() && any(patterns, app.server)) ||
           (!app.cluster_name.empty() && any(patterns, app.cluster_name)) ||
           (own && (any(patterns, own_server) || any(patterns, own_name)));
  };
  struct Match {
    bool given, fits;
  };
  const std::array matches{Match{!applications.empty(), any(applications, app.key.name)},
                           Match{!namespaces.empty(), any(namespaces, app.ns)},
                           Match{!clusters.empty(), cluster(clusters)}};
  if (all_of) return std::all_of(matches.begin(), matches.end(), [](const Match& m) { return !m.given || m.fits; });
  return std::any_of(matches.begin(), matches.end(), [](const Match& m) { return m.fits; });
}

Result<SyncWindow> window_from(doc::View view) {
  SyncWindow window;
  auto kind = view["kind"].text();
  if (kind != "allow" && kind != "deny") return view["kind"].wrong("want allow or deny");
  window.allow = kind == "allow";
  window.manual = view["manualSync"].bool_or(false), window.overrun = view["syncOverrun"].bool_or(false);
  TRY(window.schedule, view["schedule"].str());
  if (!is_cron(window.schedule))
    return view["schedule"].wrong(fmt::format("got \"{}\", want five cron fields", window.schedule));
  TRY(window.duration, view["duration"].duration());
  if (window.duration <= Millis(0) || window.duration > std::chrono::hours(24 * 31))
    return view["duration"].wrong("want a time above 0, at most 31 days");
  std::string zone_name;
  if (view["timeZone"].present()) {
    TRY(zone_name, view["timeZone"].str());
  }
  auto zone = TimeZone::find(zone_name);
  if (!zone) return view["timeZone"].wrong(zone.error().what());
  window.zone = *std::move(zone);
  window.applications = texts(view["applications"]), window.namespaces = texts(view["namespaces"]),
  window.clusters = texts(view["clusters"]);
  window.all_of = view["andOperator"].bool_or(false);
  auto where = window.zone.name() == "UTC" ? "" : fmt::format(" ({})", window.zone.name());
  window.text = fmt::format("{} \"{}\"{} for {}", kind, window.schedule, where, print_duration(window.duration));
  return window;
}

bool is_open(const SyncWindow& window, WallTime now) {
  return is_cron_open(window.schedule, window.duration, now, window.zone);
}

}  // namespace slipway::gitops
