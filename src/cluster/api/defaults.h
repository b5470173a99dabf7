#pragma once
// What Kubernetes fills in when an object leaves it out. Rule: kubernetes/pkg/apis/*/v1/defaults.go.
#include "cluster/api/kinds.h"
#include "cluster/api/status.h"

namespace slipway::cluster {

// Of built-in kinds, in their stored version.
void fill_in(const KindInfo& kind, doc::Value& object);
// What must hold beyond types: names, labels, selectors, what may not change. Empty: all is well.
std::vector<Cause> validate(const KindInfo& kind, const doc::Value& object, const kube::Object& before);

}  // namespace slipway::cluster
