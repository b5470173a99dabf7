#pragma once
// Flux's Kustomization, read into what the engine works on.
#include "gitops/flux/objects.h"
#include "gitops/tasks.h"

namespace slipway::gitops::flux {

// The object that spec.sourceRef names; its namespace is the Kustomization's when it says none.
struct SourceRef {
  kube::Type type;
  kube::Key key;
  auto operator<=>(const SourceRef&) const = default;
};
SourceRef source_ref_of(const kube::Object& kustomization);
std::string source_name_of(const kube::Object& kustomization);  // "GitRepository/ns/name"
// What spec.dependsOn names, with namespaces.
std::vector<kube::Key> dependencies_of(const kube::Object& kustomization);

// Reads the source's artifact, and the variables that postBuild takes from ConfigMaps and Secrets. Errors: invalid (a
// field that is wrong or not supported, with its path), not_found (the source, what a variable comes from), unavailable
// (a source without an artifact yet).
Result<Application> read_kustomization(const Ctx& ctx, kube::Client& home, const kube::Object& kustomization);

// Two stages, as Flux has them: definitions and namespaces, then the rest. No hooks, no waves.
std::vector<Task> kustomization_tasks(const std::vector<doc::Value>& objects, const SyncOptions& options);

}  // namespace slipway::gitops::flux
