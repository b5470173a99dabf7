#pragma once
// Bills of materials. Deterministic: the same inventory and time give the same bytes.
#include <string>

#include "base/time.h"
#include "scan/inventory.h"

namespace slipway::scan {

inline constexpr std::string_view cyclonedx_media_type = "application/vnd.cyclonedx+json";
inline constexpr std::string_view spdx_media_type = "application/spdx+json";

std::string print_cyclonedx(const Inventory& inventory, WallTime created);  // 1.5 JSON
std::string print_spdx(const Inventory& inventory, WallTime created);       // 2.3 JSON

}  // namespace slipway::scan
