#include "cli/findings.h"

#include "path/findings.h"

namespace slipway::cli {

int show(Io& io, std::vector<path::Finding> findings, std::string_view format) {
  path::sort_findings(findings);
  bool fails = false;
  for (const auto& finding : findings) fails = fails || finding.fails || path::level_of(finding) == "error";
  if (format == "sarif")
    io.print(path::print_sarif(findings, SLIPWAY_VERSION));
  else if (io.json() || format == "json")
    io.print(path::print_jsonl(findings));
  else
    io.print(path::print_text(findings));
  return fails ? 1 : 0;
}

}  // namespace slipway::cli
