#pragma once
// AppProject.spec.roles: what members of a group may do with a project's Applications. Policies as Argo CD writes them:
//   p, proj:shop:release, applications, sync, shop/*, allow
#include <span>
#include <string>
#include <vector>

#include "kube/object.h"

namespace slipway::gitops {

struct RoleQuestion {
  std::string resource;  // applications, applicationsets
  std::string action;    // get create update delete sync override action/<group>/<kind>/<name>
  std::string object;    // <project>/<name>, outside of the home namespace <project>/<namespace>/<name>
};

// Whether a role of the project that one of the groups belongs to allows it, and none of these roles denies it. Who is
// in the group "proj:<project>:<role>" has the role, too: a name for tokens that are given to a pipeline.
bool role_allows(const kube::Object& project, std::span<const std::string> groups, const RoleQuestion& question);

// Whether one of the groups has any role of the project.
bool has_any_role(const kube::Object& project, std::span<const std::string> groups);

// Errors: invalid, naming the field, for a policy that means nothing.
Result<> check_roles(const kube::Object& project);

// <project>/<name> of an Application, or of an ApplicationSet by its template's project.
std::string role_object(const kube::Object& application);

}  // namespace slipway::gitops
