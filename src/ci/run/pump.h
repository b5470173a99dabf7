#pragma once
// Waits for a process while passing its output on; ends it in steps when the context says so.
#include <array>
#include <functional>

#include "ci/run/sandbox.h"

namespace slipway::ci {

// `exit_fd` becomes readable when the process has ended; `status` then gives its exit status.
Result<int> pump(const Ctx& ctx, const Process& process, std::array<int, 2> streams, int exit_fd,
                 const OutputSink& sink, const std::function<void(int)>& signal,
                 const std::function<Result<int>()>& status);

}  // namespace slipway::ci
