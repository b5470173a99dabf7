#include "cluster/controllers.h"

#include <pthread.h>

#include "cluster/controllers/common.h"

namespace slipway::cluster {

Result<> run_workload_controllers(const Ctx& ctx, kube::Client& client, const ControllerSettings& settings) {
  using Run = Result<> (*)(const Ctx&, const Env&);
  static constexpr std::pair<const char*, Run> all[] = {{"default-scheduler", run_scheduler},
                                                        {"replicaset-controller", run_replicasets},
                                                        {"deployment-controller", run_deployments},
                                                        {"endpoint-slice-controller", run_endpoints},
                                                        {"job-controller", run_jobs},
                                                        {"cronjob-controller", run_cronjobs},
                                                        {"statefulset-controller", run_statefulsets},
                                                        {"daemonset-controller", run_daemonsets},
                                                        {"horizontal-pod-autoscaler", run_autoscalers},
                                                        {"namespace-controller", run_namespaces},
                                                        {"token-controller", run_token_secrets},
                                                        {"garbage-collector", run_garbage_collector}};
  std::vector<std::jthread> threads;
  for (auto [name, run] : all)
    threads.emplace_back([&ctx, &client, &settings, name, run] {
      ::pthread_setname_np(::pthread_self(), std::string(name).substr(0, 15).c_str());
      Env env{client, settings, name};
      (void)run(ctx, env);
    });
  threads.clear();  // joins
  return ctx.alive();
}

}  // namespace slipway::cluster
