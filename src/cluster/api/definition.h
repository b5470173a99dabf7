#pragma once
#include "doc/value.h"
#include "doc/view.h"
#include "kube/object.h"

namespace slipway::cluster {

// What the server writes into a CustomResourceDefinition: default names and its status (accepted, established).
void complete_definition(doc::Value& crd, const kube::Object& before, const std::string& now);
// Guaranteed, Burstable or BestEffort. Rule: kubernetes/pkg/apis/core/v1/helper/qos.
std::string qos_class(const doc::View& pod);

}  // namespace slipway::cluster
