#include "web/assets.h"

#include <vector>

#define ASSET(n, name) extern "C" const char slipway_asset_##n[], slipway_asset_##n##_end[];
#include "assets.inc"
#undef ASSET

namespace slipway::web {
namespace {

// Unused where the page was not built.
[[maybe_unused]] std::string_view type_of(std::string_view path) {
  if (path.ends_with(".html")) return "text/html; charset=utf-8";
  if (path.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (path.ends_with(".css")) return "text/css; charset=utf-8";
  if (path.ends_with(".svg")) return "image/svg+xml";
  if (path.ends_with(".json")) return "application/json";
  if (path.ends_with(".woff2")) return "font/woff2";
  if (path.ends_with(".png")) return "image/png";
  return "application/octet-stream";
}

}  // namespace

std::optional<Asset> asset(std::string_view path) {
  static const std::vector<Asset> table{
#define ASSET(n, name)                                                                                               \
  {name, std::string_view(slipway_asset_##n, static_cast<std::size_t>(slipway_asset_##n##_end - slipway_asset_##n)), \
   type_of(name)},
#include "assets.inc"
#undef ASSET
  };
  for (const auto& entry : table)
    if (entry.path == path) return entry;
  return std::nullopt;
}

}  // namespace slipway::web
