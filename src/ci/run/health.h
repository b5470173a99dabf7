#pragma once
// How a service container is watched: docker's few options that say so, and the image's own check. Private to ci.
#include <string>
#include <vector>

#include "base/ctx.h"
#include "oci/image.h"

namespace slipway::ci {

struct Health {
  std::string command;  // for sh -c; "" none
  std::vector<std::string> argv;
  Millis interval{1000}, start_period{0};
  int retries = 10;
};
// Errors: invalid (a duration).
Result<Health> health_of(const std::string& options, const oci::Config& config);

}  // namespace slipway::ci
