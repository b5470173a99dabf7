#pragma once
// What an Application's sources link to: fetched when something of it is read, as the one may who asks.
#include <set>

#include "gitops/source.h"
#include "manifest/submodules.h"

namespace slipway::gitops::detail {

// How the repository with the gitlinks itself is signed in to.
struct SubmodulesOf {
  std::string url;      // as Repositories know it
  bool secrets = true;  // Argo CD's Secrets sign in; else `sign_in` alone, nothing: nobody
  std::function<Result<git::Access>(const Ctx&)> sign_in;
};

// All that is given must outlive what is returned. `read` is told the URLs.
// Rule: Argo CD and Flux give what signs in to the repository to all its submodules. Here that is so for those on the
// same host, and Argo CD's Secrets of the submodule's own URL come first.
std::unique_ptr<manifest::Submodules> submodules_of(const Ctx& ctx, Repositories& repositories,
                                                    const Renderer::Permit& permit, const Application& app,
                                                    SubmodulesOf repository, std::set<std::string>& read);

}  // namespace slipway::gitops::detail
