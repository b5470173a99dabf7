#pragma once
// Signing in to the registries of clouds by what a machine, a Pod or a login there has: no password is kept.
#include "cloud/cloud.h"
#include "oci/remote.h"

namespace slipway::oci {

struct CloudGrant {
  Credentials credentials;
  WallTime until;
};
// ECR (private and public), Artifact Registry and Container Registry of Google, ACR. `base`: the registry's URL.
// Nothing: not the registry of a cloud, or nothing here signs in to it. Errors: denied (what is here was refused),
// invalid (a credentials file), unavailable.
Result<std::optional<CloudGrant>> cloud_credentials(const Ctx& ctx, net::Client& client, const std::string& host,
                                                    const std::string& base, const cloud::Place& place);

}  // namespace slipway::oci
