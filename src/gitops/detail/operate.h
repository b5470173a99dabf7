#pragma once
// The writing half of a look: starting, continuing and finishing a sync operation, healing drift, pruning.
#include "gitops/project.h"
#include "gitops/sync.h"

namespace slipway::gitops::detail {

// An object that operation.sync.resources names, when it names any.
bool selected(const Operation& op, const kube::Type& type, const kube::Key& key);

// What one look works on.
struct Work {
  const SyncContext& context;
  const Application& app;
  const kube::Object& application;
  const Project& project;
  const std::vector<Task>& tasks;
  AppStatus& status;
  std::string blocked;             // by which dependency, "" for none
  std::set<std::string> versions;  // of the Application, as this look wrote it
  std::vector<kube::Happening> happened = {};
  void happen(std::string_view type, std::string_view reason, std::string message) {
    happened.push_back({std::string(type), std::string(reason), std::move(message), std::string(field_manager)});
  }
  std::shared_ptr<kube::Client> writer = nullptr;  // as whom the project has it done; null: ourselves
  kube::Client& writes() const { return writer ? *writer : context.client; }
};

// Takes the next steps that are possible now; updates the status to what is then live. Gives when to look again even
// if nothing is seen to change.
Result<std::optional<Millis>> operate(const Ctx& ctx, Work& work);
// Deletes what the application brought, wave by wave from the last, then lets the application go. Needs a valid spec
// only for hooks.
Result<Looked> tear_down(const Ctx& ctx, const SyncContext& context, const kube::Object& application, AppStatus status);
// Finalizers for the hooks of its deletion that Git has now: on the Application before anything is applied. Gives the
// Application with them. Errors: conflict (somebody else changed it meanwhile).
Result<kube::Object> hold_for_hooks(const Ctx& ctx, kube::Client& home, const kube::Object& application,
                                    const std::vector<Task>& tasks);
// The same when nothing can be deleted there: it waits, or goes alone when there is no such cluster any more.
Result<Looked> tear_down_without(const Ctx& ctx, const SyncContext& context, const kube::Object& application,
                                 AppStatus status, const Error& why);

enum class Plan { nothing, operate, heal, wait };
struct Decision {
  Plan plan = Plan::nothing;
  Millis wait{0};
  bool started = false;  // an operation that nothing is recorded of yet
};
// What to do, from what was found and what was tried before; a new operation is in the status then.
Result<Decision> decide(const Ctx& ctx, Work& work);
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
AppCondition unknown_fields(const Task& task, const std::vector<std::string>& fields);
// Whether the namespace is there and has other labels or annotations than managedNamespaceMetadata says.
Result<bool> namespace_differs(const Ctx& ctx, kube::Client& client, const Application& app);
// One object made as desired; `live` is empty when it is not there. Gives the live object.
Result<kube::Object> apply_task(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task,
                                const kube::Object& live);
// Asks the server about every object before the first is written. Errors: invalid, denied: what it refuses.
Result<> check_all(const Ctx& ctx, Work& work);
// Deletes what Git no longer holds, what was created last going first. Never everything unless asked for.
Result<Progress> prune(const Ctx& ctx, Work& work);
// Which waves are deleted first, and within one which kinds.
bool deleted_before(const kube::Object& a, const kube::Object& b);
// Deletes objects in that order and stops after a wave of which something is still there. Gives what that is; `gone`
// holds the uids of those that are not, `asked` those of all that were asked to go.
Result<std::string> remove_waves(const Ctx& ctx, kube::Client& client, std::vector<kube::Object> objects,
                                 kube::RemoveOptions::Propagation propagation, std::set<std::string>& gone,
                                 std::set<std::string>& asked);
// A person agrees to deletions that ask for it by an annotation that is younger than what asks.
bool agreed(const std::string& approved, const std::string& since);

// Waits for what the Application wants healthy. Errors: invalid (degraded, or the time is up).
Result<Progress> await_health(const Ctx& ctx, Work& work);
// Which dependency is not ready and why; "" when all are.
Result<std::string> unready_dependency(const Ctx& ctx, kube::Client& home, const Application& app);

// Hooks of one step. Running ones are waited for by looking again.
enum class HookState { done, running, failed };
Result<HookState> run_hook(const Ctx& ctx, Work& work, Operation& op, const Task& task);
// What a hook's object is marked with in this operation, or this try of a deletion: it runs once in each.
inline constexpr std::string_view operation_annotation = "slipway.dev/sync-operation";
std::string hook_run(const Operation& op, SyncPhase phase);
// As it is applied in this run: marked, and named where its author left that to the server.
doc::Value hook_object(const Application& app, const Task& task, const Operation& op);
Result<> drop_hook(const Ctx& ctx, kube::Client& client, const kube::Object& live);
// It may go now, if its author or somebody else wants that.
Result<> release_hook(const Ctx& ctx, kube::Client& client, const kube::Object& live);
// The operation ends before they do: those that run are taken away.
Result<> end_hooks(const Ctx& ctx, Work& work, Operation& op);

TaskResult& result_of(Operation& op, const kube::Type& type, const kube::Key& key, SyncPhase phase);

}  // namespace slipway::gitops::detail
