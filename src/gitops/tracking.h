#pragma once
// How objects say whose they are: Argo CD's annotation or label by what its installation says (argocd-cm), Flux's
// labels.
#include <string>

#include "gitops/application.h"
#include "gitops/tasks.h"

namespace slipway::gitops {

inline constexpr std::string_view tracking_annotation = "argocd.argoproj.io/tracking-id";
inline constexpr std::string_view installation_annotation = "argocd.argoproj.io/installation-id";
inline constexpr std::string_view flux_name_label = "kustomize.toolkit.fluxcd.io/name";
inline constexpr std::string_view flux_namespace_label = "kustomize.toolkit.fluxcd.io/namespace";

// Of argocd-cm, with Argo CD 3's defaults: application.resourceTrackingMethod, application.instanceLabelKey and
// installationID.
struct Tracking {
  enum class Method { annotation, label, annotation_and_label } method = Method::annotation;
  std::string label_key = "app.kubernetes.io/instance";
  std::string installation;  // "" for none
};
// What the Application's installation says.
const Tracking& tracking_of(const Customizations* customizations);

// APPLICATION:GROUP/KIND:NAMESPACE/NAME.
std::string tracking_id(const Application& app, const Task& task);
// Puts them into an object that is to be applied. CRDs get none, as in Argo CD.
void mark_as_tracked(doc::Value& object, const Application& app, const Task& task);
// The Application that a live object's annotation names, in its tracking name; "" for none, and for an annotation that
// was copied from another object or is another installation's.
std::string annotated_owner(const kube::Object& live, const Tracking& tracking = {});
// The owner of a live object in the form of Front::owner, "" for none. By label, an object without one is still known
// by its annotation: it was applied before the installation changed its mind.
std::string owner_of(const kube::Object& live, const Tracking& tracking);

}  // namespace slipway::gitops
