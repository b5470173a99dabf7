#pragma once
// The page's files and incoming webhooks.
#include "engine/house.h"

namespace slipway::api {

// A file of the built-in page; unknown paths give index.html, so that links into it work.
net::Response page(net::Request& request);
// /hooks/github, /hooks/gitlab, /hooks/gitea, /hooks/bitbucket: signed deliveries of a forge. A wrong signature is
// refused and counted; a replayed delivery does nothing twice.
net::Response webhook(const Ctx& ctx, engine::House& house, net::Request& request);

}  // namespace slipway::api
