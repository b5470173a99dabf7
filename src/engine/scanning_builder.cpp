#include "engine/scanning_builder.h"

namespace slipway::engine {

Result<path::BuildResult> ScanningBuilder::build(const Ctx& ctx, const path::BuildRequest& request,
                                                 const path::LogSink& log) {
  TRY(auto built, builder_.build(ctx, request, log));
  {
    auto commands = commands_.lock();
    commands->insert(commands->end(), built.commands.begin(), built.commands.end());
  }
  TRY_IN(auto report, "scan", scanner_.scan_image(ctx, request.image, built.digest.str()));
  std::string stopped;
  for (const auto& finding : report.findings) {
    auto text = fmt::format("{}: {}: {}{}", finding.place.print(), finding.rule, finding.message,
                            finding.fixed_in.empty() ? "" : ", fixed in " + finding.fixed_in);
    log(finding.fails ? 2 : 1, fmt::format("scan: {} {}\n", to_string(finding.severity), text));
    if (finding.fails) stopped += (stopped.empty() ? "" : "; ") + text;
  }
  log(1, fmt::format("scan: {} packages, {} findings\n", report.packages, report.findings.size()));
  if (!stopped.empty())
    return Fail(Error(Kind::denied, "the scan stops this image: " + stopped)
                    .with_hint("update the package, or add an exception with a reason to .slipway/policy.yaml"));
  TRY_OK_IN("sign the image", endorse_(ctx, request, built.digest));
  return built;
}

}  // namespace slipway::engine
