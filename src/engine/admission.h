#pragma once
// What the API writes into path objects when people write them: who they are, and what their word is about. And what it
// refuses: an approval by somebody who may not give one, rules that cannot be read, a past that is rewritten.
#include "cluster/api_server.h"

namespace slipway::engine {

struct House;

// For ApiOptions::admit. Errors: invalid, denied, not_found, conflict.
Result<> admit(const Ctx& ctx, House& house, const cluster::ApiOptions::User& user, const std::string& subresource,
               const kube::Object& before, doc::Value& next);

}  // namespace slipway::engine
