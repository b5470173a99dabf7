#pragma once
// What an Application's status says, in the fields that Argo CD's clients read.
#include <string>
#include <vector>

#include "gitops/compare.h"

namespace slipway::gitops {

struct HookResult {
  std::string id, phase, outcome, message;  // outcome: Running, Succeeded, Failed
};
struct Operation {
  std::string phase;                        // "", Running, Succeeded, Failed, Error
  std::string revision, started_at, finished_at, message;
  std::string initiated_by;                 // "" automated
  std::int64_t retries = 0;
  std::vector<HookResult> hooks;
  bool running() const { return phase == "Running"; }
};
struct InventoryEntry {
  kube::Type type;
  kube::Key key;
  auto operator<=>(const InventoryEntry&) const = default;
};
struct HistoryEntry {
  std::int64_t id = 0;
  std::string revision, deployed_at;
};
struct AppCondition {
  std::string type, message;
};

struct AppStatus {
  std::string sync, revision, health, health_message;
  std::vector<Compared> resources;
  std::vector<InventoryEntry> inventory;    // everything applied and not yet seen gone
  Operation operation;
  std::vector<HistoryEntry> history;
  std::vector<AppCondition> conditions;
  std::vector<std::string> images;
};
AppStatus status_from(const kube::Object& application);
// `now` stands in for times that change only with what they date.
doc::Value to_doc(const AppStatus& status, const kube::Object& before, const std::string& now);

}  // namespace slipway::gitops
