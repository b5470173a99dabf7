#include "scan/scanner.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "path/findings.h"
#include "scan/sbom.h"
#include "scan/secrets.h"

namespace slipway::scan {
namespace {

path::Finding vulnerability(const Package& package, const AdvisoryDatabase::Match& match) {
  path::Finding f;
  f.check = "vulnerability";
  f.rule = match.advisory.canonical();
  auto rating = match.affected.severity ? match.affected.severity : match.advisory.severity;
  f.severity = rating.value_or(path::Severity::medium);
  f.place = package.place;
  f.package = package.name, f.version = package.version;
  f.fixed_in = fixed_version(match.affected, package.advisory_version());
  std::string facts = match.advisory.score ? fmt::format("CVSS {:.1f}", *match.advisory.score)
                      : rating             ? ""
                                           : "not rated, taken as medium";
  auto fix = f.fixed_in.empty() ? std::string("no fix known") : "fixed in " + f.fixed_in;
  auto ids = match.advisory.id == f.rule ? "" : " [" + match.advisory.id + "]";
  auto what = match.advisory.summary.empty() ? "a known vulnerability" : match.advisory.summary;
  f.message = fmt::format("{} {}: {} ({}{}{}){}", package.name, package.version, what, facts, facts.empty() ? "" : "; ",
                          fix, ids);
  f.fingerprint = sha256_hex(fmt::format("{}\n{}\n{}\n{}", f.rule, package.ecosystem, package.name, package.place.file))
                      .substr(0, 32);
  return f;
}

path::Finding note(std::string_view rule, std::string message) {
  path::Finding f;
  f.check = "scan", f.rule = rule, f.severity = path::Severity::info, f.message = std::move(message);
  return f;
}

class StageScanner final : public path::Scanner {
 public:
  explicit StageScanner(ScannerOptions options) : options_(std::move(options)) {}

  Result<path::ScanReport> scan_image(const Ctx& ctx, const std::string& repository,
                                      const std::string& reference) override {
    if (options_.registry == nullptr)
      return fail(Kind::invalid, "no registry here to scan {}:{} from", repository, reference);
    TRY_IN(auto image, "scan " + repository, options_.registry->image(repository, reference));
    TRY_IN(auto inventory, "scan " + repository,
           image_inventory(ctx, *options_.registry, repository, image, options_.cache));
    TRY(auto report, judge(ctx, inventory, options_.policy));
    if (options_.attach_sbom) TRY_OK(attach(repository, image, report));
    return report;
  }

  Result<path::ScanReport> scan_folder(const Ctx& ctx, const fs::path& folder) override {
    TRY_IN(auto inventory, "scan", folder_inventory(ctx, folder));
    auto policy = options_.policy;
    auto file = folder / ".slipway/policy.yaml";
    if (path_exists(file)) {
      TRY(auto text, read_file(file, 1 << 20));
      TRY(policy, parse_policy(text, ".slipway/policy.yaml"));
    }
    return judge(ctx, inventory, policy);
  }

  std::vector<path::Finding> scan_secrets(const std::vector<std::pair<std::string, std::string>>& files) override {
    std::vector<path::Finding> findings;
    for (const auto& [file, text] : files)
      for (auto& f : find_secrets(file, text)) findings.push_back(std::move(f));
    apply_policy(options_.policy, std::chrono::system_clock::now(), findings);
    return findings;
  }

 private:
  Result<path::ScanReport> judge(const Ctx& ctx, const Inventory& inventory, const Policy& policy) {
    path::ScanReport report;
    TRY(report.findings, findings_of(ctx, inventory, *options_.advisories));
    apply_policy(policy, ctx.clock->wall(), report.findings);
    report.packages = inventory.packages.size();
    report.sbom_cyclonedx = print_cyclonedx(inventory, ctx.clock->wall());
    report.sbom_spdx = print_spdx(inventory, ctx.clock->wall());
    LOG(info, "scan.done", {"target", inventory.target}, {"packages", report.packages},
        {"findings", report.findings.size()});
    return report;
  }

  // Once for each image: an SBOM that is there already says the same.
  Result<> attach(const std::string& repository, const oci::Registry::Image& image, const path::ScanReport& report) {
    TRY(auto present, options_.registry->referrers(repository, image.digest, cyclonedx_media_type));
    if (!present.empty()) return {};
    TRY_IN(auto attached, "attach the SBOM",
           options_.registry->attach(repository, image.digest, cyclonedx_media_type, cyclonedx_media_type,
                                     report.sbom_cyclonedx));
    LOG(debug, "scan.sbom.attached", {"image", image.digest.str()}, {"sbom", attached.digest.str()});
    return {};
  }

  ScannerOptions options_;
};

}  // namespace

Result<std::vector<path::Finding>> findings_of(const Ctx& ctx, const Inventory& inventory,
                                               const AdvisoryDatabase& database) {
  auto findings = inventory.findings;
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  for (const auto& package : inventory.packages) {
    TRY_OK(ctx.alive());
    TRY(auto matches, database.match(package));
    for (const auto& match : matches) {
      auto f = vulnerability(package, match);
      // Several binary packages of one source: one finding a package; the same one in several files: the first.
      if (seen.emplace(f.rule, package.name, package.version).second) findings.push_back(std::move(f));
    }
  }
  TRY(auto status, database.status());
  if (status.records == 0 && !inventory.packages.empty())
    findings.push_back(
        note("advisories-built-in",
             fmt::format("only the {} built-in advisories were used; import a full set with: slipway db import PATH",
                         status.built_in)));
  bool system = std::any_of(inventory.packages.begin(), inventory.packages.end(),
                            [](const Package& p) { return p.ecosystem == "Debian" || p.ecosystem == "Alpine"; });
  if (system)
    findings.push_back(
        note("distribution-unknown",
             "the release of this image's distribution is not known: advisories of every release were compared"));
  return findings;
}

Result<std::unique_ptr<path::Scanner>> make_scanner(ScannerOptions options) {
  if (!options.advisories) {
    TRY(options.advisories, AdvisoryDatabase::open(options.database));
  }
  return std::make_unique<StageScanner>(std::move(options));
}

}  // namespace slipway::scan
