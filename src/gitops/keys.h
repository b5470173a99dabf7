#pragma once
// The age keys that sealed files of a configuration repository are opened with. They are entries of Secrets: a name
// that ends in .agekey, a key file as age-keygen writes it (Flux's form).
#include <string>
#include <vector>

#include "kube/client.h"
#include "secret/age.h"

namespace slipway::gitops {

// A Secret with this label, in an Application's namespace, holds keys for it; the annotation limits it to some
// AppProjects (globs, comma between).
inline constexpr std::string_view sops_keys_label = "slipway.dev/sops-keys";
inline constexpr std::string_view sops_projects_annotation = "slipway.dev/projects";
inline constexpr std::string_view sops_keys_name = "sops-age";  // the one that `slipway secret new-key` makes

// By the entries' names, so the newest of those that `slipway secret new-key` made is last. Errors: invalid.
Result<std::vector<secret::AgeIdentity>> identities_of(const kube::Object& secret);
// All keys for Applications of `project` in this namespace. Errors: those of a list; a broken entry is invalid.
Result<std::vector<secret::AgeIdentity>> keys_for_project(const Ctx& ctx, kube::Client& client, const std::string& ns,
                                                          const std::string& project);

}  // namespace slipway::gitops
