#pragma once
// Whether this machine can run the programs of an image: by itself, or by what the kernel's binfmt_misc has.
#include "base/files.h"
#include "oci/image.h"

namespace slipway::image::detail {

// Errors: unavailable, saying what to install. `binfmt`: where binfmt_misc is mounted.
Result<> can_run(const oci::Platform& platform, const oci::Platform& host,
                 const fs::path& binfmt = "/proc/sys/fs/binfmt_misc");

}  // namespace slipway::image::detail
