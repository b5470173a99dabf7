#pragma once
// The page's files, as they were built.
#include <optional>
#include <string_view>

namespace slipway::web {

struct Asset {
  std::string_view path, content, type;  // "/index.html", bytes, media type
};
std::optional<Asset> asset(std::string_view path);

}  // namespace slipway::web
