#pragma once
// The texts of src/scan/seed/*.json, each a list of OSV records.
#include <span>
#include <string_view>

namespace slipway::scan::detail {

std::span<const std::string_view> seed_files();

}  // namespace slipway::scan::detail
