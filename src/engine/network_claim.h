#pragma once
// The pod network belongs to the host, not to the data directory: two Slipways with one bridge would take each other's
// pods down.
#include <memory>

#include "base/files.h"
#include "engine/settings.h"

namespace slipway::engine {

// Held as long as the network is used. Null: nothing to claim (the host's network is not ours to set up).
// Errors: unavailable (another slipway has the bridge; another interface has an address of these ranges).
Result<std::unique_ptr<FileLock>> claim_network(const Settings& settings);

// Whether the address lies in the range "10.244.0.0/16".
bool in_range(std::string_view address, std::string_view cidr);

}  // namespace slipway::engine
