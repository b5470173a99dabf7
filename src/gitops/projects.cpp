#include "gitops/detail/projects.h"
#include "base/log.h"
#include "gitops/application.h"
#include "gitops/detail/dispatch.h"

namespace slipway::gitops::detail {
namespace {

bool is_held(const kube::Object& project) {
  for (const auto& finalizer : project["metadata"]["finalizers"].items())
    if (is_cascade_finalizer(finalizer.text())) return true;
  return false;
}

Result<bool> has_applications(const Ctx& ctx, kube::Client& client, const std::string& project) {
  bool found = false;
  auto look = [&](const kube::Object& application) -> Result<> {
    auto named = application["spec"]["project"].text();
    found = (named.empty() ? "default" : named) == project;
    return found ? Result<>(fail(Kind::conflict, "found")) : Result<>{};  // which ends it
  };
  auto listed = client.for_each(ctx, application_type, {}, look);
  if (!listed && !found) return Fail(std::move(listed).error());
  return found;
}

Result<> let_go(const Ctx& ctx, kube::Client& client, const kube::Key& project) {
  auto freed = kube::modify(ctx, client, project_type, project, {}, [](doc::Value& object) -> Result<bool> {
    auto* finalizers = object["metadata"]["finalizers"].if_list();
    return finalizers != nullptr && std::erase_if(*finalizers, [](const doc::Value& f) {
                                      return f.if_string() != nullptr && is_cascade_finalizer(*f.if_string());
                                    }) > 0;
  });
  return freed || freed.error().is(Kind::not_found) ? Result<>{} : Result<>(Fail(std::move(freed).error()));
}

}  // namespace

void DeletedProjects::project_event(const Ctx& ctx, const kube::Event& event) {
  auto key = event.object.key();
  if (event.type == kube::Event::Type::deleted) {
    waiting_.lock()->erase(key);
    return;
  }
  if (!event.object.deleting() || !is_held(event.object)) return;
  waiting_.lock()->insert(key);
  release(ctx, key);
}

void DeletedProjects::application_gone(const Ctx& ctx) {
  auto waiting = *waiting_.lock();
  for (const auto& key : waiting) release(ctx, key);
}

void DeletedProjects::release(const Ctx& ctx, const kube::Key& project) {
  auto used = has_applications(ctx, client_, project.name);
  auto freed = used && !*used ? let_go(ctx, client_, project) : Result<>{};
  if (!used || !freed)
    LOG(warn, "gitops.project_kept", {"project", project.name},
        {"error", used ? freed.error().what() : used.error().what()});
}

}  // namespace slipway::gitops::detail
