#pragma once
// Version ranges as setup actions take them: "20", "20.x", "^1.21", ">=18 <21 || 22", "lts/*".
#include <array>
#include <optional>
#include <string_view>

namespace slipway::ci {

using Version = std::array<long, 3>;
// The first number of the form 1.2.3, 1.2 or 1 in a text ("v20.11.0", "go1.22.1", `openjdk version "17.0.9"`).
std::optional<Version> find_version(std::string_view text);
// Unknown words (latest, lts/*, stable, current, x) take any version. False also for ranges that make no sense.
bool satisfies(const Version& version, std::string_view range);

}  // namespace slipway::ci
