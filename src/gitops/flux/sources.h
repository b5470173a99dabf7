#pragma once
// Flux's sources: which commit or artifact a Kustomization reads. Nothing is packed: the artifact that the status names
// is a commit of a repository here.
#include "gitops/flux/objects.h"
#include "gitops/source.h"

namespace slipway::gitops::flux {

// How a GitRepository's spec.ref names a commit.
struct GitRef {
  std::string look_up;  // "refs/heads/main", "refs/tags/v1", a commit
  std::string shown;    // of the revision before "@sha1:"; "" for a commit alone
  bool range = false;   // look_up is a range of versions
};
// Errors: invalid (no range of versions).
Result<GitRef> git_ref(doc::View spec);

// How a GitRepository's own Secret signs in, and what names its repository then (url_apart). Errors: not_found (the
// Secret), invalid (entries that are missing or not supported).
Result<git::Access> git_access(const Ctx& ctx, kube::Client& home, const kube::Object& source);
Result<std::string> git_url(const Ctx& ctx, kube::Client& home, const kube::Object& source);

struct SourceLooked {
  doc::Value status;
  Millis again;
};
// One look at a GitRepository or OCIRepository. What is wrong with it, or with where it points, is in its conditions.
Result<SourceLooked> look_at_source(const Ctx& ctx, kube::Client& home, Repositories& repositories,
                                    const kube::Object& source);
// The status of a kind that is known and not acted on.
doc::Value unsupported(const kube::Object& object, const std::string& now);

}  // namespace slipway::gitops::flux
