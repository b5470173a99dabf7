#pragma once
// Looks at an ApplicationSet when it, one of its Applications or something that its generators read changes.
#include "gitops/appset/set.h"

namespace slipway::gitops::appset {

// Threads: any.
class Controller {
 public:
  Controller(std::shared_ptr<kube::Client> client, Repositories& repositories, std::string ns = "argocd");
  ~Controller();
  // Runs until the context stops. Errors: only cancelled.
  Result<> run(const Ctx& ctx);
  // A repository moved: every set whose git generator reads it is looked at now.
  void repository_changed(const std::string& url);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::gitops::appset
