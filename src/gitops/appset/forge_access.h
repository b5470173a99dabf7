#pragma once
// What generators that ask forges may ask, and with which sign-in. Rules: Argo CD's argocd-cmd-params-cm
// (applicationsetcontroller.*) and applicationset/utils.
#include "forge/catalog.h"
#include "gitops/appset/detail.h"

namespace slipway::gitops::appset::detail {

struct ForgeAccess {
  std::string api;  // of the REST API, "" the public one
  std::string user, token, ca_pem;
  bool verify = true;
};
// From a provider's fields: api, tokenRef (or what it is called there), basicAuth, bearerToken, appSecretName, caRef,
// insecure. `owner`: whose installation of a GitHub App is meant. Errors: invalid (a Secret or ConfigMap that is not
// there or may not be read), denied (what the installation does not allow), those of the client and of GitHub.
Result<ForgeAccess> forge_access(const Call& call, forge::Service service, doc::View view, const std::string& owner);

// A Secret's or ConfigMap's entry; the Secret of the set's namespace. Errors: invalid.
Result<std::string> config_entry(const Call& call, doc::View reference);

}  // namespace slipway::gitops::appset::detail
