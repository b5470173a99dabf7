#pragma once
// Several watches on one connection: a browser opens no more than six to a host, and the page looks at more kinds.
#include "net/server.h"

namespace slipway::api {

// GET /watch?of=PATH%3FQUERY&of=...: each `of` is a watch of the Kubernetes API as it would be asked for alone. Gives
// lines: {"of":0,"event":{...}}, and {"of":0,"end":410,"message":"..."} when one of them is over (200: just over). Who
// may not watch one of them is told so for that one. At most 64.
net::Handler joined_watches(net::Handler kubernetes);

}  // namespace slipway::api
