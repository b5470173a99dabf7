#pragma once
// Taking finalizers off an object: what they held it for is done.
#include <functional>

#include "kube/client.h"

namespace slipway::kube {

bool has_finalizer(const Object& object, const std::function<bool(std::string_view)>& which);
// Gives the object without those that `which` names; nothing when it is gone. Writes nothing when it has none of them.
Result<std::optional<Object>> drop_finalizers(const Ctx& ctx, Client& client, const Type& type, const Key& key,
                                              const std::function<bool(std::string_view)>& which);

}  // namespace slipway::kube
