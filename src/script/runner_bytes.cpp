// The bytes of runner/ as built, so that slipway stays one file.
#include <string_view>

asm(".section .rodata\n"
    ".balign 16\n"
    ".global slipway_script_runner_begin\n"
    ".global slipway_script_runner_end\n"
    "slipway_script_runner_begin:\n"
    ".incbin \"" SLIPWAY_SCRIPT_RUNNER
    "\"\n"
    "slipway_script_runner_end:\n"
    ".previous\n");
extern "C" const char slipway_script_runner_begin[], slipway_script_runner_end[];

namespace slipway::script {
std::string_view runner_bytes();
std::string_view runner_bytes() {
  return {slipway_script_runner_begin,
          static_cast<std::size_t>(slipway_script_runner_end - slipway_script_runner_begin)};
}
}  // namespace slipway::script
