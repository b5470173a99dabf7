#pragma once
// Flux's objects: their types, and what is the same in all of them.
#include <string>

#include "gitops/application.h"
#include "gitops/remote.h"
#include "kube/client.h"

namespace slipway::gitops::flux {

inline constexpr std::string_view source_api = "source.toolkit.fluxcd.io/v1";
inline const kube::Type kustomization_type{"kustomize.toolkit.fluxcd.io/v1", "Kustomization"};
inline const kube::Type git_repository_type{std::string(source_api), "GitRepository"};
inline const kube::Type oci_repository_type{std::string(source_api), "OCIRepository"};
inline constexpr std::string_view finalizer = "finalizers.fluxcd.io";
inline constexpr std::string_view requested_at = "reconcile.fluxcd.io/requestedAt";

// Go's durations ("1h30m", "10s", "500ms"). Errors: invalid, with the place.
Result<Millis> duration(doc::View view, Millis fallback);

// Ready, Reconciling, Stalled ... of one object; the time of a condition moves only when its status does.
class Conditions {
 public:
  Conditions(const kube::Object& before, std::string now) : before_(before), now_(std::move(now)) {}
  void set(std::string_view type, std::string_view status, std::string_view reason, std::string_view message);
  doc::Value take() { return std::move(list_); }

 private:
  const kube::Object& before_;
  std::string now_;
  doc::List list_;
};

// status.inventory.entries: {id: namespace_name_group_kind, v: version}, as Flux writes them.
struct InventoryId {
  kube::Type type;
  kube::Key key;
};
doc::Value inventory_entry(const kube::Type& type, const kube::Key& key);
std::optional<InventoryId> inventory_id(doc::View entry);

// The clusters that Kustomizations name by kubeconfig: one Remote for all that say the same, as long as somebody does.
// Threads: any.
class Remotes {
 public:
  explicit Remotes(Connect connect, Patience patience)
      : connect_(connect ? std::move(connect) : connect_by_http()), patience_(patience) {}
  // Errors: invalid.
  Result<std::shared_ptr<Remote>> of(const Ctx& ctx, const kube::Key& kustomization, const kube::Kubeconfig& config);
  void forget(const kube::Key& kustomization) { entries_.lock()->erase(kustomization); }

 private:
  struct Entry {
    kube::Kubeconfig config;
    std::shared_ptr<Remote> remote;
  };
  Connect connect_;
  Patience patience_;
  Guarded<std::map<kube::Key, Entry>> entries_;
};

// The client that a Kustomization's objects are applied with: spec.kubeConfig (a Secret with a kubeconfig) and
// spec.serviceAccountName; null: our own. Errors: invalid, not_found, denied, unavailable (the other cluster is away).
using AsUser = std::function<std::shared_ptr<kube::Client>(const std::string& user)>;
Result<std::shared_ptr<kube::Client>> client_of(const Ctx& ctx, kube::Client& home, const kube::Object& kustomization,
                                                const AsUser& as_user, Remotes& remotes);

}  // namespace slipway::gitops::flux
