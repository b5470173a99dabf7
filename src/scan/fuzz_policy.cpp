// A repository's own policy, and the words of advisories and distributions.
#include "scan/cvss.h"
#include "scan/package.h"
#include "scan/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto policy = scan::parse_policy(text, "policy.yaml")) {
    for (const auto& ignore : policy->ignores) SLP_ASSERT(!ignore.id.empty() && !ignore.reason.empty());
    std::vector<path::Finding> findings(1);
    findings[0].check = "vulnerability", findings[0].rule = "CVE-1", findings[0].place.file = "a/b";
    scan::apply_policy(*policy, WallTime{}, findings);
  }
  if (auto score = scan::cvss_score(text)) SLP_ASSERT(*score >= 0 && *score <= 10);
  (void)scan::severity_of_label(text);
  (void)scan::parse_os_release(text).ecosystem();
  return 0;
}
