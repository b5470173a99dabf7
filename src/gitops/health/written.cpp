// kinds/*.rules, embedded.
#include "gitops/health/rules.h"

asm(".section .rodata\n"
    ".balign 16\n"
    ".global slipway_health_rules_begin\n"
    ".global slipway_health_rules_end\n"
    "slipway_health_rules_begin:\n"
    ".incbin \"" SLIPWAY_HEALTH_RULES
    "/clusters.rules\"\n"
    ".incbin \"" SLIPWAY_HEALTH_RULES
    "/cloud.rules\"\n"
    ".incbin \"" SLIPWAY_HEALTH_RULES
    "/data.rules\"\n"
    ".incbin \"" SLIPWAY_HEALTH_RULES
    "/delivery.rules\"\n"
    ".incbin \"" SLIPWAY_HEALTH_RULES
    "/network.rules\"\n"
    ".incbin \"" SLIPWAY_HEALTH_RULES
    "/observe.rules\"\n"
    ".incbin \"" SLIPWAY_HEALTH_RULES
    "/workloads.rules\"\n"
    "slipway_health_rules_end:\n"
    ".previous\n");
extern "C" const char slipway_health_rules_begin[], slipway_health_rules_end[];

namespace slipway::gitops::health {

std::string_view written_rules() {
  return {slipway_health_rules_begin, static_cast<std::size_t>(slipway_health_rules_end - slipway_health_rules_begin)};
}

}  // namespace slipway::gitops::health
