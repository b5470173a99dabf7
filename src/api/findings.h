#pragma once
// What the scan finds in an image of the registry, for the page.
#include "engine/house.h"

namespace slipway::api {

// GET /findings/REPOSITORY?reference=TAG-OR-DIGEST, as JSON. Mounted at "/findings/".
net::Handler findings_routes(engine::House& house);

}  // namespace slipway::api
