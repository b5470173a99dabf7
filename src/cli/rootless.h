#pragma once
// Running containers without root: the process becomes root of a user namespace of its own, where mounts and OCI
// runtimes work. There is no pod network there: that needs rights over the host's network.
#include "base/result.h"

namespace slipway::cli {

// Does nothing for root. Else: a user and a mount namespace, with the ids of /etc/subuid and /etc/subgid mapped by
// newuidmap where there are some, with our own id alone where not. Must be called before any thread is started.
// Errors: unavailable, saying exactly what is missing.
Result<> become_root_of_a_namespace();

// The user who started the program, also after become_root_of_a_namespace().
unsigned real_uid();

}  // namespace slipway::cli
