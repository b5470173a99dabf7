#pragma once
// The page's files.
#include "net/server.h"

namespace slipway::api {

// A file of the built-in page; unknown paths give index.html, so that links into it work.
net::Response page(net::Request& request);

}  // namespace slipway::api
