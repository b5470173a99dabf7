#pragma once
// Requests as Kubernetes' protobuf: kubectl sends its typed `create` commands so.
#include <string_view>

#include "doc/value.h"

namespace slipway::cluster {

// The envelope "k8s\0" and the object in it, by the field numbers of kube/schema. Errors: invalid (broken, unknown
// kind).
Result<doc::Value> decode_protobuf(std::string_view bytes);

}  // namespace slipway::cluster
