#pragma once
// How a cluster Secret's sign-in by a program is done: Argo CD's own helper for clouds is built in; another program is
// somebody's code with our rights, and runs only where whoever started us named it.
#include <set>

#include "cloud/cloud.h"
#include "kube/kubeconfig.h"

namespace slipway::gitops {

// Signs in to EKS, GKE and AKS by the workload's, machine's or user's own identity, as `argocd-k8s-auth aws|gcp|azure`
// does. Nothing: no sign-in of a program. Errors: denied (a program that may not run), invalid (its arguments).
Result<kube::SignIn> sign_in_of(const kube::Kubeconfig& config, const std::set<std::string>& programs,
                                const cloud::Place& place = cloud::Place::here());

}  // namespace slipway::gitops
