#pragma once
// The writing half of a look: starting, continuing and finishing a sync operation, healing drift, pruning.
#include "gitops/project.h"
#include "gitops/sync.h"

namespace slipway::gitops::detail {

// What one look works on.
struct Work {
  const SyncContext& context;
  const Application& app;
  const kube::Object& application;
  const Project& project;
  const std::vector<Task>& tasks;
  AppStatus& status;
  std::string blocked;             // by which dependency, "" for none
  bool request_taken = false;      // the Application's `operation` is recorded and removed
  std::set<std::string> versions;  // of the Application, as this look wrote it
};

// Takes the next steps that are possible now; updates the status to what is then live. Gives when to look again even
// if nothing is seen to change.
Result<std::optional<Millis>> operate(const Ctx& ctx, Work& work);
// Deletes what the application brought, wave by wave from the last, then lets the application go. Needs no valid spec.
Result<Looked> tear_down(const Ctx& ctx, const SyncContext& context, const kube::Object& application, AppStatus status);

enum class Plan { nothing, operate, heal, wait };
struct Decision {
  Plan plan = Plan::nothing;
  Millis wait{0};
  bool started = false;  // an operation that nothing is recorded of yet
};
// What to do, from what was found and what was tried before; a new operation is in the status then.
Decision decide(const Ctx& ctx, Work& work);
void finish(const Ctx& ctx, Operation& op, std::string phase, std::string message);

// Writes the status as it stands, with every object ever applied in its inventory. Errors: conflict (only when an
// operation starts: somebody else changed the Application meanwhile).
enum class Recorded { start, inventory, outcome };
Result<> record(const Ctx& ctx, Work& work, Recorded what);

// Steps of a sync or a prune that can be taken now; `waiting` is empty when there is nothing left.
struct Progress {
  std::string waiting;
  Millis again{5000};
  bool done() const { return waiting.empty(); }
};
// The destination namespace, when the Application asks for it.
Result<Progress> ensure_namespace(const Ctx& ctx, kube::Client& client, const Application& app);
// One object made as desired; `live` is empty when it is not there. Gives the live object.
Result<kube::Object> apply_task(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task,
                                const kube::Object& live);
// Asks the server about every object before the first is written. Errors: invalid, denied: what it refuses.
Result<> check_all(const Ctx& ctx, Work& work);
// Deletes what Git no longer holds, what was created last going first. Never everything unless asked for.
Result<Progress> prune(const Ctx& ctx, Work& work);
// Which waves are deleted first, and within one which kinds.
bool deleted_before(const kube::Object& a, const kube::Object& b);

// Waits for what the Application wants healthy. Errors: invalid (degraded, or the time is up).
Result<Progress> await_health(const Ctx& ctx, Work& work);
// Which dependency is not ready and why; "" when all are.
Result<std::string> unready_dependency(const Ctx& ctx, kube::Client& home, const Application& app);

// Hooks of one step. Running ones are waited for by looking again.
enum class HookState { done, running, failed };
Result<HookState> run_hook(const Ctx& ctx, Work& work, const Task& task);

TaskResult& result_of(Operation& op, const kube::Type& type, const kube::Key& key, SyncPhase phase);

}  // namespace slipway::gitops::detail
