#include "scan/advisories.h"

#include "base/text.h"
#include "doc/json.h"
#include "scan/cvss.h"
#include "scan/detail/seed.h"
#include "scan/version.h"

namespace slipway::scan {
namespace {

std::string_view base_of(std::string_view ecosystem) { return ecosystem.substr(0, ecosystem.find(':')); }

std::vector<Event> read_events(doc::View range) {
  std::vector<Event> events;
  for (const auto& entry : range["events"].items())
    for (const auto& [key, value] : entry.members()) {
      auto version = value.text();
      if (key == "introduced")
        events.push_back({Event::Kind::introduced, version});
      else if (key == "fixed")
        events.push_back({Event::Kind::fixed, version});
      else if (key == "last_affected")
        events.push_back({Event::Kind::last_affected, version});
      else if (key == "limit")
        events.push_back({Event::Kind::limit, version});
    }
  return events;
}

std::optional<double> best_score(doc::View severities) {
  std::optional<double> best;
  for (const auto& entry : severities.items()) {
    auto score = cvss_score(entry["score"].str_or(""));
    // Version 3 is said after version 2 of the same record and counts more.
    if (score && (!best || entry["type"].str_or("") != "CVSS_V2")) best = score;
  }
  return best;
}

std::optional<path::Severity> read_affected_severity(doc::View entry) {
  if (auto score = best_score(entry["severity"])) return severity_of_score(*score);
  for (auto where : {"ecosystem_specific", "database_specific"})
    for (auto key : {"severity", "urgency"})
      if (auto label = severity_of_label(entry[where][key].str_or(""))) return label;
  return std::nullopt;
}

Result<Affected> read_affected(doc::View entry) {
  Affected a;
  TRY(a.ecosystem, entry["package"]["ecosystem"].str());
  TRY(a.name, entry["package"]["name"].str());
  for (const auto& range : entry["ranges"].items()) {
    if (range["type"].str_or("") == "GIT") continue;
    auto events = read_events(range);
    if (!events.empty()) a.ranges.push_back(std::move(events));
  }
  for (const auto& version : entry["versions"].items()) a.versions.push_back(version.text());
  a.severity = read_affected_severity(entry);
  return a;
}

int compare_event(Scheme scheme, std::string_view a, std::string_view b) {
  if (a == "0" || b == "0")
    return static_cast<int>(a != "0") - static_cast<int>(b != "0");  // "0": before every version
  return compare_versions(scheme, a, b);
}

std::vector<Event> in_order(std::vector<Event> events, Scheme scheme) {
  auto rank = [](Event::Kind kind) { return kind == Event::Kind::last_affected ? 1 : 0; };
  std::stable_sort(events.begin(), events.end(), [&](const Event& a, const Event& b) {
    int order = compare_event(scheme, a.version, b.version);
    return order != 0 ? order < 0 : rank(a.kind) < rank(b.kind);
  });
  return events;
}

// OSV's evaluation: walk the events up to the version.
bool in_range(const std::vector<Event>& events, std::string_view version, Scheme scheme) {
  if (events.empty()) return false;
  bool affected = false, limited = false, below_limit = false;
  // Most ranges are one pair, which is in order as written.
  bool pair = events.size() <= 2 && events[0].kind == Event::Kind::introduced;
  for (const auto& event : pair ? events : in_order(events, scheme)) {
    int order = compare_event(scheme, event.version, version);
    switch (event.kind) {
      case Event::Kind::introduced:
        if (order <= 0) affected = true;
        break;
      case Event::Kind::fixed:
        if (order <= 0) affected = false;
        break;
      case Event::Kind::last_affected:
        if (order < 0) affected = false;
        break;
      case Event::Kind::limit:
        limited = true, below_limit = below_limit || event.version == "*" || order > 0;
        break;
    }
  }
  return affected && (!limited || below_limit);
}

}  // namespace

std::string Advisory::canonical() const {
  if (id.starts_with("CVE-")) return id;
  std::set<std::string> cves;
  for (const auto& alias : aliases)
    if (alias.starts_with("CVE-")) cves.insert(alias);
  return cves.size() == 1 ? *cves.begin() : id;
}

Result<Advisory> parse_osv(doc::View record) {
  Advisory a;
  TRY(a.id, record["id"].str());
  if (a.id.empty() || a.id.size() > 200) return record["id"].wrong("an advisory needs an id of 1 to 200 characters");
  a.modified = record["modified"].str_or("");
  a.summary = record["summary"].str_or("");
  if (a.summary.empty()) {
    auto details = record["details"].str_or("");
    a.summary = std::string(trim(details.substr(0, std::min<std::size_t>(details.find('\n'), 200))));
  }
  a.withdrawn = !record["withdrawn"].str_or("").empty();
  for (auto key : {"aliases", "upstream"})
    for (const auto& alias : record[key].items()) a.aliases.push_back(alias.str_or(""));
  a.score = best_score(record["severity"]);
  a.severity = severity_of_label(record["database_specific"]["severity"].str_or(""));
  if (a.score) a.severity = severity_of_score(*a.score);
  for (const auto& reference : record["references"].items()) {
    auto url = reference["url"].str_or("");
    if (a.url.empty() || reference["type"].str_or("") == "ADVISORY") a.url = url;
    if (reference["type"].str_or("") == "ADVISORY") break;
  }
  if (a.withdrawn) return a;
  for (const auto& entry : record["affected"].items()) {
    if (!entry["package"]) continue;  // only a repository: nothing to look up by
    TRY(auto affected, read_affected(entry));
    if (!affected.ranges.empty() || !affected.versions.empty()) a.affected.push_back(std::move(affected));
  }
  return a;
}

std::string lookup_key(std::string_view ecosystem, std::string_view name) {
  auto base = base_of(ecosystem);
  std::string key(name);
  if (base == "PyPI") {
    // PEP 503: lower case, runs of "-", "_" and "." are one "-".
    key.clear();
    for (char c : lower(name)) {
      bool separator = c == '-' || c == '_' || c == '.';
      if (!separator)
        key.push_back(c);
      else if (key.empty() || key.back() != '-')
        key.push_back('-');
    }
  } else if (base == "npm" || base == "NuGet" || base == "Packagist") {
    key = lower(name);
  }
  return fmt::format("{}/{}", base, key);
}

bool is_affected(const Affected& affected, std::string_view version) {
  auto scheme = scheme_of(affected.ecosystem);
  for (const auto& listed : affected.versions)
    // PyPI lists versions as they were uploaded: "1.0" is also "1.0.0". Elsewhere the text is the version.
    if (listed == version || (scheme == Scheme::pep440 && compare_versions(scheme, listed, version) == 0)) return true;
  return std::any_of(affected.ranges.begin(), affected.ranges.end(),
                     [&](const auto& range) { return in_range(range, version, scheme); });
}

std::string fixed_version(const Affected& affected, std::string_view version) {
  auto scheme = scheme_of(affected.ecosystem);
  std::string best;
  for (const auto& range : affected.ranges)
    for (const auto& event : range) {
      if (event.kind != Event::Kind::fixed || compare_versions(scheme, event.version, version) <= 0) continue;
      if (best.empty() || compare_versions(scheme, event.version, best) < 0) best = event.version;
    }
  return best;
}

const std::vector<Advisory>& built_in_advisories() {
  static const std::vector<Advisory> list = [] {
    std::vector<Advisory> found;
    for (auto text : detail::seed_files()) {
      auto records = doc::parse_json(text, "built-in advisory");
      SLP_ASSERT(records && records->is_list());
      for (const auto& record : *records->if_list()) {
        auto advisory = parse_osv(doc::View(record, "built-in advisory"));
        SLP_ASSERT(advisory.has_value());
        found.push_back(*std::move(advisory));
      }
    }
    return found;
  }();
  return list;
}

}  // namespace slipway::scan
