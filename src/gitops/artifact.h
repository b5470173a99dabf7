#pragma once
// OCI artifacts as Git trees: what reads repositories reads them too, and what did not change has the same ids.
#include "gitops/source.h"
#include "oci/remote.h"

namespace slipway::gitops {

// Fetches the artifact unless it is here, and writes its files as a commit into the bare repository `folder` (made when
// it is not there). Which commit belongs to which digest is kept as a ref. `repository` of the result is the request's
// URL. Errors: invalid (reference, no such layer, too large), not_found, denied, unavailable.
Result<Artifact> import_artifact(const Ctx& ctx, const ArtifactRequest& request, const oci::RemoteOptions& options,
                                 const fs::path& folder);

}  // namespace slipway::gitops
