// kinds.actions, embedded.
#include "gitops/actions/table.h"

asm(".section .rodata\n"
    ".balign 16\n"
    ".global slipway_actions_begin\n"
    ".global slipway_actions_end\n"
    "slipway_actions_begin:\n"
    ".incbin \"" SLIPWAY_ACTIONS
    "\"\n"
    "slipway_actions_end:\n"
    ".previous\n");
extern "C" const char slipway_actions_begin[], slipway_actions_end[];

namespace slipway::gitops::actions {

std::string_view written_actions() {
  return {slipway_actions_begin, static_cast<std::size_t>(slipway_actions_end - slipway_actions_begin)};
}

}  // namespace slipway::gitops::actions
