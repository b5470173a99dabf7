#include "gitops/roles.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "gitops/application.h"

namespace slipway::gitops {
namespace {

struct Policy {
  std::string subject, resource, action, object;
  bool allow = false;
};

std::optional<Policy> policy_from(std::string_view text) {
  std::vector<std::string> words;
  for (auto word : split(text, ',')) words.emplace_back(trim(word));
  if (words.size() != 6 || words[0] != "p" || (words[5] != "allow" && words[5] != "deny")) return std::nullopt;
  return Policy{words[1], words[2], words[3], words[4], words[5] == "allow"};
}

std::string subject_of(const std::string& project, std::string_view role) {
  return fmt::format("proj:{}:{}", project, role);
}

// As Argo CD matches by default: '*' means any characters, '/' as well.
bool fits(std::string_view pattern, std::string_view text) {
  return pattern == "*" || glob_match(replace_all(std::string(pattern), "*", "**"), text);
}

bool has_role(const doc::View& role, const std::string& subject, std::span<const std::string> groups) {
  auto is_member = [&](std::string_view group) {
    return std::find(groups.begin(), groups.end(), group) != groups.end();
  };
  if (is_member(subject)) return true;
  auto named = role["groups"].items();
  return std::any_of(named.begin(), named.end(), [&](const doc::View& group) { return is_member(group.text()); });
}

constexpr std::array resources{"applications", "applicationsets", "repositories", "clusters", "logs", "exec"};
constexpr std::array actions{"get", "create", "update", "delete", "sync", "override"};

bool known_action(std::string_view action) {
  if (action.contains('*') || std::find(actions.begin(), actions.end(), action) != actions.end()) return true;
  return action.starts_with("action/") || action.starts_with("update/") || action.starts_with("delete/");
}

Result<> check_policy(const doc::View& at, const std::string& project, const std::string& subject) {
  auto policy = policy_from(at.text());
  if (!policy) return at.wrong("want p, proj:PROJECT:ROLE, RESOURCE, ACTION, OBJECT, allow|deny");
  if (policy->subject != subject) return at.wrong(fmt::format("is about {}, want {}", policy->subject, subject));
  if (policy->resource != "*" && std::find(resources.begin(), resources.end(), policy->resource) == resources.end())
    return at.wrong(fmt::format("{}: no such resource, want {}", policy->resource, fmt::join(resources, ", ")));
  if (!known_action(policy->action))
    return at.wrong(fmt::format("{}: no such action, want {}, action/GROUP/KIND/NAME or *", policy->action,
                                fmt::join(actions, ", ")));
  if (!policy->object.starts_with(project + "/"))
    return at.wrong(fmt::format("{}: not of this project, want {}/NAME", policy->object, project));
  return {};
}

}  // namespace

bool has_any_role(const kube::Object& project, std::span<const std::string> groups) {
  auto roles = project["spec"]["roles"].items();
  return std::any_of(roles.begin(), roles.end(), [&](const doc::View& role) {
    return has_role(role, subject_of(project.name(), role["name"].text()), groups);
  });
}

bool role_allows(const kube::Object& project, std::span<const std::string> groups, const RoleQuestion& question) {
  bool allowed = false;
  auto name = project.name();
  if (!question.object.starts_with(name + "/")) return false;
  for (const auto& role : project["spec"]["roles"].items()) {
    auto subject = subject_of(name, role["name"].text());
    if (!has_role(role, subject, groups)) continue;
    for (const auto& line : role["policies"].items()) {
      auto policy = policy_from(line.text());
      if (!policy || policy->subject != subject || !fits(policy->resource, question.resource) ||
          !fits(policy->action, question.action) || !fits(policy->object, question.object))
        continue;
      if (!policy->allow) return false;
      allowed = true;
    }
  }
  return allowed;
}

Result<> check_roles(const kube::Object& project) {
  std::vector<std::string> names;
  for (const auto& role : project["spec"]["roles"].items()) {
    auto name = role["name"].text();
    if (name.empty()) return role["name"].wrong("want a name");
    if (std::find(names.begin(), names.end(), name) != names.end())
      return role["name"].wrong(fmt::format("{}: is here twice", name));
    names.push_back(name);
    for (const auto& line : role["policies"].items())
      TRY_OK(check_policy(line, project.name(), subject_of(project.name(), name)));
  }
  return {};
}

std::string role_object(const kube::Object& application) {
  auto spec = application["spec"];
  if (application.kind() == "ApplicationSet") spec = spec["template"]["spec"];
  auto project = spec["project"].str_or("default");
  return application.ns() == home_namespace ? fmt::format("{}/{}", project, application.name())
                                            : fmt::format("{}/{}/{}", project, application.ns(), application.name());
}

}  // namespace slipway::gitops
