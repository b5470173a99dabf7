#pragma once
// An image's files: all layers laid over each other, as a folder or a tar.
#include "oci/layer.h"
#include "oci/registry.h"

namespace slipway::oci {

// Into a folder that may hold other things already. Of an index, each image into a folder of its own named after its
// platform (linux_amd64). Errors: not_found, invalid, corrupt.
Result<> export_folder(const Ctx& ctx, const Registry& registry, std::string_view repository, const Digest& digest,
                       const fs::path& to);
// The same as one tar, reproducible; "-" is standard output.
Result<> export_tar(const Ctx& ctx, const Registry& registry, std::string_view repository, const Digest& digest,
                    const fs::path& to);

// Makes the manifests that an index names known in another repository of the same registry.
Result<> copy_within(Registry& registry, std::string_view from, const StoredManifest& stored, std::string_view to);

}  // namespace slipway::oci
