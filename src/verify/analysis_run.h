#pragma once
// The controller of AnalysisRun objects (argoproj.io/v1alpha1): measures, judges, writes the status.
#include <memory>

#include "kube/client.h"
#include "kube/controller.h"
#include "verify/provider.h"

namespace slipway::verify {

// One step for one run. `again`: when the next measurement is due. Errors: those of the client.
Result<kube::Reconciled> reconcile_run(const Ctx& ctx, kube::Client& client, Providers& providers,
                                       const kube::Key& key);

struct AnalysisOptions {
  std::shared_ptr<kube::Client> client;
  ProviderOptions providers;  // its client is set to `client` when absent
  std::size_t workers = 4;
};
// Until the context stops.
Result<> run_analysis_controller(const Ctx& ctx, AnalysisOptions options);

}  // namespace slipway::verify
