// github/codeql-action/upload-sarif, coverage services, and actions that only mean something on GitHub.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/actions/coverage.h"
#include "ci/actions/sarif.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_sarif = 64 << 20;
constexpr int max_told = 50;

using Severity = path::Severity;

Severity severity_of(const std::string& level, const std::string& score) {
  if (auto number = to_double(score))
    return *number >= 9   ? Severity::critical
           : *number >= 7 ? Severity::high
           : *number >= 4 ? Severity::medium
                          : Severity::low;
  return level == "error" ? Severity::error : level == "note" || level == "none" ? Severity::info : Severity::warning;
}

struct Rule {
  std::string level, score, text;
};

std::map<std::string, Rule> rules_of(doc::View run, std::vector<std::string>& order) {
  std::map<std::string, Rule> out;
  for (auto rule : run["tool"]["driver"]["rules"].items()) {
    auto id = rule["id"].text();
    order.push_back(id);
    out[id] = {rule["defaultConfiguration"]["level"].text(), rule["properties"]["security-severity"].text(),
               rule["shortDescription"]["text"].text()};
  }
  return out;
}

std::string plain_path(std::string uri) {
  for (std::string_view prefix : {"file://", "./"})
    if (uri.starts_with(prefix)) uri.erase(0, prefix.size());
  return uri;
}

void results_of(doc::View run, std::vector<SarifResult>& out) {
  std::vector<std::string> order;
  auto rules = rules_of(run, order);
  for (auto result : run["results"].items()) {
    if (auto kind = result["kind"].str_or("fail"); kind == "pass" || kind == "notApplicable") continue;
    if (!result["suppressions"].items().empty()) continue;
    SarifResult one;
    auto& f = one.finding;
    f.check = run["tool"]["driver"]["name"].str_or("sarif");
    f.rule = result["ruleId"].text();
    if (f.rule.empty()) f.rule = result["rule"]["id"].text();
    auto index = result["ruleIndex"].num_or(-1);
    if (f.rule.empty() && index >= 0 && static_cast<std::size_t>(index) < order.size())
      f.rule = order[static_cast<std::size_t>(index)];
    auto& rule = rules[f.rule];
    f.severity = severity_of(result["level"].str_or(rule.level.empty() ? "warning" : rule.level), rule.score);
    f.message = result["message"]["text"].text();
    if (f.message.empty()) f.message = result["message"]["markdown"].text();
    if (f.message.empty()) f.message = rule.text;
    auto places = result["locations"].items();
    if (!places.empty()) {
      auto physical = places[0]["physicalLocation"];
      auto number = [&](const char* key) {
        return static_cast<int>(std::clamp<std::int64_t>(physical["region"][key].num_or(0), 0, 1 << 30));
      };
      f.place = {plain_path(physical["artifactLocation"]["uri"].text()), number("startLine"), number("startColumn")};
      one.end_line = number("endLine");
    }
    auto prints = result["partialFingerprints"].members();
    if (!prints.empty()) f.fingerprint = prints[0].second.text();
    out.push_back(std::move(one));
  }
}

Annotation::Level level_of(Severity severity) {
  return severity == Severity::critical || severity == Severity::high || severity == Severity::error
             ? Annotation::Level::error
         : severity == Severity::medium || severity == Severity::warning ? Annotation::Level::warning
                                                                         : Annotation::Level::notice;
}

void notice(ActionUse& use, std::string message) {
  use.job.annotate(use.step, {.level = Annotation::Level::notice, .title = use.uses, .message = std::move(message)});
}

Result<std::vector<std::string>> sarif_files(const Ctx& ctx, ActionUse& use) {
  auto given = use.input("sarif_file", "../results");
  TRY(auto relative, use.job.relative_of(given));
  relative = fs::path(relative).lexically_normal().string();
  if (use.job.folder().has_file(relative)) return std::vector{relative};
  if (!use.job.folder().has_folder(relative))
    return Fail(Error(Kind::not_found, fmt::format("Path does not exist: {}", given))
                    .with_hint("did the step that writes it run, and write there?"));
  TRY(auto matched, match_files(ctx, use.job, {use.job.inside(relative) + "/**/*.sarif"}, true));
  if (matched.files.empty()) return fail(Kind::not_found, "No SARIF files found to upload in \"{}\".", given);
  return std::move(matched.files);
}

}  // namespace

Result<std::vector<SarifResult>> parse_sarif(std::string_view text, std::string_view source) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  TRY(auto document, doc::parse_json(text, source));
  doc::View view(document, source);
  if (!view["runs"].exists() || !view["runs"].value().is_list())
    return view["runs"].wrong("want a list of runs (SARIF 2.1.0)");
  std::vector<SarifResult> out;
  for (auto run : view["runs"].items()) results_of(run, out);
  return out;
}

Result<> upload_sarif(const Ctx& ctx, ActionUse& use) {
  TRY(auto files, sarif_files(ctx, use));
  std::size_t count = 0;
  int told = 0;
  auto workspace = use.job.inside(use.job.folder().workspace()) + "/";
  for (auto& file : files) {
    TRY(auto text, use.job.folder().read(file, max_sarif));
    TRY(auto results, parse_sarif(text, fs::path(file).filename().string()));
    for (auto& [finding, end_line] : results) {
      if (finding.place.file.starts_with(workspace)) finding.place.file.erase(0, workspace.size());
      if (auto category = use.input("category"); !category.empty()) finding.check = category;
      if (++told <= max_told) {
        Annotation a;
        a.level = level_of(finding.severity), a.place = finding.place, a.end_line = end_line;
        a.title = finding.rule, a.message = finding.message;
        use.job.annotate(use.step, std::move(a));
      }
      use.job.result().findings.push_back(std::move(finding));
    }
    count += results.size();
  }
  use.say(fmt::format("{} results of {} file(s) are findings of this run", count, files.size()));
  use.output("sarif-id", fmt::format("{}-{}", use.job.options().run_id, use.step.id));
  return {};
}

Result<> harden_runner(const Ctx&, ActionUse& use) {
  auto policy = use.input("egress-policy", "block");
  notice(use, fmt::format("egress-policy {}: connections are neither watched nor blocked here. {}", policy,
                          use.job.isolated()
                              ? "The job runs in a container of its own: the host's files are a throw-away view "
                                "without its secrets, memory and processes are limited, all ends with the job."
                              : "This runner does not isolate jobs."));
  return {};
}

namespace {

constexpr std::size_t max_coverage = 64 << 20;

std::vector<std::string> coverage_inputs(ActionUse& use) {
  std::vector<std::string> out;
  for (auto* input : {"files", "file", "path-to-lcov"}) {
    auto text = use.input(input);
    for (char& c : text)
      if (c == ',' || c == '\n') c = ' ';
    for (auto word : split(text, ' '))
      if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

// Where reports usually are, when nobody says.
std::vector<std::string> coverage_places(ActionUse& use) {
  if (lower(use.uses).starts_with("coverallsapp/")) return {"coverage/lcov.info"};
  if (use.flag("disable_search", false)) return {};
  auto below = use.input("directory", ".");
  std::vector<std::string> out;
  for (auto* name : {"lcov.info", "*.lcov", "coverage.xml", "cobertura*.xml", "jacoco*.xml", "clover.xml",
                     "coverage.out", "cover.out", "coverage.txt"})
    out.push_back(fmt::format("{}/**/{}", below, name));
  return out;
}

}  // namespace

// What such a service would show: here in the job's summary and its result.
Result<> coverage_report(const Ctx& ctx, ActionUse& use) {
  bool coveralls = lower(use.uses).starts_with("coverallsapp/");
  bool strict = coveralls ? use.flag("fail-on-error", true) : use.flag("fail_ci_if_error", false);
  auto given = coverage_inputs(use);
  CoverageReport all;
  std::size_t read = 0;
  for (auto& file : given.empty() ? coverage_places(use) : given) {
    TRY(auto matched, match_files(ctx, use.job, {file}, true));
    if (matched.files.empty() && !given.empty()) {
      auto text = fmt::format("coverage report {}: no such file", file);
      if (strict)
        return Fail(Error(Kind::not_found, text).with_hint("did the tests run with coverage, and write there?"));
      use.say("##[warning]" + text);
    }
    for (auto& one : matched.files) {
      TRY(auto text, use.job.folder().read(one, max_coverage));
      auto report = parse_coverage(text, fs::path(one).lexically_relative(use.job.folder().workspace()).string());
      if (!report && strict) return Fail(std::move(report).error());
      if (!report) use.say("##[warning]" + report.error().what());
      if (report) all.add(*report), ++read;
    }
  }
  if (read == 0 && strict && given.empty())
    return Fail(Error(Kind::not_found, "no coverage report was found").with_hint("say where it is: files: PATH"));
  if (read > 0) {
    auto sum = all.all();
    use.say(fmt::format("Coverage: {:.2f} % ({} of {} lines, {} files)", sum.percent(), sum.covered, sum.total,
                        all.files.size()));
    use.job.result().summary += use.job.shared().redaction.redact(all.print());
    if (!use.job.result().coverage) use.job.result().coverage = sum.percent();
  }
  notice(use, fmt::format("{} reports to a service that is not connected here: nothing is sent{}", use.uses,
                          read > 0 ? ", coverage is in the summary of this job" : ""));
  return {};
}

// Actions about issues, or of GitHub's own analysis: accepted, and said so.
Result<> not_here(const Ctx&, ActionUse& use) {
  auto name = lower(use.uses);
  if (name.starts_with("github/codeql-action/")) {
    notice(use,
           fmt::format("{} has no effect off GitHub: CodeQL is not run. Findings of other checkers come in by "
                       "github/codeql-action/upload-sarif; images and folders are scanned by aquasecurity/trivy-action",
                       use.uses));
    return {};
  }
  for (auto* output : {"staled-issues-prs", "closed-issues-prs"})
    if (name == "actions/stale") use.output(output, "[]");
  for (auto* output : {"new-labels", "all-labels"})
    if (name == "actions/labeler") use.output(output, "");
  for (auto* output : {"issues", "prs"})
    if (name == "dessant/lock-threads") use.output(output, "[]");
  notice(use, fmt::format("{} has no effect off GitHub: {}", use.uses,
                          name.starts_with("ossf/") ? "it rates the repository's settings there"
                                                    : "it works on GitHub's issues and pull requests"));
  return {};
}

}  // namespace slipway::ci
