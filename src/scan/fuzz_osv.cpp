// An OSV record out of nowhere: parsed or refused, and evaluated without end or crash.
#include "doc/json.h"
#include "scan/advisories.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto value = doc::parse_json({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  auto advisory = scan::parse_osv(doc::View(*value));
  if (!advisory) return 0;
  SLP_ASSERT(!advisory->id.empty());
  for (const auto& affected : advisory->affected) {
    (void)scan::is_affected(affected, "1.2.3");
    (void)scan::fixed_version(affected, "1.2.3");
    (void)scan::lookup_key(affected.ecosystem, affected.name);
  }
  return 0;
}
