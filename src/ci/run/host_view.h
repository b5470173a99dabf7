#pragma once
// The host as a step without an image sees it: its programs and libraries, copy on write, without people's files.
#include "box/box.h"

namespace slipway::ci {

// Fills in what the container is rooted on; `hide`: what else it must not see. In a user namespace the kernel refuses
// an overlay of "/" as a whole (mounts of the outer namespace lie below it); there each folder gets its own, with its
// differences in `scratch`.
Result<> show_host(box::Spec& spec, const std::vector<fs::path>& hide, bool rootless, const fs::path& scratch);

}  // namespace slipway::ci
