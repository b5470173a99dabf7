// Rules that can be read can be asked.
#include "oci/registry_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::oci;
  auto rules = parse_registry_rules({reinterpret_cast<const char*>(data), size}, "settings");
  if (!rules) return 0;
  (void)rules->may({"ann", {"builders"}}, "shop/web", "push");
  (void)rules->is_immutable("shop/web", "v1");
  (void)rules->quota("shop/web");
  (void)rules->keep_of("shop/web");
  for (const auto& up : rules->upstreams) SLP_ASSERT(rules->upstream_by_host(up.host) != nullptr);
  return 0;
}
