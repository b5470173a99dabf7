#pragma once
// What the embedded git host asks the house: who may push what, and what follows from an accepted push.
#include "git/host.h"

namespace slipway::engine {

struct House;

git::HostPolicy git_policy(House& house);
// After a start: Changes for refs that moved just before a kill.
Result<> recover_changes(const Ctx& ctx, House& house);
// While it runs: Changes of pushes that were taken when the store could not be written (a full disk).
Result<> catch_up(const Ctx& ctx, House& house);

}  // namespace slipway::engine
