#pragma once
// Lists as `kubectl get` prints them: columns and cells. Rule: kubernetes/pkg/printers/internalversion.
#include "cluster/api/kinds.h"

namespace slipway::cluster {

doc::List columns_of(const KindInfo& kind);
doc::List cells_of(const KindInfo& kind, const kube::Object& object);
// The values at a JSONPath as CustomResourceDefinitions use it: .a.b[*].c, ['x.y'], [?(@.type=="Ready")].
std::vector<doc::Value> json_path(const doc::Value& root, std::string_view path);

}  // namespace slipway::cluster
