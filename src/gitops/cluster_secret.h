#pragma once
// A cluster as Argo CD's Secrets describe it (label argocd.argoproj.io/secret-type: cluster).
#include <optional>
#include <string>
#include <vector>

#include "kube/kubeconfig.h"
#include "kube/object.h"

namespace slipway::gitops {

inline constexpr std::string_view cluster_secrets = "argocd.argoproj.io/secret-type=cluster";

struct ClusterSecret {
  std::string name, server, project;
  std::vector<std::string> namespaces;  // what may be managed there; none: all
  bool cluster_resources = false;       // with namespaces: cluster-scoped objects as well
  kube::Kubeconfig sign_in;
  std::string unusable;  // why nothing can be done with it, "" when it can
  friend bool operator==(const ClusterSecret&, const ClusterSecret&) = default;
};
// Never a secret in `unusable`. Fields that only Argo CD's own replicas need (shard, annotations) are left out.
ClusterSecret cluster_secret_from(const kube::Object& secret);

// One field of any Secret, from data or stringData; "" for none. Errors: invalid (not base64).
Result<std::string> secret_text(const kube::Object& secret, std::string_view key);

}  // namespace slipway::gitops
