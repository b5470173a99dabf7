#pragma once
// Signing in to the registries of clouds by what a machine, a Pod or a login there has: no password is kept.
#include "base/files.h"
#include "base/time.h"
#include "net/client.h"
#include "oci/remote.h"

namespace slipway::oci {

// Where we run, as far as it matters. The defaults are this machine and process.
struct CloudPlace {
  std::function<std::string(const std::string& name)> env;  // "" when it is not set
  fs::path home;
  fs::path dmi = "/sys/class/dmi/id";  // what the firmware says of the machine
  static CloudPlace here();
};
struct CloudGrant {
  Credentials credentials;
  WallTime until;
};
// ECR (private and public), Artifact Registry and Container Registry of Google, ACR. `base`: the registry's URL.
// Nothing: not the registry of a cloud, or nothing here signs in to it. A machine's own service is asked only where
// the firmware, or the environment, says that there is one. Errors: denied (what is here was refused), invalid (a
// credentials file), unavailable.
Result<std::optional<CloudGrant>> cloud_credentials(const Ctx& ctx, net::Client& client, const std::string& host,
                                                    const std::string& base, const CloudPlace& place);

}  // namespace slipway::oci
