#pragma once
// /tests/REPOSITORY: the history of its tests, as the page and `slipway tests` show it.
#include "engine/house.h"
#include "net/server.h"

namespace slipway::api {

// {"repository", "tests": [{job, suite, name, flaky, flips, why, strip: [{outcome, commit, run, attempt, job, at,
// millis}]}]}; ?flaky=1 only the unsteady ones. Threads: any.
net::Handler test_routes(engine::House& house);

}  // namespace slipway::api
