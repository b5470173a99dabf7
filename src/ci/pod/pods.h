#pragma once
// Jobs as Pods of a Kubernetes cluster: the house's side. A Pod holds the job's container (the agent runs in it, from a
// volume), one for each service, and an init container that brings the agent. The agent asks and tells by HTTP.
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "ci/pod/settings.h"
#include "ci/runner.h"
#include "kube/client.h"
#include "net/server.h"

namespace slipway::ci {

class PodJob;
struct PodJobSide;
struct PodWish;

struct JobPodsOptions {
  std::shared_ptr<kube::Client> client;
  std::string house;  // which house's Pods they are: several may share a cluster
  std::string ns = "slipway-jobs";
  fs::path state;  // who is expected: survives a restart, as the Pods do
  std::function<Result<PodSettings>(const Ctx&)> settings;
  std::function<std::string()> url;                             // as Pods reach us
  std::function<Result<std::string>(const Ctx&)> agent_image;   // as nodes pull it
  std::function<std::string()> registry;                        // the host by which nodes know our registry
  std::function<net::Response(const Ctx&, net::Request&)> git;  // answers /git/NAME.git/...
  std::function<bool(const std::string& run)> wanted;           // whether the run is not over
};

// Threads: any.
class JobPods {
 public:
  // Looks for Pods of an earlier life: those of runs that are over go, the others wait to be taken up. Errors: those
  // of the client.
  static Result<std::unique_ptr<JobPods>> open(const Ctx& ctx, JobPodsOptions options);
  ~JobPods();
  net::Handler routes();  // for "/agent/"

  // Of JobRun. Runs the job in a Pod to its end: a new one, or the one that ran on while we were away. Its result, or
  // why there is none. Errors: cancelled, timeout, unavailable (the cluster), invalid (settings, images).
  struct Work {
    PodWish* wish = nullptr;
    PodJobSide* side = nullptr;
    std::function<void(std::string_view)> say;
    std::function<void()> again;           // what it told before comes once more
    std::function<void()> placed = [] {};  // its Pod is there
  };
  Result<JobResult> run(const Ctx& ctx, const Work& work);
  // The result of a run's job is kept: its Pod goes.
  void recorded(const std::string& run, const std::string& key);
  const JobPodsOptions& options() const;

  struct Rep;

 private:
  explicit JobPods(std::shared_ptr<Rep> rep);
  std::shared_ptr<Rep> rep_;
};

}  // namespace slipway::ci
