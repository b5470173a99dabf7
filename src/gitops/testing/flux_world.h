#pragma once
// Flux's objects against the embedded API: looks taken by hand, as the controller would.
#include "gitops/flux/kustomization.h"
#include "gitops/flux/sources.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {

// A GitRepository "config" and a Kustomization "shop" of it in the namespace flux-system, whose objects go to "shop".
struct FluxWorld : World {
  kube::Key ks{"flux-system", "shop"};

  FluxWorld() {
    must(person->create(ctx(), kube::make_object({"v1", "Namespace"}, {"", "flux-system"}), {}));
    source();
  }
  void source(std::string_view more = "") {
    apply(fmt::format(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: config, namespace: "
        "flux-system}}\nspec: {{url: '{}', interval: 1m, ref: {{branch: main}}{}}}\n",
        url, more));
  }
  void apply(std::string_view yaml) { must(person->apply(ctx(), must(doc::parse_yaml(yaml)), {.force = true})); }
  void kustomization(std::string_view spec = "", std::string_view name = "shop") {
    apply(
        fmt::format("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {}, namespace: "
                    "flux-system, finalizers: [finalizers.fluxcd.io]}}\nspec:\n  interval: 10m\n  prune: true\n  "
                    "targetNamespace: shop\n  sourceRef: {{kind: GitRepository, name: config}}\n{}",
                    name, indented(spec)));
  }
  static std::string indented(std::string_view text) {
    std::string out;
    for (auto line : lines(text)) out += fmt::format("  {}\n", line);
    return out;
  }
  kube::Object object(const kube::Type& type, const kube::Key& which) {
    auto found = must(person->get(ctx(), type, which));
    return found ? *found : kube::Object();
  }
  void write(const kube::Object& at, const doc::Value& status) {
    must(client->patch(ctx(), at.type(), at.key(), kube::PatchType::json,
                       doc::List{doc::Map{{"op", "add"}, {"path", "/status"}, {"value", status}}},
                       {.field_manager = std::string(status_manager), .subresource = "status"}));
  }
  kube::Object look_at_source(const kube::Key& which = {"flux-system", "config"}) {
    auto source = object(flux::git_repository_type, which);
    write(source, must(flux::look_at_source(ctx(), *client, repositories, source)).status);
    return object(flux::git_repository_type, which);
  }
  // The source, then the Kustomization.
  kube::Object look_flux(const std::string& name = "shop") {
    look_at_source();
    return look_alone(name);
  }
  kube::Object look_alone(const std::string& name = "shop") {
    kube::Key which{"flux-system", name};
    auto at = object(flux::kustomization_type, which);
    SyncContext context{*client, *renderer, *comparer, *pacer, [this](const Drift& d) { drifts.push_back(d); }};
    auto looked = must(look(ctx(), context, at));
    again = looked.again;
    if (!looked.status.is_null()) write(at, looked.status);
    return object(flux::kustomization_type, which);
  }
};

// "Ready=True ReconciliationSucceeded: text"
inline std::string condition(const kube::Object& object, std::string_view type) {
  for (const auto& c : object["status"]["conditions"].items())
    if (c["type"].text() == type)
      return fmt::format("{}={} {}: {}", type, c["status"].text(), c["reason"].text(), c["message"].text());
  return "";
}
inline std::string ready(const kube::Object& object) { return condition(object, "Ready"); }

}  // namespace slipway::gitops
