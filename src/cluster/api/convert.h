#pragma once
// One object as another version of its kind.
#include "doc/value.h"
#include "kube/object.h"

namespace slipway::cluster {

// Custom kinds change their apiVersion only; HorizontalPodAutoscaler (autoscaling v1, v2) and Event (core,
// events.k8s.io) are rewritten.
doc::Value convert(doc::Value object, const kube::Type& to);

}  // namespace slipway::cluster
