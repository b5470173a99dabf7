#pragma once
// Flux's objects, acted on: GitRepository and OCIRepository say which commit is read, a Kustomization is looked at when
// it, its source, what it depends on or one of its objects changes. Kinds that are not acted on get a condition.
#include "gitops/controller.h"

namespace slipway::gitops {

// Threads: any.
class FluxController {
 public:
  FluxController(std::shared_ptr<kube::Client> client, Repositories& repositories, ControllerOptions options);
  ~FluxController();
  // Runs until the context stops. Errors: only cancelled.
  Result<> run(const Ctx& ctx);
  // A repository moved (push, webhook): every GitRepository with this address is looked at now.
  void repository_changed(const std::string& url);
  Renderer& renderer();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::gitops
