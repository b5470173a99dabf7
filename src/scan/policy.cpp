#include "scan/policy.h"

#include "base/text.h"
#include "doc/yaml.h"
#include "path/findings.h"
#include "scan/cvss.h"

namespace slipway::scan {
namespace {

Result<> known_keys(doc::View map, std::initializer_list<std::string_view> known) {
  std::vector<std::string> names(known.begin(), known.end());
  for (const auto& [key, value] : map.members()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    auto near = nearest(key, names);
    return value.wrong(fmt::format("unknown key, want one of {}{}", join(names, ", "),
                                   near ? fmt::format("; did you mean {}?", *near) : ""));
  }
  return {};
}

Result<std::optional<path::Severity>> read_threshold(doc::View view, std::optional<path::Severity> fallback) {
  if (!view) return fallback;
  auto word = lower(view.str_or(""));
  if (word == "none" || word == "never") return std::optional<path::Severity>();
  auto severity = severity_of_label(word);
  if (!severity) return view.wrong("want none, low, medium, high or critical");
  return severity;
}

Result<Ignore> read_ignore(doc::View view) {
  TRY_OK(known_keys(view, {"id", "package", "path", "until", "reason"}));
  Ignore ignore;
  TRY(ignore.id, view["id"].str());
  ignore.package = view["package"].str_or("");
  ignore.path = view["path"].str_or("");
  ignore.reason = view["reason"].str_or("");
  if (trim(ignore.reason).empty()) return view["reason"].wrong("an ignored finding needs a reason");
  if (auto until = view["until"]) {
    auto text = until.text();
    auto time = parse_rfc3339(text.size() == 10 ? text + "T23:59:59Z" : text);
    if (!time) return until.wrong("want a date like 2027-01-31");
    ignore.until = *time;
  }
  return ignore;
}

bool covers(const Ignore& ignore, const path::Finding& f) {
  return glob_match(ignore.id, f.rule) && (ignore.package.empty() || glob_match(ignore.package, f.package)) &&
         (ignore.path.empty() || glob_match(ignore.path, f.place.file));
}

bool reaches(std::optional<path::Severity> threshold, path::Severity severity) {
  return threshold && path::severity_rank(severity) >= path::severity_rank(*threshold);
}

bool stops(const Policy& policy, const path::Finding& f) {
  if (f.check == "secret") return policy.secrets_fail;
  if (f.check == "vulnerability")
    return reaches(policy.fail_at, f.severity) && (!policy.only_fixed || !f.fixed_in.empty());
  if (f.check == "misconfiguration") return reaches(policy.misconfiguration_fail_at, f.severity);
  return f.fails;
}

path::Finding expired_note(const Ignore& ignore) {
  path::Finding f;
  f.check = "policy", f.rule = "ignore-expired", f.severity = path::Severity::info;
  f.place.file = ".slipway/policy.yaml";
  f.message = fmt::format("the exception for {} ended on {}: it counts again ({})", ignore.id,
                          rfc3339(*ignore.until).substr(0, 10), ignore.reason);
  return f;
}

}  // namespace

Result<Policy> parse_policy(std::string_view yaml, std::string_view source) {
  TRY(auto root, doc::parse_yaml(yaml, {.source = source}));
  Policy policy;
  if (root.is_null()) return policy;
  doc::View view(root, source);
  if (!root.is_map()) return view.wrong("want a map");
  TRY_OK(known_keys(view, {"vulnerabilities", "secrets", "misconfiguration", "ignore"}));
  TRY_OK(known_keys(view["vulnerabilities"], {"fail", "only-fixed"}));
  TRY_OK(known_keys(view["secrets"], {"fail"}));
  TRY_OK(known_keys(view["misconfiguration"], {"fail"}));
  TRY(policy.fail_at, read_threshold(view["vulnerabilities"]["fail"], policy.fail_at));
  TRY(policy.misconfiguration_fail_at, read_threshold(view["misconfiguration"]["fail"], {}));
  policy.only_fixed = view["vulnerabilities"]["only-fixed"].bool_or(true);
  policy.secrets_fail = view["secrets"]["fail"].bool_or(true);
  for (const auto& item : view["ignore"].items()) {
    TRY(auto ignore, read_ignore(item));
    policy.ignores.push_back(std::move(ignore));
  }
  return policy;
}

void apply_policy(const Policy& policy, WallTime now, std::vector<path::Finding>& findings) {
  std::vector<path::Finding> notes;
  for (const auto& ignore : policy.ignores) {
    bool expired = ignore.until && *ignore.until < now;
    bool hit = std::any_of(findings.begin(), findings.end(), [&](const auto& f) { return covers(ignore, f); });
    if (expired && hit) notes.push_back(expired_note(ignore));
    if (!expired) std::erase_if(findings, [&](const auto& f) { return covers(ignore, f); });
  }
  for (auto& f : findings) f.fails = stops(policy, f);
  findings.insert(findings.end(), notes.begin(), notes.end());
  path::sort_findings(findings);
}

}  // namespace slipway::scan
