#pragma once
// What an Application's status says, in the fields that Argo CD's clients read.
#include <string>
#include <vector>

#include "gitops/compare.h"

namespace slipway::gitops {

using Revisions = std::vector<std::string>;  // a commit a source

// How one object of an operation came out: operationState.syncResult.resources.
struct TaskResult {
  kube::Type type;
  kube::Key key;
  std::string phase;  // PreSync, Sync ...
  bool hook = false;
  std::string outcome;  // Running, Succeeded, Failed
  std::string status;   // Synced, SyncFailed, Pruned, PruneSkipped; "" for hooks
  std::string message;
};
struct Operation {
  std::string phase;   // "", Running, Terminating, Succeeded, Failed, Error
  doc::Value request;  // the Application's `operation` it answers
  Revisions revisions;
  doc::Value source;  // spec.source or spec.sources it was rendered from
  std::string started_at, finished_at, message;
  std::int64_t retries = 0;
  std::vector<TaskResult> results;
  bool running() const { return phase == "Running"; }
  std::string revision() const { return revisions.empty() ? "" : revisions.front(); }
  doc::View sync() const { return doc::View(request)["sync"]; }
  bool selective() const { return !sync()["resources"].items().empty(); }
  bool without_hooks() const {
    auto strategy = sync()["syncStrategy"];
    return strategy["apply"].exists() && !strategy["hook"].exists();
  }
};
struct InventoryEntry {
  kube::Type type;
  kube::Key key;
  auto operator<=>(const InventoryEntry&) const = default;
};
struct HistoryEntry {
  std::int64_t id = 0;
  Revisions revisions;
  std::string deployed_at, started_at;
  doc::Value source, initiated_by;
};
struct AppCondition {
  std::string type, message;  // types end in Error or Warning
};

struct AppStatus {
  std::string sync, health, health_message;
  Revisions revisions;
  std::vector<std::string> source_types;  // Kustomize, Directory: one a source
  std::vector<Compared> resources;
  std::vector<InventoryEntry> inventory;  // everything applied and not yet seen gone
  Operation operation;
  Operation deletion;  // the hooks of its deletion: their tries and outcomes
  std::vector<HistoryEntry> history;
  std::vector<AppCondition> conditions;
  std::vector<InventoryEntry> orphans;  // what else lies in its namespace, when its project asks
  std::vector<std::string> images, urls;
  bool namespace_differs = false;  // from what managedNamespaceMetadata says
  std::string revision() const { return revisions.empty() ? "" : revisions.front(); }
};
// status.operationState and back.
doc::Value operation_doc(const Operation& op);
Operation operation_from(doc::View view);

AppStatus status_from(const kube::Object& application);
// `now` stands in for times that change only with what they date.
doc::Value to_doc(const AppStatus& status, const kube::Object& before, const std::string& now);

}  // namespace slipway::gitops
