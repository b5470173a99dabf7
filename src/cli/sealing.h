#pragma once
// For whom a file is sealed, and with which keys it is opened, at a desk.
#include <vector>

#include "cli/command.h"
#include "secret/sops.h"

namespace slipway::cli {

// --key-file, SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, then sops' own file in the user's configuration. A key file that has a
// passphrase is opened with SLIPWAY_AGE_PASSPHRASE. None found is an empty list.
Result<std::vector<secret::AgeIdentity>> local_identities(const Arguments& arguments);
// Those, and the keys of the running Slipway when --server asks for them.
Result<std::vector<secret::AgeIdentity>> all_identities(const Ctx& ctx, const Arguments& arguments);

struct FoundRules {
  secret::SopsRules rules;
  std::string config;  // the .sops.yaml they come from; "" for none
};
// The rules of the nearest .sops.yaml above the file, if one of them is for it. Errors: invalid.
Result<std::optional<FoundRules>> configured_rules(const fs::path& file);

// --key-file and --server, and how to reach it.
std::vector<Option> with_keys(std::vector<Option> options);

}  // namespace slipway::cli
