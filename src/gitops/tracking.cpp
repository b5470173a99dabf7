#include "gitops/tracking.h"

#include <cctype>

#include "base/text.h"
#include "gitops/customizations.h"
#include "gitops/front.h"

namespace slipway::gitops {
namespace {

constexpr std::size_t longest_label = 63;

// As Argo CD shortens it, for what reads the label: nothing is known by it then.
std::string shortened(std::string_view name) {
  if (name.size() <= longest_label) return std::string(name);
  name = name.substr(0, longest_label);
  while (!name.empty() && std::isalnum(static_cast<unsigned char>(name.back())) == 0) name.remove_suffix(1);
  return std::string(name);
}

}  // namespace

const Tracking& tracking_of(const Customizations* customizations) {
  static const Tracking defaults;
  return customizations != nullptr ? customizations->tracking() : defaults;
}

std::string tracking_id(const Application& app, const Task& task) {
  const auto& ns = task.key.ns.empty() ? app.ns : task.key.ns;
  return fmt::format("{}:{}/{}:{}/{}", tracking_name(app.key), task.type.group(), task.type.kind, ns, task.key.name);
}

void mark_as_tracked(doc::Value& object, const Application& app, const Task& task) {
  if (task.type.kind == "CustomResourceDefinition") return;
  const auto& tracking = tracking_of(app.customizations.get());
  auto& metadata = object["metadata"].map();
  // A label that is too long is the API server's to refuse: shortened, nothing could be known by it.
  if (tracking.method == Tracking::Method::label) {
    metadata["labels"][tracking.label_key] = app.owner;
    return;
  }
  metadata["annotations"][tracking_annotation] = tracking_id(app, task);
  if (!tracking.installation.empty()) metadata["annotations"][installation_annotation] = tracking.installation;
  if (tracking.method == Tracking::Method::annotation_and_label)
    metadata["labels"][tracking.label_key] = shortened(app.owner);
}

std::string annotated_owner(const kube::Object& live, const Tracking& tracking) {
  if (!tracking.installation.empty() && live.annotation(installation_annotation) != tracking.installation) return "";
  auto id = live.annotation(tracking_annotation);
  auto head = cut(id, ":");
  if (!head) return "";
  auto rest = cut(head->second, ":");
  auto type = live.type();
  if (!rest || rest->first != fmt::format("{}/{}", type.group(), type.kind)) return "";
  // The namespace of a cluster-scoped object is its Application's.
  auto place = cut(rest->second, "/");
  if (!place || place->second != live.name() || (!live.ns().empty() && place->first != live.ns())) return "";
  return std::string(head->first);
}

std::string owner_of(const kube::Object& live, const Tracking& tracking) {
  std::string argo;
  if (tracking.method == Tracking::Method::label) argo = live.label(tracking.label_key);
  if (argo.empty()) argo = annotated_owner(live, tracking);
  auto flux = live.label(flux_name_label);
  return !argo.empty() || flux.empty() ? argo : flux_front().owner({live.label(flux_namespace_label), flux});
}

}  // namespace slipway::gitops
