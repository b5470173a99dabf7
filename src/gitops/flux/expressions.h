#pragma once
// What a Kustomization says in CEL: how objects of a kind do (spec.healthCheckExprs), and when what it depends on is
// ready (spec.dependsOn[].readyExpr). Rules: Flux's RFC 0009, kustomize-controller's check of dependencies.
#include "gitops/application.h"

namespace slipway::gitops::flux {

// What the expressions of one Kustomization may use together in one look.
class Allowance;
std::shared_ptr<Allowance> new_allowance(std::uint64_t steps = 20'000'000);

// Asked for an object it answers by the expressions for its kind, else by those for its group: Progressing while
// status.observedGeneration is another, then inProgress, failed, current, the first that holds; Progressing when none
// does, Unknown when one cannot be evaluated. The outer nothing: no expressions are for this object. Empty when there
// are none at all. Errors: invalid, with the place.
Result<HealthRule> health_rule(doc::View spec, std::shared_ptr<Allowance> allowance);

// spec.dependsOn; an expression replaces what is asked of a Kustomization otherwise. Errors: invalid, with the place.
Result<std::vector<Dependency>> read_dependencies(const kube::Object& kustomization,
                                                  const std::shared_ptr<Allowance>& allowance);

// An error of one of the above: Flux has a reason of its own for them.
bool is_of_an_expression(const Error& error);

}  // namespace slipway::gitops::flux
