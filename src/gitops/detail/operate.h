#pragma once
// The writing half of a look: starting, continuing and finishing a sync operation, healing drift, pruning.
#include "gitops/sync.h"

namespace slipway::gitops::detail {

// Takes the next steps that are possible now; updates `status` to what is then live. Gives when to look again even
// if nothing is seen to change.
Result<std::optional<Millis>> operate(const Ctx& ctx, const SyncContext& context, const Application& app, const kube::Object& application,
                                      const std::vector<Task>& tasks, AppStatus& status);
// Deletes what the application brought, in reverse order, then lets the application go.
Result<Looked> tear_down(const Ctx& ctx, const SyncContext& context, const Application& app, const kube::Object& application, AppStatus status);

// One object made as desired; `live` is empty when it is not there. Gives the live object.
Result<kube::Object> apply_task(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task, const kube::Object& live);

// Hooks of one step. Running ones are waited for by looking again.
enum class HookState { done, running, failed };
Result<HookState> run_hook(const Ctx& ctx, const SyncContext& context, const Application& app, const Task& task, Operation& operation);

kube::RemoveOptions prune_options(const Application& app);

}  // namespace slipway::gitops::detail
