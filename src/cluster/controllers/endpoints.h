#pragma once
// What a Service's endpoints are, from values alone. Private to the room.
#include "cluster/controllers/common.h"

namespace slipway::cluster {

// The EndpointSlices that `service` must have for these pods, by name, at most 100 endpoints each; pods whose named
// ports resolve alike share slices. Names depend on the ports and a number only, so that a slice is updated in place.
std::map<std::string, doc::Value> make_slices(const kube::Object& service, std::vector<kube::Object> pods);
// The older Endpoints object.
doc::Value make_endpoints(const kube::Object& service, std::vector<kube::Object> pods);

}  // namespace slipway::cluster
