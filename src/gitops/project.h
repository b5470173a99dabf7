#pragma once
// What an AppProject permits: sources, destinations, kinds, and when.
#include "base/cron_window.h"
#include "gitops/application.h"
#include "gitops/clusters.h"
#include "gitops/orphans.h"
#include "gitops/signatures.h"

namespace slipway::gitops {

// The rules of one project. No project object: `default` permits everything.
class Project {
 public:
  // Errors: denied (a project that does not exist), invalid (sync windows that cannot be read).
  static Result<Project> read(const Ctx& ctx, kube::Client& client, const Application& app, const Destination& place);

  // Errors: denied, naming the source, or the destination namespace; invalid (signatures() cannot be read).
  Result<> check(const Application& app) const;
  // Whether this repository, or file, may be read. Errors: denied.
  Result<> check_source(const std::string& url) const;
  // Whose signatures it wants on what is deployed. Errors: invalid, with the field.
  Result<SignatureRules> signatures() const;
  // Whether an object of this type and key (namespace "" for cluster-scoped) may be put there: "" or why not.
  std::string refusal(const kube::Type& type, const kube::Key& key) const;
  // As whom a sync writes to this destination (destinationServiceAccounts): a user's name, "" for ourselves. Errors:
  // denied (the project has such accounts and none for it), invalid (no name of one).
  Result<std::string> acting_user(const Ctx& ctx, kube::Client& home, const Application& app) const;
  // What its Applications may delete at once that say nothing themselves. Errors: invalid.
  Result<DeleteBudget> delete_budget() const;
  // What it says of objects that no Application brought; nothing: it does not ask.
  std::optional<OrphanRules> orphan_rules() const;
  // Whether syncing is held back now: "" or by which window. What started before may go on where windows say so.
  std::string held_back(const Application& app, WallTime now, bool by_hand,
                        std::optional<WallTime> started = std::nullopt) const;

 private:
  bool permits_namespace(std::string_view ns) const;
  struct Hold {
    std::string why;       // "" for none
    bool overrun = false;  // does not concern what started before
  };
  Hold hold_at(const Application& app, WallTime now, bool by_hand) const;
  std::string name_;
  Destination place_;
  kube::Object object_;  // empty: everything is permitted
};

// One sync window. Schedules are five-field cron, told by the wall clock of its time zone.
struct SyncWindow {
  bool allow = false, manual = false, overrun = false;
  std::string schedule, text;
  Millis duration{0};
  TimeZone zone = TimeZone::utc();
  std::vector<std::string> applications, namespaces, clusters;
  bool all_of = false;  // andOperator
  bool concerns(const Application& app) const;
};
// Errors: invalid, naming the field.
Result<SyncWindow> window_from(doc::View view);
bool is_open(const SyncWindow& window, WallTime now);

}  // namespace slipway::gitops
