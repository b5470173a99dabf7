#pragma once
// Images of the embedded store as layers to run. Private to ci.
#include "ci/runner.h"

namespace slipway::ci {

struct RunnableImage {
  std::vector<fs::path> layers;
  oci::Config config;
};
// "shop/web:1", "localhost:5000/shop/web@sha256:..."; the host is dropped when it is ours. Errors: unavailable (no
// store connected), not_found with how to get it.
// Whether the host of an image name means the registry that this runner has.
bool is_own_registry(const RunnerOptions& options, std::string_view host);
// Ours first; what is elsewhere is pulled once.
Result<RunnableImage> resolve_image(const Ctx& ctx, const RunnerOptions& options, const std::string& name);

}  // namespace slipway::ci
