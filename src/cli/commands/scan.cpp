// scan: an image or a folder to findings and bills of materials.
#include <algorithm>

#include "cli/command.h"
#include "cli/findings.h"
#include "cli/local_store.h"
#include "path/findings.h"
#include "scan/scanner.h"

namespace slipway::cli {
namespace {

// Findings of known vulnerabilities from this severity on fail, whatever the policy file says.
Result<> fail_on(const std::string& level, std::vector<path::Finding>& findings) {
  auto severity = path::parse_severity(level);
  bool known = level == "none" || (severity && *severity <= path::Severity::critical);
  if (!known) return fail(Kind::invalid, "--fail-on \"{}\": want none, low, medium, high or critical", level);
  for (auto& finding : findings)
    if (finding.check == "vulnerability")
      finding.fails = level != "none" && finding.severity <= path::Severity::critical && finding.severity >= *severity;
  return {};
}

Result<path::ScanReport> scan_image(const Ctx& ctx, const Arguments& arguments, const std::string& text,
                                    const fs::path& database) {
  TRY(auto store, LocalStore::open(arguments));
  auto here = find_here(*store, text);
  if (!here && here.error().is(Kind::not_found)) {
    TRY(auto name, image_name(*store, text));
    if (name.bare)
      return Fail(Error(Kind::not_found,
                        fmt::format("{}: neither a folder nor an image of the store of {}", text, store->data.native()))
                      .with_hint("slipway image ls shows what is there; slipway image pull brings others"));
    if (name.ours) return Fail(here.error());
    TRY_OK(store->remote->pull(ctx, name.remote, *store->registry));
    here = find_here(*store, text);
  }
  if (!here) return Fail(std::move(here).error());
  auto cache = store->data / "cli/inventory";
  TRY_OK(make_dirs(cache, 0700));
  TRY(auto scanner,
      scan::make_scanner(
          {.registry = store->registry.get(), .database = database, .cache = cache, .attach_sbom = false}));
  return scanner->scan_image(ctx, here->repository, here->which());
}

Result<int> scan_target(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto format = arguments.get("format");
  static const std::vector<std::string> formats{"table", "json", "sarif", "cyclonedx", "spdx"};
  if (std::find(formats.begin(), formats.end(), format) == formats.end())
    return fail(Kind::invalid, "--format \"{}\": want table, json, sarif, cyclonedx or spdx", format);
  auto target = arguments.get("target");
  auto database = data_dir(arguments) / "advisories.db";
  if (!path_exists(database)) database.clear();
  path::ScanReport report;
  if (fs::is_directory(target)) {
    TRY(auto scanner, scan::make_scanner({.database = database}));
    TRY(report, scanner->scan_folder(ctx, target));
  } else {
    TRY(report, scan_image(ctx, arguments, target, database));
  }
  if (format == "cyclonedx" || format == "spdx") {
    io.line(format == "spdx" ? report.sbom_spdx : report.sbom_cyclonedx);
    return 0;
  }
  if (arguments.has("fail-on")) TRY_OK(fail_on(arguments.get("fail-on"), report.findings));
  io.note(fmt::format("{} packages, {} findings", report.packages, report.findings.size()));
  return show(io, std::move(report.findings), format);
}

}  // namespace

std::vector<Command> scan_commands() {
  return {{"scan",
           "known vulnerabilities and secrets of an image or a folder; its bill of materials",
           "slipway scan shop/web:1 --fail-on high",
           {{"--format", "table, json, sarif, cyclonedx, spdx", false, false, "table"},
            {"--fail-on", "none, low, medium, high or critical, instead of the policy's"},
            {"--data", "data directory, for images and imported advisories"}},
           {{"target", "image or folder"}},
           scan_target}};
}

}  // namespace slipway::cli
