#pragma once
// Who may do what: Kubernetes' RBAC over the Role and Binding objects of the store.
#include "cluster/api/machinery.h"

namespace slipway::cluster {

struct Attributes {
  std::string verb, group, resource, subresource, ns, name;
  std::string path;  // instead, for what is no resource: "/version"
};
// Members of system:masters may everything. Threads: any.
bool allowed(const ObjectStore& store, const Caller& caller, const Attributes& what);
// A SubjectAccessReview with its answer.
doc::Value review_access(const ObjectStore& store, doc::Value review);
// The rules that apply to a caller in a namespace: of SelfSubjectRulesReview.
std::vector<doc::Value> rules_of(const ObjectStore& store, const Caller& caller, const std::string& ns);
// cluster-admin, admin, edit and view, as they are in every cluster.
std::vector<doc::Value> default_roles();

}  // namespace slipway::cluster
