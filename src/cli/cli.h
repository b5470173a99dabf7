#pragma once
// The command line. Commands are data (command.h); one file parses them.

namespace slipway::cli {

// Gives the exit status: 0 done, 1 the thing checked failed, 2 wrong usage, 3 refused by policy, 4 could not reach or
// run something it needs, 130 interrupted.
int main(int argc, char** argv);

}  // namespace slipway::cli
