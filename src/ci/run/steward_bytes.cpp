// The bytes of steward/steward.cpp as built, so that slipway stays one file.
#include <string_view>

asm(".section .rodata\n"
    ".balign 16\n"
    ".global slipway_ci_steward_begin\n"
    ".global slipway_ci_steward_end\n"
    "slipway_ci_steward_begin:\n"
    ".incbin \"" SLIPWAY_CI_STEWARD
    "\"\n"
    "slipway_ci_steward_end:\n"
    ".previous\n");
extern "C" const char slipway_ci_steward_begin[], slipway_ci_steward_end[];

namespace slipway::ci {
std::string_view steward_bytes();
std::string_view steward_bytes() {
  return {slipway_ci_steward_begin, static_cast<std::size_t>(slipway_ci_steward_end - slipway_ci_steward_begin)};
}
}  // namespace slipway::ci
