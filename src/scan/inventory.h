#pragma once
// What is installed: packages of an image's layers and of a source folder, with the secrets met on the way.
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "oci/registry.h"
#include "scan/package.h"

namespace slipway::scan {

struct Inventory {
  std::string target;  // shop/web@sha256:..., or the folder
  Distribution distribution;
  std::vector<Package> packages;        // sorted, each name and version once a place
  std::vector<path::Finding> findings;  // secrets, and what could not be read
};

struct InventoryLimits {
  std::uint64_t bytes = std::uint64_t{32} << 30;  // unpacked, of one layer
  std::uint64_t entries = 2'000'000;
  std::size_t file = 256 << 20;  // one file that is read whole
  std::size_t secret_file = 1 << 20;
};

// Streams each layer once. `cache` ("" none) keeps what a layer holds, by its diff id. Whiteouts are respected for
// packages; a secret that a later layer deletes is still in the image and still found.
// Errors: corrupt (a layer that cannot be read), cancelled, timeout, not_found (blob).
Result<Inventory> image_inventory(const Ctx& ctx, const oci::Registry& registry, const std::string& repository,
                                  const oci::Registry::Image& image, const fs::path& cache,
                                  const InventoryLimits& limits = {});
// Links are not followed; .git is passed over. Errors: not_found, cancelled, timeout.
Result<Inventory> folder_inventory(const Ctx& ctx, const fs::path& folder, const InventoryLimits& limits = {});

}  // namespace slipway::scan
