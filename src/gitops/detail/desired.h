#pragma once
// What Git wants of an Application at this moment, ready to be compared and applied.
#include <variant>

#include "gitops/project.h"
#include "gitops/sync.h"

namespace slipway::gitops::detail {

struct Desired {
  Application app;
  Project project;
  std::vector<doc::Value> objects;
  std::vector<Task> tasks;
  Revisions revisions;
  std::vector<std::string> source_types;
};
// Why that cannot be said now, as a condition, and when to try again.
struct Unreadable {
  std::string type, message;
  Millis again{180000};
};
// Warnings go into the status. Errors: cancelled, and those of the cluster.
Result<std::variant<Desired, Unreadable>> read_desired(const Ctx& ctx, const SyncContext& context,
                                                       const kube::Object& application, AppStatus& status);

}  // namespace slipway::gitops::detail
