#pragma once
// An Argo CD Application, read into values. Fields and defaults as Argo CD 3 has them.
#include <string>
#include <vector>

#include "kube/object.h"

namespace slipway::gitops {

struct SourceSpec {
  std::string repo_url, path, target_revision = "HEAD";
  bool recurse = false;
  std::string include, exclude;
  doc::Value kustomize;  // the kustomize block, applied as an overlay on the path
};

struct SyncOptions {
  bool create_namespace = false;
  bool prune_last = false;
  bool apply_out_of_sync_only = false;
  bool replace = false;
  bool fail_on_shared = false;
  bool respect_ignore_differences = false;
  std::string prune_propagation = "foreground";
};

struct RetrySpec {
  std::int64_t limit = 5;  // -1: for ever
  Millis first{5000}, max{180000};
  double factor = 2;
};

struct IgnoreDifference {
  std::string group, kind, name, ns;
  std::vector<std::string> pointers;   // JSON pointers
  std::vector<std::string> managers;   // field managers whose fields are left alone
};

struct Application {
  kube::Key key;
  std::string uid;
  std::string project = "default";
  std::vector<SourceSpec> sources;
  std::string server, cluster_name, ns;  // destination
  bool automated = false, prune = false, self_heal = false, allow_empty = false;
  SyncOptions options;
  RetrySpec retry;
  std::vector<IgnoreDifference> ignore;
  std::int64_t history_limit = 10;
  bool finalizer = false;                 // cascade deletion was asked for
  bool deleting = false;
};

// Errors: invalid, naming the field (a source that is neither Git nor understood says so).
Result<Application> application_from(const kube::Object& object);

}  // namespace slipway::gitops
