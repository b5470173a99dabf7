// The bytes of shim/shim.cpp as built, so that slipway stays one file.
#include <string_view>

asm(".section .rodata\n"
    ".balign 16\n"
    ".global slipway_box_shim_begin\n"
    ".global slipway_box_shim_end\n"
    "slipway_box_shim_begin:\n"
    ".incbin \"" SLIPWAY_BOX_SHIM
    "\"\n"
    "slipway_box_shim_end:\n"
    ".previous\n");
extern "C" const char slipway_box_shim_begin[], slipway_box_shim_end[];

namespace slipway::box {
std::string_view shim_bytes();
std::string_view shim_bytes() {
  return {slipway_box_shim_begin, static_cast<std::size_t>(slipway_box_shim_end - slipway_box_shim_begin)};
}
}  // namespace slipway::box
