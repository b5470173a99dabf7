#include "path/findings.h"

#include "base/hash.h"
#include "doc/json.h"

namespace slipway::path {
namespace {

doc::Value to_line(const Finding& f) {
  doc::Map map;
  map.set("file", f.place.file);
  map.set("line", f.place.line);
  map.set("column", f.place.column);
  map.set("rule", f.rule);
  map.set("severity", std::string(level_of(f)));
  map.set("message", f.message);
  auto put = [&](std::string_view key, const std::string& text) {
    if (!text.empty()) map.set(key, text);
  };
  put("check", f.check);
  put("rating", std::string(to_string(f.severity)));
  put("package", f.package), put("version", f.version), put("fixedIn", f.fixed_in), put("fingerprint", f.fingerprint);
  map.set("fails", f.fails);
  return map;
}

std::string_view sarif_level(const Finding& f) {
  auto level = level_of(f);
  return level == "info" ? "note" : level;
}

// GitHub's code scanning sorts by this number.
std::string_view security_severity(Severity severity) {
  switch (severity) {
    case Severity::critical:
      return "9.5";
    case Severity::high:
      return "8.0";
    case Severity::medium:
      return "5.5";
    case Severity::low:
      return "2.0";
    default:
      return {};
  }
}

doc::Value sarif_rule(const Finding& f) {
  doc::Map rule;
  rule.set("id", f.rule);
  rule.set("shortDescription", doc::Map{{"text", f.check.empty() ? f.rule : f.check + ": " + f.rule}});
  doc::Map properties;
  properties.set("tags", doc::List{doc::Value(f.check)});
  if (auto number = security_severity(f.severity); !number.empty())
    properties.set("security-severity", std::string(number));
  rule.set("properties", std::move(properties));
  return rule;
}

// The same finding after lines have moved.
std::string identity(const Finding& f) {
  return f.fingerprint.empty() ? sha256_hex(f.rule + "\n" + f.place.file + "\n" + f.message).substr(0, 32)
                               : f.fingerprint;
}

doc::Value sarif_result(const Finding& f, int rule_index) {
  doc::Map region{{"startLine", std::max(1, f.place.line)}};
  if (f.place.column > 0) region.set("startColumn", f.place.column);
  doc::Map physical{{"artifactLocation", doc::Map{{"uri", f.place.file.empty() ? "." : f.place.file}}},
                    {"region", std::move(region)}};
  doc::Map result;
  result.set("ruleId", f.rule);
  result.set("ruleIndex", rule_index);
  result.set("level", std::string(sarif_level(f)));
  result.set("message", doc::Map{{"text", f.message}});
  result.set("locations", doc::List{doc::Map{{"physicalLocation", std::move(physical)}}});
  result.set("partialFingerprints", doc::Map{{"slipway/v1", identity(f)}});
  return result;
}

}  // namespace

int severity_rank(Severity severity) {
  switch (severity) {
    case Severity::critical:
      return 5;
    case Severity::high:
    case Severity::error:
      return 4;
    case Severity::medium:
    case Severity::warning:
      return 3;
    case Severity::low:
      return 2;
    case Severity::info:
      return 1;
  }
  return 0;
}

std::string_view level_of(const Finding& finding) {
  if (finding.fails || finding.severity == Severity::error) return "error";
  return severity_rank(finding.severity) >= 2 ? "warning" : "info";
}

void sort_findings(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    auto key = [](const Finding& f) {
      return std::tuple(!f.fails, -severity_rank(f.severity), std::string_view(f.place.file), f.place.line,
                        f.place.column, std::string_view(f.rule));
    };
    return key(a) < key(b);
  });
}

std::vector<Finding> new_findings(std::span<const Finding> now, std::span<const Finding> before) {
  std::set<std::string> known;
  for (const auto& f : before) known.insert(identity(f));
  std::vector<Finding> fresh;
  for (const auto& f : now)
    if (!known.contains(identity(f))) fresh.push_back(f);
  return fresh;
}

std::string print_text(std::span<const Finding> findings) {
  std::string out;
  for (const auto& f : findings) {
    auto place = f.place.file.empty() ? std::string("-") : f.place.print();
    out += fmt::format("{}: {}: {} [{}]\n", place, to_string(f.severity), f.message, f.rule);
  }
  return out;
}

std::string print_jsonl(std::span<const Finding> findings) {
  std::string out;
  for (const auto& f : findings) {
    doc::append_json(out, to_line(f));
    out += '\n';
  }
  return out;
}

std::string print_sarif(std::span<const Finding> findings, std::string_view tool_version) {
  doc::List rules, results;
  std::map<std::string, int, std::less<>> index;
  for (const auto& f : findings) {
    auto [it, fresh] = index.emplace(f.rule, static_cast<int>(index.size()));
    if (fresh) rules.push_back(sarif_rule(f));
    results.push_back(sarif_result(f, it->second));
  }
  doc::Map driver{{"name", "slipway"}, {"version", std::string(tool_version)}, {"rules", std::move(rules)}};
  doc::Map run{{"tool", doc::Map{{"driver", std::move(driver)}}},
               {"columnKind", "utf16CodeUnits"},
               {"results", std::move(results)}};
  doc::Map root{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                {"version", "2.1.0"},
                {"runs", doc::List{std::move(run)}}};
  return doc::print_json_pretty(root) + "\n";
}

}  // namespace slipway::path
