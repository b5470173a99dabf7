#include "gitops/detail/projects.h"
#include "base/log.h"
#include "gitops/application.h"
#include "gitops/detail/dispatch.h"
#include "kube/finalizers.h"

namespace slipway::gitops::detail {
namespace {

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

}  // namespace

void DeletedProjects::project_event(const Ctx& ctx, const kube::Event& event) {
  auto key = event.object.key();
  if (event.type == kube::Event::Type::deleted) {
    waiting_.lock()->erase(key);
    return;
  }
  if (!event.object.deleting() || !kube::has_finalizer(event.object, is_cascade_finalizer)) return;
  waiting_.lock()->insert(key);
  release(ctx, key);
}

void DeletedProjects::application_gone(const Ctx& ctx) {
  auto waiting = *waiting_.lock();
  for (const auto& key : waiting) release(ctx, key);
}

void DeletedProjects::release(const Ctx& ctx, const kube::Key& project) {
  auto used = has_applications(ctx, client_, project.name);
  if (used && *used) return;
  auto freed = used ? kube::drop_finalizers(ctx, client_, project_type, project, is_cascade_finalizer)
                    : Result<std::optional<kube::Object>>(Fail(used.error()));
  if (!freed) LOG(warn, "gitops.project_kept", {"project", project.name}, {"error", freed.error().what()});
}

}  // namespace slipway::gitops::detail
