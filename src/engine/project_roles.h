#pragma once
// What roles of AppProjects let people do who have no rights of their own on Applications: asked after RBAC said no.
#include "cluster/api_server.h"

namespace slipway::engine {

struct House;

// Who acts by such a role is in this group for the request.
inline constexpr std::string_view by_project_role = "slipway:project-role";

std::optional<cluster::ApiOptions::Grant> granted_by_roles(const House& house, const cluster::ApiOptions::User& user,
                                                           const cluster::ApiOptions::Question& question);
// A write that was granted so: each part of the change wants its action. Errors: denied, naming it.
Result<> admit_by_roles(const House& house, const cluster::ApiOptions::User& user, const std::string& subresource,
                        const kube::Object& before, const doc::Value& next);

}  // namespace slipway::engine
