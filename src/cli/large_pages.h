#pragma once

namespace slipway::cli {

// From now on the heap grows by much at a time, on large pages where the kernel gives them to who asks: a command that
// makes a million small things and ends spends a sixth of its time on page faults else. Not for what goes on running.
void use_large_pages();

}  // namespace slipway::cli
