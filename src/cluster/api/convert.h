#pragma once
// One object as another version of its kind.
#include "doc/value.h"
#include "kube/object.h"

namespace slipway::cluster {

// Custom kinds change their apiVersion only; HorizontalPodAutoscaler (autoscaling v1, v2) and Event (core,
// events.k8s.io) are rewritten.
doc::Value convert(doc::Value object, const kube::Type& to);
// A HorizontalPodAutoscaler of the other version, but for its apiVersion.
void autoscaler_to_v1(doc::Value& object);
void autoscaler_to_v2(doc::Value& object);

}  // namespace slipway::cluster
