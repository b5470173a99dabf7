#include "scan/cvss.h"

#include <cmath>

#include "base/text.h"

namespace slipway::scan {
namespace {

using Metrics = std::map<std::string, std::string, std::less<>>;

std::optional<double> pick(const Metrics& metrics, std::string_view name,
                           std::initializer_list<std::pair<std::string_view, double>> table) {
  auto it = metrics.find(name);
  if (it == metrics.end()) return std::nullopt;
  for (auto [value, weight] : table)
    if (value == it->second) return weight;
  return std::nullopt;
}

// CVSS 3.1 appendix A: up to one decimal, without the noise of binary fractions.
double round_up(double x) {
  auto n = static_cast<std::int64_t>(std::llround(x * 100000));
  return n % 10000 == 0 ? static_cast<double>(n) / 100000 : (std::floor(static_cast<double>(n) / 10000) + 1) / 10;
}

std::optional<double> score_v3(const Metrics& m) {
  auto scope = m.find("S");
  if (scope == m.end() || (scope->second != "U" && scope->second != "C")) return std::nullopt;
  bool changed = scope->second == "C";
  auto av = pick(m, "AV", {{"N", .85}, {"A", .62}, {"L", .55}, {"P", .2}});
  auto ac = pick(m, "AC", {{"L", .77}, {"H", .44}});
  auto pr = pick(m, "PR", {{"N", .85}, {"L", changed ? .68 : .62}, {"H", changed ? .5 : .27}});
  auto ui = pick(m, "UI", {{"N", .85}, {"R", .62}});
  auto impact = [&](std::string_view name) { return pick(m, name, {{"H", .56}, {"L", .22}, {"N", 0}}); };
  auto c = impact("C"), i = impact("I"), a = impact("A");
  if (!av || !ac || !pr || !ui || !c || !i || !a) return std::nullopt;
  double iss = 1 - (1 - *c) * (1 - *i) * (1 - *a);
  double sub = changed ? 7.52 * (iss - .029) - 3.25 * std::pow(iss - .02, 15) : 6.42 * iss;
  if (sub <= 0) return 0;
  double exploit = 8.22 * *av * *ac * *pr * *ui;
  return round_up(std::min((changed ? 1.08 : 1) * (sub + exploit), 10.0));
}

std::optional<double> score_v2(const Metrics& m) {
  auto av = pick(m, "AV", {{"L", .395}, {"A", .646}, {"N", 1}});
  auto ac = pick(m, "AC", {{"H", .35}, {"M", .61}, {"L", .71}});
  auto au = pick(m, "Au", {{"M", .45}, {"S", .56}, {"N", .704}});
  auto impact = [&](std::string_view name) { return pick(m, name, {{"N", 0}, {"P", .275}, {"C", .66}}); };
  auto c = impact("C"), i = impact("I"), a = impact("A");
  if (!av || !ac || !au || !c || !i || !a) return std::nullopt;
  double sub = 10.41 * (1 - (1 - *c) * (1 - *i) * (1 - *a));
  double exploit = 20 * *av * *ac * *au;
  double score = (.6 * sub + .4 * exploit - 1.5) * (sub == 0 ? 0 : 1.176);
  return std::round(std::max(score, 0.0) * 10) / 10;
}

}  // namespace

std::optional<double> cvss_score(std::string_view vector) {
  bool three = vector.starts_with("CVSS:3.");
  if (vector.starts_with("CVSS:") && !three) return std::nullopt;
  Metrics metrics;
  for (auto part : split(vector.substr(0, 512), '/'))
    if (auto pair = cut(part, ":")) metrics.emplace(pair->first, pair->second);
  return three ? score_v3(metrics) : score_v2(metrics);
}

path::Severity severity_of_score(double score) {
  if (score >= 9) return path::Severity::critical;
  if (score >= 7) return path::Severity::high;
  if (score >= 4) return path::Severity::medium;
  return score >= 0.1 ? path::Severity::low : path::Severity::info;
}

std::optional<path::Severity> severity_of_label(std::string_view label) {
  auto word = lower(label);
  if (word == "critical") return path::Severity::critical;
  if (word == "high" || word == "important") return path::Severity::high;
  if (word == "medium" || word == "moderate") return path::Severity::medium;
  if (word == "low" || word == "unimportant" || word == "negligible" || word == "minor") return path::Severity::low;
  if (word == "none") return path::Severity::info;
  return std::nullopt;
}

}  // namespace slipway::scan
