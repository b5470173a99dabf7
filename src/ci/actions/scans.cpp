// aquasecurity/trivy-action, anchore/scan-action: the injected scanner.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/detail/images.h"
#include "doc/json.h"
#include "path/objects.h"

namespace slipway::ci {
namespace {

int rank(path::Severity severity) {
  using S = path::Severity;
  return severity == S::critical                           ? 4
         : severity == S::high || severity == S::error     ? 3
         : severity == S::medium || severity == S::warning ? 2
         : severity == S::low                              ? 1
                                                           : 0;
}

Result<path::ScanReport> scan(const Ctx& ctx, ActionUse& use, const std::string& image, const std::string& folder) {
  auto* scanner = use.job.options().scanner;
  if (!scanner)
    return Fail(Error(Kind::unavailable, "no scanner is connected to this runner")
                    .with_hint("run the workflow by `slipway up` or `slipway run`"));
  if (image.empty()) {
    TRY(auto relative, use.job.relative_of(folder));
    if (!use.job.folder().has_folder(relative)) return fail(Kind::not_found, "{}: no such folder", folder);
    return scanner->scan_folder(ctx, use.job.folder().home() / relative);
  }
  std::string_view name = image;
  if (auto host = cut(name, "/"); host && is_own_registry(use.job.options(), host->first)) name = host->second;
  auto at = name.find('@');
  auto colon = at != std::string_view::npos ? at : name.rfind(':');
  if (colon != std::string_view::npos && name.find('/', colon) != std::string_view::npos)
    colon = std::string_view::npos;
  auto repository = std::string(name.substr(0, colon));
  auto reference = colon == std::string_view::npos ? "latest" : std::string(name.substr(colon + 1));
  return scanner->scan_image(ctx, repository, reference);
}

std::string table(const std::vector<path::Finding>& findings) {
  std::string out;
  for (auto& f : findings)
    out += fmt::format("{:<9} {:<20} {}{}{} {}\n", path::to_string(f.severity), f.rule,
                       f.package.empty() ? f.place.print() : f.package, f.version.empty() ? "" : " " + f.version,
                       f.fixed_in.empty() ? "" : " (fixed in " + f.fixed_in + ")", f.message);
  return out;
}

std::string as_json(const std::vector<path::Finding>& findings) {
  doc::List list;
  for (auto& f : findings) list.push_back(path::to_doc(f));
  return doc::print_json_pretty(doc::Value(std::move(list)));
}

std::string as_sarif(const std::vector<path::Finding>& findings) {
  doc::Value out;
  out["version"] = "2.1.0";
  out["$schema"] = "https://json.schemastore.org/sarif-2.1.0.json";
  doc::Value run;
  run["tool"]["driver"]["name"] = "slipway";
  run["results"] = doc::List{};
  for (auto& f : findings) {
    doc::Value result, place;
    result["ruleId"] = f.rule;
    result["level"] = rank(f.severity) >= 3 ? "error" : rank(f.severity) == 2 ? "warning" : "note";
    result["message"]["text"] = f.message.empty() ? f.rule : f.message;
    place["physicalLocation"]["artifactLocation"]["uri"] = f.place.file.empty() ? f.package : f.place.file;
    place["physicalLocation"]["region"]["startLine"] = std::max(f.place.line, 1);
    result["locations"].list().push_back(std::move(place));
    run["results"].list().push_back(std::move(result));
  }
  out["runs"].list().push_back(std::move(run));
  return doc::print_json_pretty(out);
}

Result<> report(ActionUse& use, const std::vector<path::Finding>& findings, const std::string& format,
                const std::string& file) {
  auto text = format == "json" ? as_json(findings) : format == "sarif" ? as_sarif(findings) : table(findings);
  if (file.empty()) {
    for (auto line : lines(text)) use.job.log(use.step, 1, line);
    return {};
  }
  TRY(auto relative, use.job.relative_of(file));
  return use.job.folder().write(relative, text);
}

}  // namespace

Result<> trivy(const Ctx& ctx, ActionUse& use) {
  auto type = use.input("scan-type", "image");
  auto image = type == "image" ? use.input("image-ref") : std::string();
  if (type == "image" && image.empty()) return fail(Kind::invalid, "scan-type image: want image-ref");
  TRY(auto found, scan(ctx, use, image, use.input("scan-ref", ".")));
  std::set<std::string> severities;
  auto wanted = use.input("severity", "UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL");
  for (auto part : split(wanted, ',')) severities.insert(lower(trim(part)));
  std::vector<path::Finding> kept;
  for (auto& f : found.findings) {
    auto r = rank(f.severity);
    auto name = r == 4 ? "critical" : r == 3 ? "high" : r == 2 ? "medium" : r == 1 ? "low" : "unknown";
    if (severities.contains(name) &&
        !(use.flag("ignore-unfixed", false) && f.fixed_in.empty() && f.check == "vulnerability"))
      kept.push_back(f);
  }
  use.say(fmt::format("{} packages, {} findings, {} of the asked severities", found.packages, found.findings.size(),
                      kept.size()));
  TRY_OK(report(use, kept, lower(use.input("format", "table")), use.input("output")));
  auto& all = use.job.result().findings;
  all.insert(all.end(), kept.begin(), kept.end());
  auto code = use.input("exit-code", "0");
  if (code != "0" && !kept.empty()) return fail(Kind::denied, "{} findings of severity {}", kept.size(), wanted);
  return {};
}

Result<> anchore(const Ctx& ctx, ActionUse& use) {
  TRY(auto found, scan(ctx, use, use.input("image"), use.input("path", ".")));
  auto cutoff = path::parse_severity(use.input("severity-cutoff", "medium")).value_or(path::Severity::medium);
  std::vector<path::Finding> kept, failing;
  for (auto& f : found.findings) {
    if (use.flag("only-fixed", false) && f.fixed_in.empty()) continue;
    kept.push_back(f);
    if (rank(f.severity) >= rank(cutoff)) failing.push_back(f);
  }
  auto format = lower(use.input("output-format", "sarif"));
  auto file = use.input("output-file", format == "sarif" ? "results.sarif" : "results.json");
  TRY_OK(report(use, kept, format == "table" ? "table" : format, format == "table" ? std::string() : file));
  use.output(format == "sarif" ? "sarif" : "json", file);
  auto& all = use.job.result().findings;
  all.insert(all.end(), kept.begin(), kept.end());
  if (use.flag("fail-build", true) && !failing.empty())
    return fail(Kind::denied, "{} findings of severity {} or above", failing.size(), path::to_string(cutoff));
  return {};
}

}  // namespace slipway::ci
