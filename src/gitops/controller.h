#pragma once
// The GitOps controller: looks at an Application when it, its repository or one of its objects changes.
#include "gitops/sync.h"
#include "gitops/turns.h"

namespace slipway::gitops {

struct ControllerOptions {
  std::string ns = "argocd";  // where Applications live; "" everywhere
  std::size_t workers = 2;
  Millis resync{180000};  // repair of missed events, with jitter
  std::function<void(const Drift&)> drift;
  std::function<void(const Turn&)> turned;        // before the status says so; again after a crash
  std::function<void(std::string_view)> learned;  // told what sealed files say, for a redaction set
  // For Kustomizations with a serviceAccountName and projects with destinationServiceAccounts: a client that may do
  // what this user may. Absent: they are refused.
  std::function<std::shared_ptr<kube::Client>(const std::string& user)> as_user;
  std::size_t workers_elsewhere = 2;  // for each other cluster
  Connect connect;                    // to other clusters; empty: by HTTP
  Patience patience;                  // with them
};

// Threads: any.
class Controller {
 public:
  Controller(std::shared_ptr<kube::Client> client, Repositories& repositories, ControllerOptions options);
  ~Controller();
  // Runs until the context stops. Errors: only cancelled.
  Result<> run(const Ctx& ctx);
  // A repository moved (push, webhook): every Application that reads it is looked at now.
  void repository_changed(const std::string& url);
  Renderer& renderer();
  // The client of the other cluster that an Application goes to; null: our own. Errors: as Clusters::find.
  Result<std::shared_ptr<kube::Client>> elsewhere(const kube::Object& application) const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::gitops
