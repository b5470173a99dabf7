#pragma once
// An OCI image layout (image-spec 1.1, "image-layout"), as a folder or as a tar of one: how images travel by file.
#include "oci/registry.h"

namespace slipway::oci {

enum class LayoutForm {
  by_name,  // a path that ends with .tar is written as a tar, any other as a folder
  tar,
  docker  // a tar that `docker load` takes as well: one image, with its names
};
// A folder must not be there yet or be empty; a tar must not be there; "-" is standard output.
// Errors: not_found, conflict (the place is taken), invalid (docker's form of an index), unavailable.
Result<> write_layout(const Ctx& ctx, Registry& registry, std::string_view repository, std::string_view reference,
                      std::string_view name, const fs::path& to, LayoutForm form = LayoutForm::by_name);

// Every image of the layout into the repository; the first gets the tag. What a layout says of its bytes is checked.
// Errors: invalid (no layout), corrupt (a blob is not what its name says), not_found.
Result<std::vector<Descriptor>> read_layout(const Ctx& ctx, Registry& registry, const fs::path& from,
                                            std::string_view repository, std::string_view tag);

}  // namespace slipway::oci
