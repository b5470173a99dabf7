#pragma once
// An Argo CD Application, read into values. Fields and defaults as Argo CD 3 has them.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "git/access.h"
#include "gitops/budget.h"
#include "gitops/health.h"
#include "gitops/ignore.h"
#include "gitops/options.h"
#include "kube/object.h"
#include "secret/age.h"

namespace slipway::gitops {

class Customizations;
class Front;

// Where Argo CD's Applications and AppProjects live; Applications may live elsewhere too.
inline constexpr std::string_view home_namespace = "argocd";

struct SourceSpec {
  std::string repo_url, path, target_revision = "HEAD";
  bool recurse = false;
  std::string include, exclude;
  bool directory = false;      // plain files whatever else is there
  bool load_anywhere = false;  // kustomizations may name files beside their folder
  bool submodules = true;      // are read; else they are empty folders
  doc::Value kustomize;        // the kustomize block, applied as an overlay on the path
  doc::Value jsonnet;          // directory.jsonnet
  doc::Value written;          // as it stands in the Application
  // As Flux has it: a folder without a kustomization gets one of everything below, fields are laid over it as they
  // are, labels and annotations go to every object, and ${variables} are put in last.
  bool generate = false;
  std::function<Result<git::Access>(const Ctx&)> sign_in;  // as its Secret says, asked for when a submodule is read
  std::optional<std::string> ignore;                       // of Git: GitRepository.spec.ignore, beside .sourceignore
  doc::Value overlay, metadata;
  std::optional<std::map<std::string, std::string>> variables;
};

struct RetrySpec {
  std::int64_t limit = 5;  // -1: for ever
  Millis first{5000}, max{180000};
  double factor = 2;
};
// Whether an Application is synced without being asked.
bool syncs_by_itself(const kube::Object& application);
// retry{limit, backoff{duration, factor, maxDuration}}. Errors: invalid, naming the field.
Result<RetrySpec> retry_from(doc::View view);
// How long to wait before the try that follows `tries` failed ones.
Millis retry_pause(const RetrySpec& retry, std::int64_t tries);

// What must be healthy before a sync has succeeded.
struct HealthGate {
  bool all = false;  // everything that was applied
  std::vector<std::pair<kube::Type, kube::Key>> objects;
  Millis timeout{300000};
};

// Another of the same kind that must be ready before this one is synced.
struct Dependency {
  kube::Key key;
  std::function<std::string(const kube::Object&)> unready;  // why it is not, or ""; none: the front says
};

// How an object does, where an Application says so itself. The outer nothing: it says nothing of this one. The inner:
// the object has no health.
using HealthRule = std::function<std::optional<std::optional<HealthStatus>>(const kube::Object&)>;

struct Application {
  kube::Key key;
  std::string uid;
  const Front* front = nullptr;  // the language it is written in
  std::string owner;             // how its objects name it
  std::string project = "default";
  std::vector<SourceSpec> sources;
  doc::Value source_doc;                 // spec.source, or the list spec.sources
  std::string server, cluster_name, ns;  // destination; a look fills in both of server and name
  bool automated = false, prune = false, self_heal = false, allow_empty = false;
  SyncOptions options;
  doc::Value namespace_metadata;  // syncPolicy.managedNamespaceMetadata: labels and annotations
  bool manages_namespace() const { return options.create_namespace && !ns.empty() && namespace_metadata.is_map(); }
  RetrySpec retry;
  std::vector<IgnoreDifference> ignore;                  // its own, and what is said for all
  std::shared_ptr<const Customizations> customizations;  // what is said of kinds, null for nothing
  bool compare_webhooks = false;                         // what mutating webhooks would change counts as a difference
  std::int64_t history_limit = 10;
  std::vector<Dependency> depends_on;
  HealthRule health;
  HealthGate gate;
  std::string source_name;    // of the object that the revision comes from
  std::string revision_text;  // how the revision is shown where it is not the commit alone
  // The keys for sealed files, asked for when one is met.
  std::function<Result<std::vector<secret::AgeIdentity>>(const Ctx&)> keys;
  DeleteBudget delete_budget;
  std::string deletion_approved;                             // when a person agreed to deletions that ask for it
  std::string_view approval = deletion_approved_annotation;  // says so
};

// Without null, "", false, 0, {} and [] at any depth: what Go's clients write of a field that nobody set.
doc::Value without_empty(const doc::Value& value);

// One source. Errors: invalid, naming the field.
Result<SourceSpec> source_from(doc::View view);

// Errors: invalid, naming the field (a source that is neither Git nor understood says so, an option that is not known).
Result<Application> application_from(const kube::Object& object);

// What deleting the Application does to its objects; nothing: they stay. Needs no valid spec.
std::optional<kube::RemoveOptions::Propagation> cascade_of(const kube::Object& application);
bool is_cascade_finalizer(std::string_view finalizer);

// How objects name their Application in the tracking id: its name in the home namespace, elsewhere namespace_name.
std::string tracking_name(const kube::Key& application);
kube::Key application_key(std::string_view tracking_name);

}  // namespace slipway::gitops
