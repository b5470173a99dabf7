#pragma once
// An OCI image layout (image-spec 1.1, "image-layout"), as a folder or as a tar of one: how images travel by file.
#include "oci/registry.h"

namespace slipway::cli {

// A path that ends with .tar is written as a tar, any other as a folder, which must not be there yet or be empty.
// Errors: not_found, conflict (the place is taken), unavailable.
Result<> write_layout(const Ctx& ctx, oci::Registry& registry, std::string_view repository, std::string_view reference,
                      std::string_view name, const fs::path& to);

// Every image of the layout into the repository; the first gets the tag. What a layout says of its bytes is checked.
// Errors: invalid (no layout), corrupt (a blob is not what its name says), not_found.
Result<std::vector<oci::Descriptor>> read_layout(const Ctx& ctx, oci::Registry& registry, const fs::path& from,
                                                 std::string_view repository, std::string_view tag);

}  // namespace slipway::cli
