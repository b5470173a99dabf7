#pragma once
// Deleting AppProjects: one with Argo CD's finalizer goes when no Application is of it any more.
#include <set>

#include "base/guarded.h"
#include "kube/client.h"

namespace slipway::gitops::detail {

inline const kube::Type project_type{"argoproj.io/v1alpha1", "AppProject"};

// Threads: any.
class DeletedProjects {
 public:
  explicit DeletedProjects(kube::Client& client) : client_(client) {}
  void project_event(const Ctx& ctx, const kube::Event& event);
  void application_gone(const Ctx& ctx);

 private:
  void release(const Ctx& ctx, const kube::Key& project);
  kube::Client& client_;
  Guarded<std::set<kube::Key>> waiting_;
};

}  // namespace slipway::gitops::detail
