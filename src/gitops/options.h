#pragma once
// Sync options: of an Application, and of one object by its annotation, which wins where it may say otherwise.
#include <string>

#include "kube/client.h"

namespace slipway::gitops {

inline constexpr std::string_view sync_options_annotation = "argocd.argoproj.io/sync-options";

enum class Permission { yes, no, confirm };  // confirm: a person must agree first

struct SyncOptions {
  bool create_namespace = false;
  bool fail_on_shared = false;
  bool validate = true;  // tell about fields that the server does not know
  bool replace = false;  // write the whole object instead of applying it
  bool force = false;    // delete and create again what cannot be changed
  bool skip_missing_kind = false;
  bool migrate = true;        // take over what `kubectl apply` owns, so that fields dropped from Git go
  bool undo_kubectl = false;  // whatever else kubectl wrote by hand goes as well (Flux's rule)
  Permission prune = Permission::yes, remove = Permission::yes;
  kube::RemoveOptions::Propagation propagation = kube::RemoveOptions::Propagation::foreground;
};
// Name=value, as syncPolicy.syncOptions lists it. Errors: invalid (an unknown name, a value it cannot have).
Result<> read_option(SyncOptions& options, std::string_view text);
// What an object says to Flux by an annotation or a label of that name (prune, force, ssa, reconcile, substitute), in
// small letters: Flux takes either, in any case.
std::string flux_word(const doc::Value& object, std::string_view what);
// The Application's, with what the object says of itself. Unknown words of an annotation have no effect, as in Argo CD.
SyncOptions options_of(const SyncOptions& application, const kube::Object& object);

}  // namespace slipway::gitops
