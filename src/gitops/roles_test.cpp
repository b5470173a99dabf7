#include "gitops/roles.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "doc/yaml.h"

namespace slipway::gitops {
namespace {

kube::Object project(std::string_view roles) {
  return kube::Object(
      must(doc::parse_yaml(fmt::format("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: shop, "
                                       "namespace: argocd}}\nspec:\n  roles:\n{}",
                                       roles))));
}

constexpr std::string_view roles = R"(  - name: release
    groups: [releasers]
    policies:
    - p, proj:shop:release, applications, sync, shop/*, allow
    - p, proj:shop:release, applications, get, shop/*, allow
    - p, proj:shop:release, applications, action/apps/Deployment/*, shop/web, allow
    - p, proj:shop:release, applications, sync, shop/vault, deny
  - name: read
    policies: ["p, proj:shop:read, *, get, shop/*, allow"]
)";

struct RoleCase {
  const char* name;
  const char* group;
  RoleQuestion question;
  bool allowed;
};
class Roles : public testing::TestWithParam<RoleCase> {};
TEST_P(Roles, Table) {
  std::vector<std::string> groups{"people", GetParam().group};
  EXPECT_EQ(role_allows(project(roles), groups, GetParam().question), GetParam().allowed);
}
INSTANTIATE_TEST_SUITE_P(
    Projects, Roles,
    testing::ValuesIn(std::to_array<RoleCase>({
        {"AMemberMay", "releasers", {"applications", "sync", "shop/web"}, true},
        {"NobodyElse", "others", {"applications", "sync", "shop/web"}, false},
        {"ADenialCounts", "releasers", {"applications", "sync", "shop/vault"}, false},
        {"OnlyWhatIsNamed", "releasers", {"applications", "delete", "shop/web"}, false},
        {"OnlyItsProject", "releasers", {"applications", "sync", "other/web"}, false},
        {"InOtherNamespaces", "releasers", {"applications", "sync", "shop/team-a/web"}, true},
        {"AnAction", "releasers", {"applications", "action/apps/Deployment/restart", "shop/web"}, true},
        {"AnActionOnAnother", "releasers", {"applications", "action/apps/Deployment/restart", "shop/api"}, false},
        {"ByTheRolesOwnName", "proj:shop:read", {"applicationsets", "get", "shop/all"}, true},
        {"ARoleWithoutGroupsHasNobody", "read", {"applications", "get", "shop/web"}, false},
    })),
    [](const auto& param) { return std::string(param.param.name); });

struct BadRole {
  const char* name;
  const char* roles;
  const char* error;
};
class BadRoles : public testing::TestWithParam<BadRole> {};
TEST_P(BadRoles, Table) {
  auto checked = check_roles(project(GetParam().roles));
  ASSERT_FALSE(checked);
  EXPECT_NE(std::string(checked.error().what()).find(GetParam().error), std::string::npos) << checked.error().what();
}
INSTANTIATE_TEST_SUITE_P(
    Projects, BadRoles,
    testing::ValuesIn(std::to_array<BadRole>({
        {"NoName", "  - {policies: []}\n", "want a name"},
        {"Twice", "  - {name: a}\n  - {name: a}\n", "a: is here twice"},
        {"NoPolicy", "  - {name: a, policies: ['allow all']}\n", "want p, proj:PROJECT:ROLE"},
        {"AnothersSubject", "  - {name: a, policies: ['p, proj:shop:b, applications, get, shop/*, allow']}\n",
         "is about proj:shop:b, want proj:shop:a"},
        {"Resource", "  - {name: a, policies: ['p, proj:shop:a, pods, get, shop/*, allow']}\n",
         "pods: no such resource"},
        {"Action", "  - {name: a, policies: ['p, proj:shop:a, applications, sing, shop/*, allow']}\n",
         "sing: no such action"},
        {"Object", "  - {name: a, policies: ['p, proj:shop:a, applications, get, other/*, allow']}\n",
         "other/*: not of this project"},
        {"Effect", "  - {name: a, policies: ['p, proj:shop:a, applications, get, shop/*, maybe']}\n",
         "want p, proj:PROJECT:ROLE"},
    })),
    [](const auto& param) { return std::string(param.param.name); });

TEST(Roles, GoodOnesPass) { must(check_roles(project(roles))); }

}  // namespace
}  // namespace slipway::gitops
