#pragma once
// Whether a pod fits on a node, from values alone. Private to the room.
#include "cluster/controllers/common.h"

namespace slipway::cluster {

// 0 for what is no quantity.
double parse_quantity(std::string_view text);
// "" when `pod` fits beside `others`, else the reason in the words of Kubernetes' scheduler.
std::string why_not(const kube::Object& pod, const kube::Object& node, const std::vector<kube::Object>& others);

}  // namespace slipway::cluster
