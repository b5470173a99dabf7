#include "engine/project_roles.h"

#include <algorithm>

#include "engine/house.h"
#include "engine/recorder.h"
#include "gitops/application.h"
#include "gitops/roles.h"

namespace slipway::engine {
namespace {

const kube::Type project_type{"argoproj.io/v1alpha1", "AppProject"};

std::string resource_of(std::string_view kind) {
  return kind == "ApplicationSet" ? "applicationsets" : kind == "Application" ? "applications" : "";
}

std::optional<kube::Object> project_of(const House& house, const std::string& name) {
  auto found = house.client->get(Ctx{}.within(Millis(5000)), project_type, {std::string(gitops::home_namespace), name});
  return found ? *std::move(found) : std::nullopt;
}

bool may(const House& house, const cluster::ApiOptions::User& user, const std::string& action,
         const kube::Object& object) {
  auto text = gitops::role_object(object);
  auto project = project_of(house, text.substr(0, text.find('/')));
  return project && gitops::role_allows(*project, user.groups, {resource_of(object.kind()), action, text});
}

bool may_any(const House& house, const cluster::ApiOptions::User& user, std::initializer_list<const char*> actions,
             const kube::Object& object) {
  return std::any_of(actions.begin(), actions.end(), [&](auto action) { return may(house, user, action, object); });
}

// In some project at all: a list shows what each of them lets him see, a new object says itself where it belongs.
bool has_role_somewhere(const House& house, const cluster::ApiOptions::User& user) {
  return has_any(Ctx{}.within(Millis(5000)), *house.client, project_type, {.ns = std::string(gitops::home_namespace)},
                 [&](const kube::Object& project) { return gitops::has_any_role(project, user.groups); });
}

// Without what the server itself keeps, and what asks for another look.
doc::Value compared(const doc::Value& object) {
  auto value = object;
  auto& metadata = value["metadata"].map();
  for (auto name : {"managedFields", "resourceVersion", "generation"}) metadata.erase(name);
  if (auto* annotations = metadata.find("annotations"); annotations != nullptr && annotations->is_map()) {
    annotations->if_map()->erase("argocd.argoproj.io/refresh");
    if (annotations->if_map()->empty()) metadata.erase("annotations");
  }
  value.map().erase("operation");
  return value;
}

}  // namespace

std::optional<cluster::ApiOptions::Grant> granted_by_roles(const House& house, const cluster::ApiOptions::User& user,
                                                           const cluster::ApiOptions::Question& question) {
  const auto& verb = question.verb;
  bool sets = question.resource == "applicationsets", reads = verb == "get" || verb == "list" || verb == "watch";
  if (question.group != "argoproj.io" || (!sets && question.resource != "applications")) return std::nullopt;
  if (question.subresource == "status" && !reads) return std::nullopt;
  cluster::ApiOptions::Grant grant{std::string(by_project_role), {}};
  auto if_so = [&](bool granted) { return granted ? std::optional(grant) : std::nullopt; };
  if (verb == "list" || verb == "watch") {
    grant.visible = [&house, user](const kube::Object& object) { return may(house, user, "get", object); };
    return if_so(has_role_somewhere(house, user));
  }
  if (verb == "create") return if_so(question.name.empty() && has_role_somewhere(house, user));
  kube::Type type{"argoproj.io/v1alpha1", sets ? "ApplicationSet" : "Application"};
  auto there = house.client->get(Ctx{}.within(Millis(5000)), type, {question.ns, question.name});
  if (question.name.empty() || !there || !*there) return std::nullopt;
  // Which of them a change takes is known when it is: admit_by_roles.
  if (verb == "update" || verb == "patch")
    return if_so(may_any(house, user, {"update", "sync", "override", "get"}, **there));
  return if_so((verb == "get" || verb == "delete") && may(house, user, verb, **there));
}

Result<> admit_by_roles(const House& house, const cluster::ApiOptions::User& user, const std::string& subresource,
                        const kube::Object& before, const doc::Value& next) {
  kube::Object after{doc::Value(next)};
  auto need = [&](const std::string& action, const kube::Object& object) -> Result<> {
    if (may(house, user, action, object)) return {};
    return fail(Kind::denied, "no role of the project allows {} to {} {}", user.name, action,
                gitops::role_object(object));
  };
  if (!subresource.empty())
    return fail(Kind::denied, "no role of a project allows {} to write {}", user.name, subresource);
  if (!before) return need("create", after);
  if (compared(before.value()) != compared(next)) {
    TRY_OK(need("update", before));
    if (gitops::role_object(before) != gitops::role_object(after)) TRY_OK(need("create", after));
  }
  auto asked = after["operation"];
  if (asked.present() && asked.value() != before["operation"].value()) {
    TRY_OK(need("sync", before));
    // What is not what the Application says.
    for (auto field : {"manifests", "source", "sources"})
      if (asked["sync"][field].present()) TRY_OK(need("override", before));
  }
  return {};
}

}  // namespace slipway::engine
