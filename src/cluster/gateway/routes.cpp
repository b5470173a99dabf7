#include "cluster/gateway/routes.h"

#include <re2/re2.h>

#include "base/text.h"

namespace slipway::cluster {
namespace {

using kube::Object;

std::string without_port(std::string_view host) {
  auto colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) host = host.substr(0, colon);
  return lower(host);
}

bool matches_pattern(const std::shared_ptr<const void>& pattern, std::string_view text) {
  return pattern && RE2::FullMatch({text.data(), text.size()}, *static_cast<const RE2*>(pattern.get()));
}

bool matches_path(const Route& route, const std::string& path) {
  switch (route.kind) {
    case Route::Path::exact:
      return path == route.path;
    case Route::Path::prefix:
      return path_has_prefix(path, route.path);
    case Route::Path::pattern:
      return matches_pattern(route.pattern, path);
  }
  return false;
}

bool matches_value(const Match& match, const std::optional<std::string_view>& value) {
  return value && (match.pattern ? matches_pattern(match.pattern, *value) : *value == match.value);
}

bool matches(const Route& route, const net::Request& request) {
  if (!route.method.empty() && route.method != request.method) return false;
  if (!matches_path(route, request.path)) return false;
  for (const auto& match : route.headers)
    if (!matches_value(match, request.headers.get(match.name))) return false;
  for (const auto& match : route.queries) {
    auto it =
        std::find_if(request.query.begin(), request.query.end(), [&](const auto& q) { return q.first == match.name; });
    if (it == request.query.end() || !matches_value(match, std::string_view(it->second))) return false;
  }
  return true;
}

// n-th step of a sequence that fills [0, total) evenly whatever the weights (the golden ratio's multiples).
std::int64_t step(std::uint64_t n, std::int64_t total) {
  auto spread = n * 0x9E3779B97F4A7C15ULL;
  return static_cast<std::int64_t>(static_cast<unsigned __int128>(spread) * static_cast<std::uint64_t>(total) >> 64);
}

std::string cookie_of(const net::Request& request, std::string_view name) {
  for (auto header : request.headers.all("Cookie"))
    for (auto part : split(header, ';'))
      if (auto pair = cut(trim(part), "="); pair && pair->first == name) return std::string(pair->second);
  return "";
}

bool takes_canary(const Canary& canary, const net::Request& request, std::uint64_t turn) {
  if (!canary.header.empty()) {
    auto value = request.headers.get(canary.header);
    if (value && !canary.header_value.empty() && *value == canary.header_value) return true;
    if (value && canary.header_value.empty() && *value == "always") return true;
    if (value && canary.header_value.empty() && *value == "never") return false;
  }
  if (!canary.cookie.empty()) {
    auto value = cookie_of(request, canary.cookie);
    if (value == "always") return true;
    if (value == "never") return false;
  }
  return step(turn, std::max<std::int64_t>(canary.total, 1)) < canary.weight;
}

}  // namespace

const std::vector<double>& gateway_bounds() {
  static const std::vector<double> bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,  0.5,    1,     2.5,  5,     10,   30};
  return bounds;
}

std::uint64_t first_turn() {
  static std::atomic<std::uint64_t> next = 0;
  return next.fetch_add(1'000'003, std::memory_order_relaxed);
}

Tally::Tally() : buckets_(gateway_bounds().size() + 1) {}

void Tally::add(End end, int status, double seconds) {
  auto bump = [](std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
    counter.fetch_add(by, std::memory_order_relaxed);
  };
  if (end == End::failed) {
    bump(failures_);
  } else {
    if (status >= 500)
      bump(server_errors_);
    else if (status >= 400)
      bump(client_errors_);
    const auto& bounds = gateway_bounds();
    bump(buckets_[std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin()]);
    bump(micros_, static_cast<std::uint64_t>(seconds * 1e6));
  }
  bump(requests_);
}

void Tally::read(BackendStats& stats) const {
  stats.requests = requests_, stats.errors_5xx = server_errors_, stats.errors_4xx = client_errors_,
  stats.failures = failures_;
  stats.seconds_sum = static_cast<double>(micros_) / 1e6;
  stats.buckets.assign(buckets_.begin(), buckets_.end());
}

bool path_has_prefix(std::string_view path, std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

std::shared_ptr<const Route> Table::find(const net::Request& request) const {
  auto host = without_port(request.headers.get_or("Host", ""));
  auto in = [&](const Routes& routes) -> std::shared_ptr<const Route> {
    for (const auto& route : routes)
      if (matches(*route, request)) return route;
    return nullptr;
  };
  if (auto it = exact_.find(host); it != exact_.end())
    if (auto route = in(it->second)) return route;
  for (const auto& [suffix, routes] : wild_)
    if (host.size() > suffix.size() && host.ends_with(suffix))
      if (auto route = in(routes)) return route;
  return in(any_);
}

std::size_t Table::size() const {
  std::size_t total = any_.size();
  for (const auto& [host, routes] : exact_) total += routes.size();
  for (const auto& [suffix, routes] : wild_) total += routes.size();
  return total;
}

void Table::sort() {
  auto key = [](const std::shared_ptr<Route>& r) {
    return std::tuple(r->kind == Route::Path::exact ? 0 : 1, -static_cast<int>(r->path.size()), r->method.empty(),
                      -static_cast<int>(r->headers.size()), -static_cast<int>(r->queries.size()));
  };
  auto order = [&](Routes& routes) {
    std::stable_sort(routes.begin(), routes.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  };
  for (auto& [host, routes] : exact_) order(routes);
  for (auto& [suffix, routes] : wild_) order(routes);
  order(any_);
  std::stable_sort(wild_.begin(), wild_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

TargetPtr choose(const Route& route, const net::Request& request) {
  for (const auto& canary : route.canaries) {
    auto turn = route.canary_turn.fetch_add(1, std::memory_order_relaxed);
    // A canary without pods answers nobody: its share stays with the main backend.
    if (takes_canary(canary, request, turn) && !canary.target->endpoints.empty()) return canary.target;
  }
  std::int64_t total = 0;
  for (const auto& share : route.shares) total += share.weight;
  if (total <= 0) return nullptr;
  auto at = step(route.turn.fetch_add(1, std::memory_order_relaxed), total);
  TargetPtr chosen;
  for (const auto& share : route.shares) {
    if (at < share.weight) {
      chosen = share.target;
      break;
    }
    at -= share.weight;
  }
  if (!chosen->endpoints.empty()) return chosen;
  for (const auto& share : route.shares)
    if (share.weight > 0 && !share.target->endpoints.empty()) return share.target;
  return chosen;
}

}  // namespace slipway::cluster
