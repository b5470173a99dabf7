#pragma once
// The rollout stage: Argo Rollout objects as they are. The core is a function of what is there to what should be
// written; the controller reads, calls it, writes, and runs again when something moves.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "kube/client.h"
#include "kube/controller.h"

namespace slipway::rollout {

// What one rollout depends on. Objects that do not exist are empty.
struct State {
  kube::Object rollout, workload;                 // workload: the Deployment of workloadRef
  std::vector<kube::Object> replica_sets;         // controlled by it
  std::map<std::string, kube::Object> services;   // those its strategy names
  std::map<std::string, kube::Object> routes;     // HTTPRoutes it names
  std::map<std::string, kube::Object> ingresses;  // stable ones and "<rollout>-<name>-canary"
  std::map<std::string, kube::Object> mesh;       // "VirtualService/name", "DestinationRule/name", "TrafficSplit/name"
  std::map<std::string, kube::Object> templates;  // "AnalysisTemplate/name", "ClusterAnalysisTemplate/name"
  std::vector<kube::Object> runs;                 // AnalysisRuns controlled by it
  std::vector<kube::Object> pods;                 // only while a restart is asked for
  WallTime now;
};

struct Write {
  enum class Verb { create, update, remove, evict };
  Verb verb = Verb::update;
  doc::Value object;
  std::string reason;  // as an event: ScalingReplicaSet, SwitchService ...
};
struct Decision {
  std::vector<Write> writes;                                // in this order
  doc::Value status;                                        // of the Rollout, whole
  std::optional<Millis> again;                              // when time alone will change the answer
  std::vector<std::pair<std::string, std::string>> events;  // reason, message
};
Decision step(const State& state);

struct RolloutOptions {
  std::shared_ptr<kube::Client> client;
  std::size_t workers = 4;
  // Told of every event: reason (RolloutPaused, RolloutAborted, RolloutCompleted ...), message.
  std::function<void(const kube::Object& rollout, const std::string& reason, const std::string& message)> event;
};
// Reads what `key` depends on, decides, writes. Errors: those of the client; conflict: the next pass sees what changed.
Result<kube::Reconciled> reconcile(const Ctx& ctx, const RolloutOptions& options, const kube::Key& key);
// Until the context stops.
Result<> run_rollout_controller(const Ctx& ctx, const RolloutOptions& options);

// What kubectl-argo-rollouts writes: for the command line and the engine.
Result<kube::Object> promote(const Ctx& ctx, kube::Client& client, const kube::Key& key);       // one step on
Result<kube::Object> promote_full(const Ctx& ctx, kube::Client& client, const kube::Key& key);  // past all steps
Result<kube::Object> abort(const Ctx& ctx, kube::Client& client, const kube::Key& key);
Result<kube::Object> retry(const Ctx& ctx, kube::Client& client, const kube::Key& key);

}  // namespace slipway::rollout
