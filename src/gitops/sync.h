#pragma once
// One look at an Application: render, compare, and take the next step towards equality. Level-based: everything it
// needs to know is in the object's status and in the cluster, so it may be killed anywhere and called again.
#include <functional>

#include "gitops/clusters.h"
#include "gitops/customizations.h"
#include "gitops/heal_pacer.h"
#include "gitops/source.h"
#include "gitops/status.h"
#include "kube/events.h"

namespace slipway::gitops {

inline constexpr std::string_view status_manager = "slipway-gitops-status";

// Told about a managed object that was found changed or gone.
struct Drift {
  kube::Key application;
  kube::Type type;
  kube::Key key;
  bool deleted = false;
  std::vector<std::string> fields;
  std::string revision;  // what it was made equal to again
  bool healed = false;
};

struct SyncContext {
  kube::Client& client;
  Renderer& renderer;
  Comparer& comparer;
  HealPacer& pacer;
  std::function<void(const Drift&)> drift;  // may be empty
  kube::Client* away = nullptr;             // where the Application itself lives, when its objects live elsewhere
  kube::Client& home() const { return away != nullptr ? *away : client; }
  // Why a repository could not be brought up to date, "" when it is; may be empty.
  std::function<std::string(const std::string& url)> unreachable = {};
  // What lies in the Application's namespace and is no Application's; may be empty. `wanted`: whether its project asks,
  // else it is no longer told of such objects.
  std::function<std::vector<InventoryEntry>(const Application&, bool wanted)> orphans = {};
  std::shared_ptr<const Customizations> customizations = {};  // of Argo CD's Applications; null for none
  std::shared_ptr<const Destination> place = {};              // whose client `client` is; null: our own cluster
  // A client that writes to the destination as this user; may be empty: nobody can be impersonated.
  std::function<Result<std::shared_ptr<kube::Client>>(const std::string& user)> as_user = {};
};

struct Looked {
  doc::Value status;  // to be written; null: the application is gone
  std::optional<Millis> again;
  std::vector<kube::Type> types;        // to be watched
  bool under_way = false;               // what the `operation` field asks for: the field stays until it has ended
  std::set<std::string> versions = {};  // of the Application, as the look wrote it: their events tell nothing
  std::vector<kube::Happening> happened = {};  // for its events, once the status is written
};
// Writes them.
void tell(const Ctx& ctx, kube::Client& home, const kube::Object& application,
          const std::vector<kube::Happening>& what);
// `application` as read just now. Errors: unavailable and the like; what is wrong with the application itself goes
// into its conditions.
Result<Looked> look(const Ctx& ctx, const SyncContext& context, const kube::Object& application);
// What is left to say when its destination cannot be used: nothing is changed, nothing counts as gone. One that is to
// be deleted waits for its cluster, or goes alone when no Secret describes that any more (`why` is not_found).
Result<Looked> look_without(const Ctx& ctx, const SyncContext& context, const kube::Object& application,
                            const Error& why);

}  // namespace slipway::gitops
